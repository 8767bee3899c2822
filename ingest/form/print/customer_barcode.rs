//! The customer barcode (カスタマバーコード) of Japan Post: postal code and the numbers of the
//! address as 67 bars of four kinds. Source: Japan Post, manual on postal codes and barcodes
//! (郵便番号・バーコードマニュアル), pages 12 to 21.

/// Bars of a customer barcode from left to right.
pub const BARS: usize = 67;

/// A bar, by the thirds of the height that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bar {
    Long,
    Upper,
    Lower,
    Timing,
}

/// Digits of the postal code and characters of the address that a barcode holds.
const POSTAL_DIGITS: usize = 7;
const ADDRESS_VALUES: usize = 13;

/// Values of characters: digits 0 to 9, '-', then the control codes CC1 to CC8.
const HYPHEN: u8 = 10;
const CC1: u8 = 11;
const CC4: u8 = 14;

/// The bars of an address. None where the postal code has not seven digits.
pub fn encode(postal_code: &str, address: &str) -> Option<[Bar; BARS]> {
    let values = values(postal_code, &address_number(address))?;
    let check = check_value(&values);
    let triples = values.iter().chain(std::iter::once(&check)).flat_map(|&value| TRIPLES[usize::from(value)]);
    let mut bars = [Bar::Timing; BARS];
    let all = [1, 3].into_iter().chain(triples).chain([3, 1]);
    for (bar, kind) in bars.iter_mut().zip(all) {
        *bar = match kind {
            1 => Bar::Long,
            2 => Bar::Upper,
            3 => Bar::Lower,
            _ => Bar::Timing,
        };
    }
    Some(bars)
}

/// The 20 values in front of the check value: the postal code, then the address number, cut or
/// filled up with CC4.
fn values(postal_code: &str, address_number: &str) -> Option<[u8; POSTAL_DIGITS + ADDRESS_VALUES]> {
    let digits: Vec<u8> = postal_code
        .chars()
        .map(half_width)
        .filter(|c| *c != '-')
        .map(|c| c.to_digit(10).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    let mut values = [CC4; POSTAL_DIGITS + ADDRESS_VALUES];
    if digits.len() != POSTAL_DIGITS {
        return None;
    }
    let number = address_number.chars().flat_map(|character| match character {
        '0'..='9' => vec![character as u8 - b'0'],
        'A'..='Z' => {
            let letter = character as u8 - b'A';
            vec![CC1 + letter / 10, letter % 10]
        }
        _ => vec![HYPHEN],
    });
    for (value, given) in values.iter_mut().zip(digits.into_iter().chain(number)) {
        *value = given;
    }
    Some(values)
}

/// Makes the sum of all values a multiple of 19.
fn check_value(values: &[u8]) -> u8 {
    let sum: u32 = values.iter().map(|&value| u32::from(value)).sum();
    ((19 - sum % 19) % 19) as u8
}

/// The address number (住所表示番号): the digits of an address and its single letters, joined by
/// hyphens where something stood between them.
fn address_number(address: &str) -> String {
    let tidy: Vec<char> = address
        .chars()
        .map(half_width)
        .map(|c| c.to_ascii_uppercase())
        .filter(|c| !"&/・.".contains(*c))
        .collect();
    let tidy = with_arabic_numbers(&tidy);
    let letter = |at: usize| tidy.get(at).is_some_and(char::is_ascii_uppercase);
    let mut kept = String::new();
    for (at, &character) in tidy.iter().enumerate() {
        let neighbours = at.checked_sub(1).is_some_and(letter) || letter(at + 1);
        // An F behind a number counts a floor (3F) and is dropped.
        let floor = character == 'F' && at.checked_sub(1).is_some_and(|before| tidy[before].is_ascii_digit());
        let keep = character.is_ascii_digit() || (character.is_ascii_uppercase() && !neighbours && !floor);
        kept.push(if keep { character } else { '-' });
    }
    join(&kept)
}

/// One hyphen between numbers, none beside a letter and none at the ends.
fn join(kept: &str) -> String {
    let mut joined = String::new();
    let mut gap = false;
    for character in kept.chars() {
        if character == '-' {
            gap = true;
            continue;
        }
        let before = joined.chars().next_back();
        let between_digits = before.is_some_and(|c| c.is_ascii_digit()) && character.is_ascii_digit();
        if gap && between_digits {
            joined.push('-');
        }
        joined.push(character);
        gap = false;
    }
    joined
}

/// Kanji numbers count where one of these follows; elsewhere (三ツ沢) they are part of a name.
const AFTER_KANJI_NUMBERS: [&str; 9] = ["丁目", "丁", "番地", "番", "号", "地割", "線", "の", "ノ"];

fn with_arabic_numbers(text: &[char]) -> Vec<char> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let length = text[at..].iter().take_while(|c| "〇一二三四五六七八九十百".contains(**c)).count();
        let after: String = text[at + length..].iter().take(2).collect();
        if length > 0 && AFTER_KANJI_NUMBERS.iter().any(|word| after.starts_with(word)) {
            out.extend(kanji_number(&text[at..at + length]).to_string().chars());
            at += length;
        } else {
            let step = length.max(1);
            out.extend_from_slice(&text[at..at + step]);
            at += step;
        }
    }
    out
}

