//! How well people key, measured by fields whose answer is known: for the supervisor alone, who helps them
//! with it. Nobody is ranked.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Desk, DeskError};
use crate::score::at_any_time;
use crate::store::known_answers::{self, Measured};

/// By name.
#[derive(Serialize, JsonSchema)]
pub(super) struct Keyers {
    keyers: Vec<Keyer>,
}

#[derive(Serialize, JsonSchema)]
struct Keyer {
    account: String,
    answered: u64,
    wrong: u64,
    /// The rate of errors that is not ruled out, with 95 % at all times of looking together; none where too few
    /// were answered to say anything of a person.
    bounds: Option<(f64, f64)>,
}

/// Before so many, a rate would say more of chance than of the person.
const LEAST_ANSWERED: u64 = 20;

pub(super) async fn list(State(desk): State<Desk>) -> Result<Json<Keyers>, DeskError> {
    let keyer = |Measured { account, answered, wrong }: Measured| Keyer {
        account: account.to_string(),
        answered,
        wrong,
        bounds: (answered >= LEAST_ANSWERED).then(|| at_any_time(wrong, answered, 0.05)),
    };
    let measured = known_answers::measured(&desk.database).await?;
    Ok(Json(Keyers { keyers: measured.into_iter().map(keyer).collect() }))
}
