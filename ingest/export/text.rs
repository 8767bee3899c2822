//! Characters of transfer files: one byte each (JIS X 0201, which Shift_JIS shares), and which of them
//! each kind of field may hold (appendix 1 of the format; domain rules 2.5).

pub(super) const VOICED: u8 = 0xDE;
pub(super) const HALF_VOICED: u8 = 0xDF;

/// None for what has no byte.
pub(super) fn byte(character: char) -> Option<u8> {
    match character {
        ' '..='~' => Some(character as u8),
        // The half-width block of Unicode runs as the bytes do.
        '｡'..='ﾟ' => u8::try_from(character as u32 - '｡' as u32 + 0xA1).ok(),
        _ => None,
    }
}

/// What a field of text may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CharacterSet {
    /// Banks and branches: written without blanks.
    BankName,
    /// Consignors and payees of general transfers.
    PartyName,
    /// Payees of salaries: neither letters nor symbols.
    SalaryName,
    /// What the payee is told.
    Edi,
}

impl CharacterSet {
    pub(super) fn allows(self, byte: u8) -> bool {
        match byte {
            b'0'..=b'9' | 0xB1..=0xDD | VOICED | HALF_VOICED => true,
            b'A'..=b'Z' => self != Self::SalaryName,
            b' ' => self != Self::BankName,
            b'-' => self != Self::SalaryName,
            b'(' | b')' | b'.' => matches!(self, Self::PartyName | Self::Edi),
            // ｦ ｢ ｣
            b'\\' | b'/' | 0xA6 | 0xA2 | 0xA3 => self == Self::Edi,
            _ => false,
        }
    }
}

/// Whether a sound mark may stand behind that byte; true of every other byte.
pub(super) fn may_follow(before: Option<u8>, byte: u8) -> bool {
    // ｳ, ｶ to ﾄ, ﾊ to ﾎ
    let is_ha = matches!(before, Some(0xCA..=0xCE));
    match byte {
        VOICED => is_ha || matches!(before, Some(0xB3 | 0xB6..=0xC4)),
        HALF_VOICED => is_ha,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kana_have_the_bytes_of_shift_jis() {
        let bytes: Vec<Option<u8>> = "ｱﾝﾞﾟｦｰA-".chars().map(byte).collect();
        let expected = [0xB1, 0xDD, 0xDE, 0xDF, 0xA6, 0xB0, 0x41, 0x2D].map(Some);
        assert_eq!(bytes, expected);
        assert_eq!((byte('ア'), byte('山'), byte('\n')), (None, None, None));
    }

    #[test]
    fn every_set_holds_what_the_rules_say() {
        use CharacterSet::{BankName, Edi, PartyName, SalaryName};
        let held = |set: CharacterSet| -> Vec<u8> { (0..=255).filter(|&byte| set.allows(byte)).collect() };
        // 10 digits, ｱ to ﾝ with the two marks; 26 letters; symbols and the blank.
        assert_eq!(held(SalaryName).len(), 10 + 47 + 1);
        assert_eq!(held(BankName).len(), 10 + 47 + 26 + 1);
        assert_eq!(held(PartyName).len(), 10 + 47 + 26 + 5);
        assert_eq!(held(Edi).len(), 10 + 47 + 26 + 5 + 5);
        // small kana and ｰ are nowhere
        for set in [BankName, PartyName, SalaryName, Edi] {
            assert!((0xA7..=0xB0).all(|byte| !set.allows(byte)), "{set:?}");
        }
    }

    #[test]
    fn a_sound_mark_needs_its_kana() {
        assert!(may_follow(Some(0xB6), VOICED) && may_follow(Some(0xCA), HALF_VOICED));
        assert!(
            !may_follow(Some(0xB6), HALF_VOICED)
                && !may_follow(Some(0xB1), VOICED)
                && !may_follow(None, VOICED)
        );
    }
}
