//! The copies that are enclosed: whether they are there and can be told, and what was blacked out on
//! them.

use chrono::NaiveDate;

use super::{CheckedPage, Defect, Finding, FindingCode, Severity};
use crate::form::Form;
use crate::read::{CopiesSeen, CopyKind, IdentityCopy, MaskedByHand};

/// Findings about the copies on the capture's pages, by the date of application where it is legible. Of a
/// page that is missing or was not registered others tell.
pub(super) fn copies(form: &Form, pages: &[CheckedPage<'_>], applied_on: Option<NaiveDate>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let seen = pages.iter().filter_map(|page| Some((page.identity.page, page.copies?)));
    findings.extend(seen.flat_map(|(number, copies)| blacked_out(number, copies)));
    let has_places = |number: u32| form.page(number).is_some_and(|page| !page.copy_areas().is_empty());
    let for_copies = pages.iter().filter(|page| page.registered && has_places(page.identity.page));
    let searched: Vec<&CopiesSeen> = for_copies.filter_map(|page| page.copies).collect();
    if !searched.is_empty() {
        let kinds = searched.iter().flat_map(|copies| copies.kinds.iter().copied());
        findings.extend(proofs(&kinds.collect::<Vec<_>>()));
        let identities = searched.iter().filter_map(|copies| copies.identity);
        findings.extend(identities.flat_map(|identity| of_identity(identity, applied_on)));
    }
    findings
}

/// Findings about what was blacked out on a page. Where a person has looked at it, nobody need look at the
/// paper any more, unless all of the page is black.
pub(crate) fn blacked_out(number: u32, copies: &CopiesSeen) -> Vec<Finding> {
    let mut findings = Vec::new();
    if copies.removed > 0 {
        findings.push(Finding::new(
            FindingCode::SensitiveNumberRemoved,
            Severity::Info,
            format!(
                "page {number}: {} places with a number that must not be kept were blacked out",
                copies.removed
            ),
            format!(
                "{number}ページ目の写しに保管してはならない番号があり、{}か所を黒塗りしました。原本も塗りつぶしてください",
                copies.removed
            ),
        ));
    }
    let count = copies.doubtful + copies.hidden;
    let (severity, message, ja) = match copies.by_hand {
        _ if count == 0 => return of_d20(findings),
        None => (
            Severity::Warning,
            format!(
                "page {number}: {count} places were blacked out, because they could not be read; look at the paper"
            ),
            format!(
                "{number}ページ目の写しに判読できない箇所があり、{count}か所を黒塗りしました。原本を確認してください"
            ),
        ),
        Some(MaskedByHand { whole: true, .. }) => (
            Severity::Warning,
            format!("page {number}: a person blacked out all of it; look at the paper"),
            format!("{number}ページ目は担当者が全面を黒塗りしました。原本を確認してください"),
        ),
        Some(MaskedByHand { places, .. }) => (
            Severity::Info,
            format!(
                "page {number}: a person looked at what could not be read, and left {places} places black"
            ),
            format!("{number}ページ目の写しの判読できない箇所は担当者が確認しました（黒塗りは{places}か所）"),
        ),
    };
    findings.push(Finding::new(FindingCode::CopyBlackedOut, severity, message, ja));
    of_d20(findings)
}

fn of_d20(findings: Vec<Finding>) -> Vec<Finding> {
    findings.into_iter().map(|finding| finding.of_defect(Defect::D20)).collect()
}

/// What is wrong with a proof of identity.
fn of_identity(
    IdentityCopy { valid_until, is_heads }: IdentityCopy,
    applied_on: Option<NaiveDate>,
) -> Vec<Finding> {
    let found = |code, message: String, ja: String| {
        Finding::new(code, Severity::Warning, message, ja).of_defect(Defect::D09)
    };
    let expired = valid_until.zip(applied_on).filter(|(last, applied)| last < applied).map(|(last, _)| {
        found(
            FindingCode::IdentityCopyExpired,
            format!("the proof of identity was valid until {last}, before the date of application"),
            format!("本人確認書類の有効期限({last})が申請日より前です"),
        )
    });
    let differs = (is_heads == Some(false)).then(|| {
        found(
            FindingCode::IdentityCopyDiffers,
            "the proof of identity names somebody else than the head of the household".to_owned(),
            "本人確認書類の氏名が世帯主と異なります".to_owned(),
        )
    });
    expired.into_iter().chain(differs).collect()
}

/// What is missing of the two proofs that an application needs, by what was copied.
fn proofs(kinds: &[Option<CopyKind>]) -> Vec<Finding> {
    let mut untold = kinds.iter().filter(|kind| kind.is_none()).count();
    let mut findings = Vec::new();
    let mut miss = |is_there: bool, [unreadable, missing]: [Finding; 2]| {
        if is_there {
            return;
        }
        findings.push(if untold > 0 { unreadable } else { missing });
        untold = untold.saturating_sub(1);
    };
    let warning = |code, defect, message: &str, ja: &str| {
        Finding::new(code, Severity::Warning, message, ja).of_defect(defect)
    };
    miss(
        kinds.iter().flatten().any(|kind| kind.is_of_identity()),
        [
            warning(
                FindingCode::IdentityCopyUnreadable,
                Defect::D09,
                "the copy of the proof of identity cannot be told from others",
                "本人確認書類の写しを判別できません",
            ),
            warning(
                FindingCode::IdentityCopyMissing,
                Defect::D08,
                "there is no copy of a proof of identity",
                "本人確認書類の写しがありません",
            ),
        ],
    );
    miss(
        kinds.iter().flatten().any(|kind| kind.is_of_account()),
        [
            warning(
                FindingCode::AccountCopyUnreadable,
                Defect::D10,
                "the copy of passbook or card cannot be told from others",
                "通帳又はキャッシュカードの写しを判別できません",
            ),
            warning(
                FindingCode::AccountCopyMissing,
                Defect::D10,
                "there is no copy of a passbook or card",
                "通帳又はキャッシュカードの写しがありません",
            ),
        ],
    );
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(kinds: &[Option<CopyKind>]) -> Vec<FindingCode> {
        proofs(kinds).into_iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn what_is_missing_and_what_cannot_be_told_are_two_things() {
        use CopyKind::{Licence, NumberCardBack, Passbook};
        use FindingCode::{
            AccountCopyMissing, AccountCopyUnreadable, IdentityCopyMissing, IdentityCopyUnreadable,
        };
        for (kinds, expected) in [
            (&[Some(Licence), Some(Passbook)][..], &[][..]),
            (&[Some(Passbook)], &[IdentityCopyMissing]),
            (&[Some(NumberCardBack), Some(Passbook)], &[IdentityCopyMissing]),
            (&[None, Some(Passbook)], &[IdentityCopyUnreadable]),
            (&[Some(Licence), None], &[AccountCopyUnreadable]),
            (&[Some(Licence)], &[AccountCopyMissing]),
            (&[None], &[IdentityCopyUnreadable, AccountCopyMissing]),
            (&[], &[IdentityCopyMissing, AccountCopyMissing]),
        ] {
            assert_eq!(codes(kinds), expected, "{kinds:?}");
        }
    }

    #[test]
    fn a_proof_that_had_expired_or_is_anothers_is_told() {
        use FindingCode::{IdentityCopyDiffers, IdentityCopyExpired};
        let day = |text: &str| text.parse::<NaiveDate>().ok();
        for (valid_until, is_heads, applied_on, expected) in [
            (day("2020-06-01"), Some(true), day("2020-06-01"), &[][..]),
            (day("2020-05-31"), Some(true), day("2020-06-01"), &[IdentityCopyExpired]),
            (day("2020-05-31"), None, None, &[]),
            (None, Some(false), day("2020-06-01"), &[IdentityCopyDiffers]),
            (day("2019-01-01"), Some(false), day("2020-06-01"), &[IdentityCopyExpired, IdentityCopyDiffers]),
            (None, None, None, &[]),
        ] {
            let findings = of_identity(IdentityCopy { valid_until, is_heads }, applied_on);
            assert_eq!(findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), expected);
        }
    }
}
