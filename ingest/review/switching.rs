//! Switching rules of ISO 2859-1:1999, clauses 9.3 and 9.4: how strictly the next lot of a station is inspected
//! follows from the verdicts on those before it. Reduced inspection, which the standard leaves to the responsible
//! authority, is none of ours: nobody looks less than the plan for normal inspection says.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::Serialize;

/// Normal inspection is of table 2-A, tightened inspection of table 2-B.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Normal,
    Tightened,
}

impl Severity {
    pub const ALL: [Self; 2] = [Self::Normal, Self::Tightened];

    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Tightened => "tightened",
        }
    }
}

/// A lot that was accepted or rejected by its sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JudgedLot {
    pub severity: Severity,
    pub accepted: bool,
}

/// How the next lot of a station is inspected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inspection {
    pub severity: Severity,
    /// Clause 9.4: tightened inspection rejects so much that sampling is no protection any more. The station should
    /// be seen to before anything more is taken from it.
    pub is_discontinued: bool,
}

/// Clause 9.3.1: so many of so many consecutive lots, or fewer, rejected lead to tightened inspection.
const REJECTED: usize = 2;
const OF_CONSECUTIVE: usize = 5;

/// Clause 9.3.2: so many accepted in a row lead back.
const ACCEPTED_IN_A_ROW: u32 = 5;

/// Clause 9.4: so many rejected since tightened inspection began.
const DISCONTINUED_AT: u32 = 5;

impl Inspection {
    /// `history`: all lots of the station in the order of their verdicts, so that one that comes late changes nothing
    /// that followed from those before it.
    pub fn after(history: &[JudgedLot]) -> Self {
        match history.iter().fold(State::new(), State::next) {
            State::Normal { .. } => Self { severity: Severity::Normal, is_discontinued: false },
            State::Tightened { rejected, .. } => {
                Self { severity: Severity::Tightened, is_discontinued: rejected >= DISCONTINUED_AT }
            }
        }
    }
}

/// What of a history the next verdict adds to.
enum State {
    /// Whether each of the latest lots was accepted.
    Normal { latest: VecDeque<bool> },
    /// Counted since tightened inspection began.
    Tightened { accepted_in_a_row: u32, rejected: u32 },
}

impl State {
    fn new() -> Self {
        Self::Normal { latest: VecDeque::new() }
    }

