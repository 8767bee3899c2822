//! The administrator's page: who has an account, and with which role.

use axum::extract::State;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AccountName, Desk, DeskError, Password, PasswordHash, Role};
use crate::store::accounts::{self, Change};
use crate::store::sessions::Visitor;

#[derive(Serialize, JsonSchema)]
pub(super) struct Accounts {
    accounts: Vec<AccountView>,
    roles: Vec<&'static str>,
}

#[derive(Serialize, JsonSchema)]
struct AccountView {
    name: String,
    role: &'static str,
    active: bool,
}

pub(super) async fn list(State(desk): State<Desk>) -> Result<Json<Accounts>, DeskError> {
    let accounts = accounts::list(&desk.database).await?;
    let view = |account: accounts::Account| AccountView {
        name: account.name.to_string(),
        role: account.role.name(),
        active: account.active,
    };
    let roles = Role::ALL.map(Role::name).to_vec();
    Ok(Json(Accounts { accounts: accounts.into_iter().map(view).collect(), roles }))
}

/// An account that is to be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAccount {
    name: String,
    role: String,
    password: String,
}

pub(super) async fn add(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Json(new): Json<NewAccount>,
) -> Result<Json<serde_json::Value>, DeskError> {
    let (name, role) = (name(&new.name)?, role(&new.role)?);
    let hash = hash(&desk, new.password).await?;
    match accounts::add(&desk.database, visitor.account.as_str(), &name, role, &hash).await? {
        true => Ok(Json(serde_json::json!({}))),
        false => Err(DeskError::Refused("there is an account of that name")),
    }
}

/// What is to be different; what is not named stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Changed {
    name: String,
    role: Option<String>,
    active: Option<bool>,
    password: Option<String>,
}

pub(super) async fn change(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Json(changed): Json<Changed>,
) -> Result<Json<serde_json::Value>, DeskError> {
    let name = name(&changed.name)?;
    if name == visitor.account {
        return Err(DeskError::Refused("nobody changes their own account here; use the command line"));
    }
    let password = match changed.password {
        Some(password) => Some(hash(&desk, password).await?),
        None => None,
    };
    let role = changed.role.as_deref().map(role).transpose()?;
    let change = Change { role, active: changed.active, password };
    match accounts::change(&desk.database, visitor.account.as_str(), &name, &change).await? {
        true => Ok(Json(serde_json::json!({}))),
        false => Err(DeskError::NotFound),
    }
}

fn name(text: &str) -> Result<AccountName, DeskError> {
    text.parse().map_err(|_| DeskError::Refused("a name has a-z, 0-9, '.', '_' and '-'"))
}

fn role(text: &str) -> Result<Role, DeskError> {
    text.parse().map_err(|_| DeskError::Refused("there is no such role"))
}

async fn hash(desk: &Desk, password: String) -> Result<PasswordHash, DeskError> {
    let password =
        Password::chosen(password).map_err(|_| DeskError::Refused("a password has 10 to 200 characters"))?;
    let _turn = desk.hashing.acquire().await.map_err(|_| DeskError::Inside("the desk is closing"))?;
    tokio::task::spawn_blocking(move || PasswordHash::of(&password))
        .await
        .map_err(|_| DeskError::Inside("a password could not be hashed"))?
        .map_err(|_| DeskError::Inside("a password could not be hashed"))
}
