//! What staff call fields and dispositions, in Japanese and English.

use crate::score::Disposition;

/// One thing in two languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    pub ja: String,
    pub en: String,
}

impl Label {
    pub fn new(ja: &str, en: &str) -> Self {
        Self { ja: ja.to_owned(), en: en.to_owned() }
    }
}

const FIELDS: [(&str, &str, &str); 15] = [
    ("application_date", "申請日", "application date"),
    ("phone", "電話番号", "phone"),
    ("account_route", "受取口座の選択", "kind of account"),
    ("bank_name", "金融機関名", "bank name"),
    ("branch_name", "支店名", "branch name"),
    ("bank_code", "金融機関コード", "bank code"),
    ("branch_code", "支店コード", "branch code"),
    ("account_type", "預金種別", "account type"),
    ("account_number", "口座番号", "account number"),
    ("account_holder_kana", "口座名義（カナ）", "account holder (kana)"),
    ("yucho_symbol", "ゆうちょ記号", "ゆうちょ symbol"),
    ("yucho_number", "ゆうちょ番号", "ゆうちょ number"),
    ("head_name", "世帯主氏名（印字）", "head of household (printed)"),
    ("signature", "署名", "signature"),
    ("declined", "受給を希望しない", "benefit declined"),
];

/// Of a field by its name in records; a form's own fields keep that name.
pub fn field(name: &str) -> Label {
    let known = FIELDS.iter().find(|(field, _, _)| *field == name);
    known.map_or_else(|| Label::new(name, name), |(_, ja, en)| Label::new(ja, en))
}

pub fn disposition(disposition: Disposition) -> Label {
    match disposition {
        Disposition::Accepted => Label::new("自動承認", "accepted"),
        Disposition::Blank => Label::new("空欄", "blank"),
        Disposition::Verify => Label::new("要確認", "verify"),
        Disposition::Illegible => Label::new("判読不能", "illegible"),
        Disposition::Escalate => Label::new("自治体で判断", "escalate"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_the_shipped_forms_has_a_label() {
        let forms = crate::evaluate::example::forms();
        for form in forms.iter() {
            for name in form.pages.iter().flat_map(|page| &page.fields).map(|field| &field.name) {
                assert_ne!(field(name).ja, *name, "{name}");
            }
        }
    }
}
