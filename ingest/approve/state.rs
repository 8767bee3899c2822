//! The state of an application, as it follows from what has happened; and the sentence that the
//! applicant is told.

use serde::{Deserialize, Serialize};

use super::StopReason;

/// What has happened to an application, as far as it bears on its state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// A form of it was read.
    pub captured: bool,
    /// A person has decided something of it.
    pub reviewed: bool,
    /// It may be paid as it stands.
    pub approved: bool,
    /// The applicant was written to, and no form has come since.
    pub letter_sent: bool,
    /// In force.
    pub stops: Vec<StopReason>,
    /// Of the household's newest payment.
    pub payment: Option<PaymentState>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentState {
    /// A maker has put it into a transfer.
    Proposed,
    /// A checker has agreed: the bank is asked.
    Requested,
    /// The same, so long ago that the bank would have sent it back.
    Paid,
    Returned,
    /// Its transfer was withdrawn before the bank was asked.
    Dropped,
}

impl PaymentState {
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "proposed" => Some(Self::Proposed),
            "requested" => Some(Self::Requested),
            "paid" => Some(Self::Paid),
            "returned" => Some(Self::Returned),
            "dropped" => Some(Self::Dropped),
            _ => None,
        }
    }
}

/// For staff and for the municipality.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// No form has come.
    Awaited,
    /// Read, and nobody has looked yet.
    Captured,
    /// People are at it.
    UnderReview,
    /// It will be paid with the next transfer.
    Approved,
    /// A maker has put it into a transfer that no checker has agreed to.
    Proposed,
    /// The bank was asked to pay.
    Requested,
    /// It was asked, and has sent nothing back for as long as the operator waits.
    Paid,
    /// The bank could not pay; the account must be mended.
    Returned,
    /// The applicant was asked to mend something, and has not answered.
    LetterSent,
    /// Something must be cleared up before it is paid.
    Held,
    Declined,
    Withdrawn,
    Deceased,
    PaidElsewhere,
}

impl State {
    pub const ALL: [Self; 14] = [
        Self::Awaited,
        Self::Captured,
        Self::UnderReview,
        Self::Approved,
        Self::Proposed,
        Self::Requested,
        Self::Paid,
        Self::Returned,
        Self::LetterSent,
        Self::Held,
        Self::Declined,
        Self::Withdrawn,
        Self::Deceased,
        Self::PaidElsewhere,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Awaited => "awaited",
            Self::Captured => "captured",
            Self::UnderReview => "under_review",
            Self::Approved => "approved",
            Self::Proposed => "proposed",
            Self::Requested => "requested",
            Self::Paid => "paid",
            Self::Returned => "returned",
            Self::LetterSent => "letter_sent",
            Self::Held => "held",
            Self::Declined => "declined",
            Self::Withdrawn => "withdrawn",
            Self::Deceased => "deceased",
            Self::PaidElsewhere => "paid_elsewhere",
        }
    }

    /// What anybody who knows the number is told: whether somebody died is nobody's business, and whether
    /// they did not want the money only where the municipality has it told.
    pub fn public(self, further: &[Further]) -> PublicState {
        match self {
            Self::Awaited => PublicState::Awaited,
            Self::Captured => PublicState::Waiting,
            Self::Paid if further.contains(&Further::Paid) => PublicState::Paid,
            Self::Requested | Self::Paid => PublicState::Requested,
            Self::LetterSent if further.contains(&Further::LetterSent) => PublicState::LetterSent,
            Self::Declined if further.contains(&Further::Declined) => PublicState::Declined,
            Self::UnderReview
            | Self::Approved
            | Self::Proposed
            | Self::Returned
            | Self::LetterSent
            | Self::Held
            | Self::Declined
            | Self::Withdrawn
            | Self::Deceased
            | Self::PaidElsewhere => PublicState::UnderReview,
        }
    }
}

/// What is told beside the four sentences, where the municipality wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Further {
    LetterSent,
    Paid,
    Declined,
}

/// The sentences of the public page: four, and those of [`Further`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PublicState {
    Awaited,
    Waiting,
    UnderReview,
    Requested,
    LetterSent,
    Paid,
    Declined,
}

impl PublicState {
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Awaited => "申請書の到着待ちです",
            Self::Waiting => "審査待ちです",
            Self::UnderReview => "審査中です",
            Self::Requested => "振込の依頼済です",
            Self::LetterSent => "不備があります（書類をお送りしています）",
            Self::Paid => "振込済です",
            Self::Declined => "辞退です",
        }
    }
}

