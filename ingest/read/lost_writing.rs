//! Pages on which a scan lost what was written: thin ink in black and white leaves dots or nothing.
//! No reading of such a page can be relied on, least of all that a field is blank.

use super::comb::Comb;
use super::{FieldReading, InkState};
use crate::form::{Field, FieldKind};

/// So many bits of ink in the empty boxes of one comb are what is left of writing. Dust on pages whose
/// writing is whole made 11 at the most (calibrating hands, batches 3, 4 and 7).
const LEFT_OVER: usize = 20;

/// Whoever sends a form back writes in more fields by hand than this: the date, the name, a telephone
/// number. Of a form with few such fields that says nothing.
const TOO_FEW: usize = 1;
const MANY_FIELDS: usize = 4;

/// Whether a scan may have lost writing of a page with these fields and their combs.
pub(super) fn is_likely<'a>(combs: &[Comb], readings: impl Iterator<Item = (&'a Field, InkState)>) -> bool {
    let left_over = |comb: &Comb| {
        let empty = comb.cells.iter().zip(&comb.specks).filter(|(cell, _)| cell.is_none());
        empty.map(|(_, specks)| specks).sum::<usize>() >= LEFT_OVER
    };
    let by_hand = readings.filter(|(field, _)| !field.printed && field.kind != FieldKind::Mark);
    let (mut fields, mut written) = (0, 0);
    for (_, state) in by_hand {
        fields += 1;
        written += usize::from(state != InkState::Blank);
    }
    combs.iter().any(left_over) || (fields >= MANY_FIELDS && written <= TOO_FEW)
}

/// A reading that says so much less: a person has to look.
pub(super) fn doubted(reading: &mut FieldReading) {
    reading.state = InkState::Ambiguous;
    reading.score = 0.0;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(kind: FieldKind, printed: bool) -> Field {
        Field { name: "phone".to_owned(), kind, printed, align: None, cells: Vec::new(), options: Vec::new() }
    }

    fn comb(specks: &[usize]) -> Comb {
        Comb { cells: specks.iter().map(|_| None).collect(), specks: specks.to_vec() }
    }

    fn is_likely_with(combs: &[Comb], written: usize) -> bool {
        let fields: Vec<Field> = (0..4).map(|_| field(FieldKind::Digits, false)).collect();
        let printed = [field(FieldKind::Text, true), field(FieldKind::Mark, false)];
        let state = |place: usize| if place < written { InkState::Written } else { InkState::Blank };
        let by_hand = fields.iter().enumerate().map(|(place, field)| (field, state(place)));
        let beside = printed.iter().map(|field| (field, InkState::Written));
        is_likely(combs, by_hand.chain(beside))
    }

    #[test]
    fn dots_where_digits_were_and_a_page_without_writing_are_doubted() {
        assert!(!is_likely_with(&[comb(&[0, 0, 1]), comb(&[4, 7, 0])], 3), "dust");
        assert!(is_likely_with(&[comb(&[0; 4]), comb(&[9, 8, 12])], 3), "dots");
        assert!(
            is_likely_with(&[], 1) && !is_likely_with(&[], 2),
            "what is printed or marked is not writing"
        );
    }

    #[test]
    fn a_form_that_asks_for_little_is_not_doubted() {
        let fields = [field(FieldKind::Text, true), field(FieldKind::Digits, false)];
        assert!(!is_likely(&[], fields.iter().map(|field| (field, InkState::Blank))));
    }
}
