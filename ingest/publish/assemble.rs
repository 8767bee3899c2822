//! Pages of one scan to captures: by application ID and page number, never by position.

use crate::application_id::ApplicationId;
use crate::identify::{Identity, Issue};

/// Pages of one scan that belong to one capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub application_id: ApplicationId,
    pub form: String,
    pub version: String,
    /// None where no page says so.
    pub issue: Option<Issue>,
    /// Form page number and index of the page in its scan, in the order of the scan.
    pub pages: Vec<(u32, u32)>,
}

impl Group {
    pub fn has_page(&self, number: u32) -> bool {
        self.pages.iter().any(|&(page, _)| page == number)
    }

    /// Whether a page of another scan is one of the same form, as it was mailed that time, that is not here.
    pub fn lacks(&self, other: &Identity) -> bool {
        self.form == other.form
            && self.version == other.version
            && self.issue.zip(other.issue).is_none_or(|(own, other)| own == other)
            && !self.has_page(other.page)
    }
}

/// Groups the identified pages of a scan. A page number that comes a second time for an
/// application begins another capture of it, and so does a page of another issue.
pub fn group_pages<'a>(pages: impl IntoIterator<Item = (u32, &'a Identity)>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (index, identity) in pages {
        let open = groups
            .iter_mut()
            .find(|group| group.application_id == identity.application_id && group.lacks(identity));
        match open {
            Some(group) => {
                group.issue = group.issue.or(identity.issue);
                group.pages.push((identity.page, index));
            }
            None => groups.push(Group {
                application_id: identity.application_id,
                form: identity.form.clone(),
                version: identity.version.clone(),
                issue: identity.issue,
                pages: vec![(identity.page, index)],
            }),
        }
    }
    groups
}

/// The application on the facing side of the page at `index`, where the two sides disagree: the
/// pages follow each other in the scan, and each one's capture lacks the page that the other has.
pub fn facing_application(groups: &[Group], index: u32) -> Option<ApplicationId> {
    let at = |index: u32| {
        groups.iter().find_map(|group| {
            let &(page, _) = group.pages.iter().find(|&&(_, at)| at == index)?;
            Some((group, page))
        })
    };
    let (group, page) = at(index)?;
    let before = index.checked_sub(1).and_then(at).filter(|&(_, other)| other < page);
    let after = at(index + 1).filter(|&(_, other)| other > page);
    before
        .into_iter()
        .chain(after)
        .find(|(other, other_page)| {
            other.application_id != group.application_id
                && !group.has_page(*other_page)
                && !other.has_page(page)
        })
        .map(|(other, _)| other.application_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(serial: u64) -> ApplicationId {
        ApplicationId::from_serial(serial).expect("in range")
    }

    /// Groups a scan written as (application, form page), with indexes in that order.
    fn groups(scan: &[(u64, u32)]) -> Vec<Group> {
        issued(&scan.iter().map(|&(serial, page)| (serial, page, None)).collect::<Vec<_>>())
    }

    /// The same, with the number of the letter that the page's form went with, where its code was legible.
    fn issued(scan: &[(u64, u32, Option<u32>)]) -> Vec<Group> {
        let identities: Vec<Identity> = scan
            .iter()
            .map(|&(serial, page, letter)| Identity {
                issue: letter.map(Issue::of_letter),
                ..Identity::by_hand(id(serial), "f", "1", page)
            })
            .collect();
        group_pages((0..).zip(&identities))
    }

    fn pages(groups: &[Group]) -> Vec<(ApplicationId, &[(u32, u32)])> {
        groups.iter().map(|group| (group.application_id, &group.pages[..])).collect()
    }

    #[test]
    fn a_stack_is_parted_by_application_whatever_the_order() {
        assert_eq!(
            pages(&groups(&[(1, 2), (1, 1), (2, 1), (3, 1), (2, 2)])),
            [(id(1), &[(2, 0), (1, 1)][..]), (id(2), &[(1, 2), (2, 4)][..]), (id(3), &[(1, 3)][..]),]
        );
    }

    #[test]
    fn a_page_that_comes_twice_begins_another_capture() {
        assert_eq!(
            pages(&groups(&[(1, 1), (1, 2), (1, 1), (1, 2)])),
            [(id(1), &[(1, 0), (2, 1)][..]), (id(1), &[(1, 2), (2, 3)][..])]
        );
    }

    #[test]
    fn forms_that_were_mailed_at_different_times_are_different_captures() {
        let found = issued(&[(1, 1, Some(0)), (1, 2, Some(1)), (1, 1, Some(1)), (1, 2, Some(0))]);
        assert_eq!(pages(&found), [(id(1), &[(1, 0), (2, 3)][..]), (id(1), &[(2, 1), (1, 2)][..])]);
        // A page that does not say belongs to the one that lacks it, and is told of by the other.
        let found = issued(&[(1, 1, None), (1, 2, Some(1))]);
        assert_eq!(pages(&found), [(id(1), &[(1, 0), (2, 1)][..])]);
        assert_eq!(found[0].issue, Some(Issue::of_letter(1)));
    }

    #[test]
    fn sides_of_a_sheet_that_disagree_are_told_of_both() {
        let torn = groups(&[(1, 1), (2, 2), (3, 1), (3, 2)]);
        let facing: Vec<_> = (0..4).map(|index| facing_application(&torn, index)).collect();
        assert_eq!(facing, [Some(id(2)), Some(id(1)), None, None]);
    }

    #[test]
    fn neighbours_of_a_simplex_stack_do_not_disagree() {
        // Two applications that both lack their second page.
        let stack = groups(&[(1, 1), (2, 1)]);
        assert_eq!(facing_application(&stack, 0), None);
        // The second page of another application that has its first elsewhere in the scan.
        let shuffled = groups(&[(2, 1), (1, 1), (2, 2), (1, 2)]);
        assert!((0..4).all(|index| facing_application(&shuffled, index).is_none()));
    }
}