/// The one state that follows. What was asked of the bank stands before everything that came later; a
/// household that is not to be paid at all before what is only held.
pub fn state(facts: &Facts) -> State {
    match facts.payment {
        Some(PaymentState::Requested) => return State::Requested,
        Some(PaymentState::Paid) => return State::Paid,
        _ => {}
    }
    for (reason, state) in [
        (StopReason::Deceased, State::Deceased),
        (StopReason::Withdrawn, State::Withdrawn),
        (StopReason::Declined, State::Declined),
        (StopReason::PaidElsewhere, State::PaidElsewhere),
    ] {
        if facts.stops.contains(&reason) {
            return state;
        }
    }
    match facts {
        facts if !facts.stops.is_empty() => State::Held,
        Facts { payment: Some(PaymentState::Proposed), .. } => State::Proposed,
        Facts { approved: true, .. } => State::Approved,
        Facts { letter_sent: true, .. } => State::LetterSent,
        Facts { payment: Some(PaymentState::Returned), .. } => State::Returned,
        Facts { reviewed: true, .. } => State::UnderReview,
        Facts { captured: true, .. } => State::Captured,
        _ => State::Awaited,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_facts() -> Vec<Facts> {
        let payments = [
            None,
            Some(PaymentState::Proposed),
            Some(PaymentState::Requested),
            Some(PaymentState::Paid),
            Some(PaymentState::Returned),
            Some(PaymentState::Dropped),
        ];
        let mut all = Vec::new();
        for bits in 0..16 {
            for payment in payments {
                for stops in 0..1 << StopReason::ALL.len() {
                    all.push(Facts {
                        captured: bits & 1 != 0,
                        reviewed: bits & 2 != 0,
                        approved: bits & 4 != 0,
                        letter_sent: bits & 8 != 0,
                        stops: StopReason::ALL
                            .into_iter()
                            .enumerate()
                            .filter(|(place, _)| stops >> place & 1 == 1)
                            .map(|(_, reason)| reason)
                            .collect(),
                        payment,
                    });
                }
            }
        }
        all
    }

    #[test]
    fn every_combination_has_a_state_and_every_state_is_reached() {
        let reached: std::collections::BTreeSet<State> = all_facts().iter().map(state).collect();
        assert_eq!(reached, State::ALL.into_iter().collect());
    }

    #[test]
    fn the_bank_was_asked_is_told_when_and_only_when_it_was() {
        for facts in all_facts() {
            let requested = facts.payment == Some(PaymentState::Requested);
            assert_eq!(state(&facts) == State::Requested, requested, "{facts:?}");
            let paid = facts.payment == Some(PaymentState::Paid);
            assert_eq!(state(&facts) == State::Paid, paid, "{facts:?}");
            let told = state(&facts).public(&[]);
            assert_eq!(told == PublicState::Requested, requested || paid, "{facts:?}");
        }
    }

    #[test]
    fn further_sentences_are_told_where_they_are_wanted_only() {
        let four =
            [PublicState::Awaited, PublicState::Waiting, PublicState::UnderReview, PublicState::Requested];
        assert!(State::ALL.iter().all(|state| four.contains(&state.public(&[]))));
        let all = [Further::LetterSent, Further::Paid, Further::Declined];
        for (state, told) in [
            (State::LetterSent, PublicState::LetterSent),
            (State::Paid, PublicState::Paid),
            (State::Declined, PublicState::Declined),
        ] {
            assert_eq!(state.public(&all), told);
        }
        for state in [State::Deceased, State::Withdrawn, State::PaidElsewhere, State::Held, State::Returned] {
            assert_eq!(state.public(&all), PublicState::UnderReview);
        }
    }

    #[test]
    fn what_is_stopped_is_never_about_to_be_paid() {
        for facts in all_facts().iter().filter(|facts| !facts.stops.is_empty()) {
            assert!(!matches!(state(facts), State::Approved | State::Proposed), "{facts:?}");
        }
    }

    #[test]
    fn an_application_goes_through_its_states() {
        let mut facts = Facts::default();
        let mut told = vec![state(&facts).public(&[]).sentence()];
        facts.captured = true;
        told.push(state(&facts).public(&[]).sentence());
        facts.reviewed = true;
        told.push(state(&facts).public(&[]).sentence());
        facts.approved = true;
        assert_eq!(state(&facts), State::Approved);
        facts.payment = Some(PaymentState::Requested);
        told.push(state(&facts).public(&[]).sentence());
        assert_eq!(told, ["申請書の到着待ちです", "審査待ちです", "審査中です", "振込の依頼済です"]);
        facts = Facts { approved: false, payment: Some(PaymentState::Returned), ..facts };
        assert_eq!(state(&facts), State::Returned);
    }
}