    fn next(self, lot: &JudgedLot) -> Self {
        match self {
            Self::Normal { mut latest } => {
                latest.push_front(lot.accepted);
                latest.truncate(OF_CONSECUTIVE);
                if latest.iter().filter(|&&accepted| !accepted).count() < REJECTED {
                    Self::Normal { latest }
                } else {
                    Self::Tightened { accepted_in_a_row: 0, rejected: 0 }
                }
            }
            // It was formed before the switch: it says nothing of tightened inspection.
            tightened if lot.severity == Severity::Normal => tightened,
            Self::Tightened { rejected, .. } if !lot.accepted => {
                Self::Tightened { accepted_in_a_row: 0, rejected: rejected + 1 }
            }
            Self::Tightened { accepted_in_a_row, .. } if accepted_in_a_row + 1 == ACCEPTED_IN_A_ROW => {
                Self::new()
            }
            Self::Tightened { accepted_in_a_row, rejected } => {
                Self::Tightened { accepted_in_a_row: accepted_in_a_row + 1, rejected }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NORMAL: Inspection = Inspection { severity: Severity::Normal, is_discontinued: false };
    const TIGHTENED: Inspection = Inspection { severity: Severity::Tightened, is_discontinued: false };
    const DISCONTINUED: Inspection = Inspection { severity: Severity::Tightened, is_discontinued: true };

    /// A station whose lots were each inspected as the rules say; `+` was accepted, `-` rejected.
    fn station(verdicts: impl IntoIterator<Item = bool>) -> Vec<JudgedLot> {
        verdicts.into_iter().fold(Vec::new(), |mut lots, accepted| {
            lots.push(JudgedLot { severity: Inspection::after(&lots).severity, accepted });
            lots
        })
    }

    fn after(verdicts: &str) -> Inspection {
        Inspection::after(&station(verdicts.chars().map(|verdict| verdict == '+')))
    }

    #[test]
    fn two_rejected_of_five_or_fewer_tighten() {
        assert_eq!(after(""), NORMAL);
        assert_eq!(after("-"), NORMAL);
        assert_eq!(after("--"), TIGHTENED);
        assert_eq!(after("+-+++-"), TIGHTENED, "the first and the last of five");
        assert_eq!(after("-++++-"), NORMAL, "two of six");
        assert_eq!(after("-++++-++++-"), NORMAL);
        assert_eq!(after("-++++-+-"), TIGHTENED);
    }

    #[test]
    fn five_accepted_in_a_row_lead_back_to_a_new_beginning() {
        assert_eq!(after("--++++"), TIGHTENED);
        assert_eq!(after("--+++++"), NORMAL);
        assert_eq!(after("--++++-++++"), TIGHTENED, "in a row");
        assert_eq!(after("--+++++-"), NORMAL, "what led to tightened inspection is past");
        assert_eq!(after("--+++++-+-"), TIGHTENED);
    }

    #[test]
    fn the_fifth_rejected_under_tightened_inspection_discontinues_until_five_are_accepted() {
        assert_eq!(after("------"), TIGHTENED, "the first two were inspected as normal");
        assert_eq!(after("-------"), DISCONTINUED);
        assert_eq!(after("---++-++++-+--"), DISCONTINUED, "not in a row");
        assert_eq!(after("-------++++"), DISCONTINUED);
        assert_eq!(after("-------+++++"), NORMAL);
        assert_eq!(after("-------+++++--"), TIGHTENED, "counted anew");
    }

    #[test]
    fn what_was_formed_before_the_switch_counts_for_nothing_after_it() {
        let lots = |severity, accepted, count| std::iter::repeat_n(JudgedLot { severity, accepted }, count);
        let before = station([false, false]);
        for accepted in [true, false] {
            let late: Vec<_> = before.iter().copied().chain(lots(Severity::Normal, accepted, 5)).collect();
            assert_eq!(Inspection::after(&late), TIGHTENED);
        }
        // Under normal inspection a lot counts, however it was inspected.
        let late: Vec<_> = lots(Severity::Tightened, false, 2).collect();
        assert_eq!(Inspection::after(&late), TIGHTENED);
    }

    fn rejected(lots: &[JudgedLot]) -> usize {
        lots.iter().filter(|lot| !lot.accepted).count()
    }

    /// The last lots, as long as they were inspected so.
    fn run(lots: &[JudgedLot], severity: Severity) -> &[JudgedLot] {
        let begin = lots.iter().rposition(|lot| lot.severity != severity).map_or(0, |other| other + 1);
        &lots[begin..]
    }

    proptest! {
        #[test]
        fn the_rules_hold_at_every_lot(verdicts in proptest::collection::vec(any::<bool>(), 0..60)) {
            let all = station(verdicts);
            for end in 1..=all.len() {
                let (lots, now) = (&all[..end], Inspection::after(&all[..end]));
                let normal = run(lots, Severity::Normal);
                let tightened = run(lots, Severity::Tightened);
                let last_five = |run: &[JudgedLot]| run[run.len().saturating_sub(5)..].to_vec();
                let expected = if tightened.is_empty() {
                    rejected(&last_five(normal)) >= 2
                } else {
                    tightened.len() < 5 || rejected(&last_five(tightened)) > 0
                };
                prop_assert_eq!(now.severity == Severity::Tightened, expected);
                prop_assert_eq!(now.is_discontinued, expected && rejected(tightened) >= 5);
            }
        }
    }
}
