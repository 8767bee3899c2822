//! The rules of ゆうちょ's 記号 and 番号 (domain rules 2.6): the check digit, and the branch that
//! transfers go to. Not officially published: a number that fails goes to a person, no more.

use super::BranchCode;

/// The digits of a 記号 (5) and a 番号 (1 to 8); none for anything else.
fn digits(symbol: &str, number: &str) -> Option<Vec<u32>> {
    let is_symbol = symbol.len() == 5 && matches!(symbol.as_bytes(), [b'0' | b'1', .., b'0']);
    if !is_symbol || number.is_empty() || number.len() > 8 {
        return None;
    }
    format!("{symbol}{number:0>8}").chars().map(|digit| digit.to_digit(10)).collect()
}

/// The 4th digit that a 記号 must have (rules.md 2.6, number 7; sanmai/jpb-account-converter, MIT),
/// whatever it has; none where symbol and number are none of ゆうちょ's.
pub fn check_digit(symbol: &str, number: &str) -> Option<u32> {
    let mut digits = digits(symbol, number)?;
    digits[3] = 0;
    let folded = |value: u32| if value < 5 { 2 * value } else { 2 * value - 9 };
    let sum: u32 = digits[..12].chunks(3).map(|three| three[0] + 3 * three[1] + folded(three[2])).sum();
    Some((sum + digits[12]) % 10)
}

/// Whether the check digit is right: every single misread digit makes it wrong. The number of a
/// savings account (1…) ends in 1 besides.
pub fn check_digit_holds(symbol: &str, number: &str) -> bool {
    let stands = symbol.chars().nth(3).and_then(|digit| digit.to_digit(10));
    let ends_well = symbol.starts_with('0') || number.ends_with('1');
    ends_well && stands.is_some() && check_digit(symbol, number) == stands
}

/// The branch that transfers to a 記号 name: its digits 2 and 3, and 8 for savings (1…) or 9 for
/// giro accounts (0…).
pub fn transfer_branch(symbol: &str) -> Option<BranchCode> {
    let [kind @ (b'0' | b'1'), second, third, _, b'0'] = symbol.as_bytes() else { return None };
    let last = if *kind == b'1' { '8' } else { '9' };
    BranchCode::parse(&format!("{}{}{last}", char::from(*second), char::from(*third)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_digit_is_that_of_published_accounts() {
        // Japan Committee for UNICEF, 00190-5-31000; kifufu.net, 00990-4-313097 (rules.md 2.6).
        assert!(check_digit_holds("00190", "31000"));
        assert!(check_digit_holds("00990", "313097"));
    }

    #[test]
    fn every_misread_digit_is_noticed() {
        let written = "0019000031000";
        for place in 0..written.len() {
            for digit in '0'..='9' {
                let mut read: Vec<char> = written.chars().collect();
                read[place] = digit;
                let read: String = read.into_iter().collect();
                assert_eq!(check_digit_holds(&read[..5], &read[5..]), read == written, "{read}");
            }
        }
    }

    #[test]
    fn transfers_go_to_the_branch_of_the_kind_of_account() {
        let branch = |symbol| transfer_branch(symbol).map(|code| code.to_string());
        assert_eq!(branch("10980").as_deref(), Some("098"));
        assert_eq!(branch("00190").as_deref(), Some("019"));
        assert_eq!(branch("20190"), None);
        assert_eq!(branch("1019"), None);
    }
}
