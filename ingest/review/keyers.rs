//! How well people key and decide, measured by fields whose answer is known and by QA's second looks: for the
//! supervisor alone, who helps them with it. Nobody is ranked.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Desk, DeskError};
use crate::review::AccountName;
use crate::score::at_any_time;
use crate::store::{known_answers, qa};

/// By name.
#[derive(Serialize, JsonSchema)]
pub(super) struct Keyers {
    keyers: Vec<Keyer>,
}

#[derive(Serialize, JsonSchema)]
struct Keyer {
    account: String,
    /// Keyed, and the answer was known.
    known: Count,
    /// Decided, alone or with another, and looked at a second time.
    decided: Count,
}

#[derive(Clone, Copy, Default, Serialize, JsonSchema)]
struct Count {
    fields: u64,
    wrong: u64,
    /// The rate of errors that is not ruled out, with 95 % at all times of looking together; none where there are
    /// too few to say anything of a person.
    bounds: Option<(f64, f64)>,
}

/// Before so many, a rate would say more of chance than of the person.
const FEWEST: u64 = 20;

impl Count {
    fn of(fields: u64, wrong: u64) -> Self {
        Self { fields, wrong, bounds: (fields >= FEWEST).then(|| at_any_time(wrong, fields, 0.05)) }
    }
}

pub(super) async fn list(State(desk): State<Desk>) -> Result<Json<Keyers>, DeskError> {
    let mut people: BTreeMap<AccountName, (Count, Count)> = BTreeMap::new();
    for person in known_answers::measured(&desk.database).await? {
        people.entry(person.account).or_default().0 = Count::of(person.answered, person.wrong);
    }
    for person in qa::judged_people(&desk.database).await? {
        people.entry(person.account).or_default().1 = Count::of(person.judged, person.wrong);
    }
    let keyer = |(account, (known, decided)): (AccountName, _)| Keyer {
        account: account.to_string(),
        known,
        decided,
    };
    Ok(Json(Keyers { keyers: people.into_iter().map(keyer).collect() }))
}
