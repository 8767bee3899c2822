//! The pages of a capture: whether they are all there, and how surely they belong together.

use super::{CheckedPage, Defect, Finding, FindingCode, Severity};
use crate::application_id::ApplicationId;
use crate::form::Form;
use crate::identify::Issue;

pub(super) fn pages(form: &Form, pages: &[CheckedPage<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    // What is taken over from earlier captures is older than the form that came.
    let issue = pages.iter().filter_map(|page| page.identity.issue).max();
    if let Some(letter) = issue.and_then(Issue::letter) {
        findings.push(Finding::new(
            FindingCode::SentAgain,
            Severity::Info,
            format!("the form that went with letter {letter} has come"),
            format!("不備通知(第{letter}回)に同封した再提出用の申請書です"),
        ));
    }
    for page in &form.pages {
        let number = page.number;
        if !pages.iter().any(|checked| checked.identity.page == number) {
            let finding = Finding::new(
                FindingCode::MissingPage,
                Severity::Warning,
                format!("page {number} of the form is missing"),
                format!("申請書の{number}ページ目がありません"),
            );
            // A page without fields is the one that the copies are put on.
            let defect = if page.fields.is_empty() { Defect::D10 } else { Defect::D19 };
            findings.push(finding.of_defect(defect));
        }
    }
    for page in pages {
        let number = page.identity.page;
        if !page.registered {
            let finding = Finding::new(
                FindingCode::NotRegistered,
                Severity::Warning,
                format!("page {number} was not read: its marks are not where the form has them"),
                format!("{number}ページ目は位置合わせができず、読み取っていません"),
            );
            findings.push(finding.of_defect(Defect::D19));
        }
        // Of one that a person assigned that is told instead.
        if page.identity.carried_by.is_empty() {
            continue;
        }
        if page.identity.carried_by.len() < 2 {
            findings.push(Finding::new(
                FindingCode::SingleSymbol,
                Severity::Info,
                format!("only one symbol of page {number} was legible"),
                format!("{number}ページ目のコードは一方しか読めませんでした"),
            ));
        }
        if !page.identity.confirmed {
            findings.push(Finding::new(
                FindingCode::Unconfirmed,
                Severity::Info,
                format!("no second decoder read a symbol of page {number}"),
                format!("{number}ページ目のコードは一つの方式でしか読めませんでした"),
            ));
        }
    }
    findings
}

/// What is told of a page whose ID a person typed.
pub fn assigned_by_hand(page: u32) -> Finding {
    Finding::new(
        FindingCode::AssignedByHand,
        Severity::Info,
        format!("page {page} was assigned by a person: none of its symbols was legible"),
        format!("{page}ページ目は、担当者が申請番号を入力して割り当てました"),
    )
}

/// What is told of a page that was not sent again, and comes from an earlier capture.
pub fn taken_over(page: u32) -> Finding {
    Finding::new(
        FindingCode::TakenOver,
        Severity::Info,
        format!("page {page} was not sent again: it is the one that had come before"),
        format!("{page}ページ目は再提出されていないため、先に届いたものを用いています"),
    )
}

/// What is told of a page whose facing side carries another application.
pub fn sides_disagree(page: u32, other: ApplicationId) -> Finding {
    Finding::new(
        FindingCode::SheetSidesDisagree,
        Severity::Error,
        format!("page {page} was scanned next to a page of application {other}"),
        format!("{page}ページ目の裏に別の申請({other})のページがあります"),
    )
}
