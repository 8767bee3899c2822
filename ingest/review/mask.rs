//! What a person typed to the text that a record writes: equal values become equal texts, so that two
//! keys can be compared. What cannot be a value of the field is refused with a code.

use unicode_normalization::UnicodeNormalization;

use crate::form::standard::{ACCOUNT_NUMBER, BANK_CODE, BRANCH_CODE, YUCHO_SYMBOL};
use crate::form::{Field, FieldKind};
use crate::kana::ZenginName;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MaskError {
    #[error("nothing was typed; say that it is blank")]
    Empty,
    #[error("only digits")]
    Digits,
    #[error("too few digits")]
    TooShort,
    #[error("too many digits")]
    TooLong,
    #[error("only kana")]
    Kana,
    #[error("none of the options")]
    Option,
    #[error("longer than a line")]
    Text,
}

impl MaskError {
    /// Of the language file: `fault_CODE`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Digits => "digits",
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
            Self::Kana => "kana",
            Self::Option => "option",
            Self::Text => "text",
        }
    }
}

/// Fields whose digits are all there or it is another number: codes.
const WHOLE: [&str; 3] = [BANK_CODE, BRANCH_CODE, YUCHO_SYMBOL];

const LONGEST_TEXT: usize = 100;

/// The text that a record writes for what was typed into a field.
pub fn normalise(field: &Field, typed: &str) -> Result<String, MaskError> {
    let text: String = typed.trim().nfkc().collect();
    if text.is_empty() {
        return Err(MaskError::Empty);
    }
    match field.kind {
        FieldKind::Digits => digits(field, &text),
        FieldKind::Kana => ZenginName::of(&text).map(|name| name.to_string()).map_err(|_| MaskError::Kana),
        FieldKind::Mark => {
            let option = field.options.iter().find(|option| option.value == text);
            option.map(|option| option.value.clone()).ok_or(MaskError::Option)
        }
        FieldKind::Signature if text == "present" => Ok(text),
        FieldKind::Signature => Err(MaskError::Option),
        FieldKind::Text if text.chars().count() > LONGEST_TEXT || text.chars().any(char::is_control) => {
            Err(MaskError::Text)
        }
        FieldKind::Text => Ok(text.split_whitespace().collect::<Vec<_>>().join(" ")),
    }
}

fn digits(field: &Field, text: &str) -> Result<String, MaskError> {
    // People type telephone numbers with what is printed between the boxes.
    let digits: String = text.chars().filter(|&c| !matches!(c, ' ' | '-' | '(' | ')' | '.' | '/')).collect();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(MaskError::Digits);
    }
    let cells = field.cells.len();
    if digits.is_empty() || (WHOLE.contains(&field.name.as_str()) && digits.len() < cells) {
        return Err(MaskError::TooShort);
    }
    if digits.len() > cells {
        return Err(MaskError::TooLong);
    }
    // It is always written with the 7 digits to pay to.
    Ok(if field.name == ACCOUNT_NUMBER { format!("{digits:0>cells$}") } else { digits })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::MarkOption;
    use crate::geometry::RectMm;

    fn field(name: &str, kind: FieldKind, cells: usize) -> Field {
        let area = RectMm { x: 0.0, y: 0.0, w: 5.0, h: 5.0 };
        let options = ["bank", "yucho"].map(|value| MarkOption { value: value.to_owned(), area }).to_vec();
        Field { name: name.to_owned(), kind, printed: false, align: None, cells: vec![area; cells], options }
    }

    fn typed(name: &str, kind: FieldKind, cells: usize, text: &str) -> Result<String, MaskError> {
        normalise(&field(name, kind, cells), text)
    }

    #[test]
    fn an_account_number_has_seven_digits_however_it_is_typed() {
        for text in ["12345", "0012345", "００１２３４５", " 12345 "] {
            assert_eq!(
                typed("account_number", FieldKind::Digits, 7, text).as_deref(),
                Ok("0012345"),
                "{text}"
            );
        }
        let wrong = |text| typed("account_number", FieldKind::Digits, 7, text);
        assert_eq!(wrong("12345678"), Err(MaskError::TooLong));
        assert_eq!(wrong("12a"), Err(MaskError::Digits));
        assert_eq!(wrong("  "), Err(MaskError::Empty));
        assert_eq!(wrong("-"), Err(MaskError::TooShort));
    }

    #[test]
    fn codes_have_all_their_digits() {
        assert_eq!(typed("branch_code", FieldKind::Digits, 3, "12"), Err(MaskError::TooShort));
        assert_eq!(typed("branch_code", FieldKind::Digits, 3, "012").as_deref(), Ok("012"));
        assert_eq!(typed("phone", FieldKind::Digits, 11, "045-123-4567").as_deref(), Ok("0451234567"));
    }

    #[test]
    fn kana_is_what_a_transfer_file_writes() {
        let kana = |text| typed("account_holder_kana", FieldKind::Kana, 20, text);
        assert_eq!(kana("さとう　じょうじ"), kana("ｻﾄｳ ｼﾞﾖｳｼﾞ"));
        assert_eq!(kana("佐藤"), Err(MaskError::Kana));
    }

    #[test]
    fn a_mark_is_one_of_its_options_and_a_text_one_line() {
        assert_eq!(typed("account_route", FieldKind::Mark, 0, "yucho").as_deref(), Ok("yucho"));
        assert_eq!(typed("account_route", FieldKind::Mark, 0, "<b>"), Err(MaskError::Option));
        assert_eq!(typed("bank_name", FieldKind::Text, 1, "横浜\n銀行"), Err(MaskError::Text));
        assert_eq!(typed("bank_name", FieldKind::Text, 1, " 横浜　銀行 ").as_deref(), Ok("横浜 銀行"));
        assert_eq!(typed("signature", FieldKind::Signature, 1, "present").as_deref(), Ok("present"));
    }
}