/// 二十三 and 二三 are both 23.
fn kanji_number(kanji: &[char]) -> u64 {
    let (mut total, mut pending) = (0u64, None);
    for character in kanji {
        match character {
            '十' => total += pending.take().unwrap_or(1) * 10,
            '百' => total += pending.take().unwrap_or(1) * 100,
            digit => {
                let value = "〇一二三四五六七八九".chars().position(|c| c == *digit).unwrap_or(0) as u64;
                pending = Some(pending.unwrap_or(0u64).saturating_mul(10).saturating_add(value));
            }
        }
    }
    total.saturating_add(pending.unwrap_or(0))
}

fn half_width(character: char) -> char {
    match character {
        '！'..='～' => char::from_u32(character as u32 - 0xFEE0).unwrap_or(character),
        '−' | '‐' | '–' | '—' | '―' => '-',
        other => other,
    }
}

/// Bars of the values 0 to 18; 1 long, 2 upper, 3 lower, 4 timing.
const TRIPLES: [[u8; 3]; 19] = [
    [1, 4, 4],
    [1, 1, 4],
    [1, 3, 2],
    [3, 1, 2],
    [1, 2, 3],
    [1, 4, 1],
    [3, 2, 1],
    [2, 1, 3],
    [2, 3, 1],
    [4, 1, 1],
    [4, 1, 4],
    [3, 2, 4],
    [3, 4, 2],
    [2, 3, 4],
    [4, 3, 2],
    [2, 4, 3],
    [4, 2, 3],
    [4, 4, 1],
    [1, 1, 1],
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_manual_s_own_example() {
        let address = "東京都千代田区霞が関1丁目3番2号　郵便プラザ503室";
        assert_eq!(address_number(address), "1-3-2-503");
        let values = values("100-0013", "1-3-2-503").expect("seven digits");
        assert_eq!(check_value(&values), 9);
        let kinds: String = encode("100-0013", address)
            .expect("seven digits")
            .iter()
            .map(|bar| match bar {
                Bar::Long => '1',
                Bar::Upper => '2',
                Bar::Lower => '3',
                Bar::Timing => '4',
            })
            .collect();
        // start, 1000013, 1-3-2-503, four times CC4, the check digit 9, stop
        let expected = concat!(
            "13", "114", "144", "144", "144", "144", "114", "312", "114", "414", "312", "414", "132", "414",
            "141", "144", "312", "432", "432", "432", "432", "411", "31"
        );
        assert_eq!(kinds, expected);
    }

    #[test]
    fn numbers_are_taken_out_of_addresses() {
        for (address, number) in [
            ("横浜市中区本町六丁目50番地の10", "6-50-10"),
            ("横浜市神奈川区三ツ沢下町１４−２２", "14-22"),
            ("札幌市中央区北一条西二十丁目1番地", "20-1"),
            ("25 J1 ビル2-B", "25J1-2B"),
            ("港町4-1 タワー&パーク12F", "4-1-12"),
            ("港町4-1 ABCビル3階", "4-1-3"),
            ("大字山田", ""),
        ] {
            assert_eq!(address_number(address), number, "{address}");
        }
    }

    #[test]
    fn a_letter_cut_in_two_keeps_its_control_code() {
        let values = values("2310005", "123456789012B").expect("seven digits");
        assert_eq!(values[19], CC1);
    }

    #[test]
    fn a_wrong_postal_code_has_no_barcode() {
        assert!(encode("231-00", "1-1").is_none());
        assert!(encode("", "1-1").is_none());
    }

    proptest! {
        #[test]
        fn any_address_makes_a_barcode_with_a_right_check(address in ".{0,60}") {
            let values = values("2310005", &address_number(&address)).expect("seven digits");
            let sum: u32 = values.iter().chain([&check_value(&values)]).map(|&value| u32::from(value)).sum();
            prop_assert_eq!(sum % 19, 0);
            prop_assert!(encode("2310005", &address).is_some());
        }
    }
}
