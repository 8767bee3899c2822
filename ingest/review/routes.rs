//! The one table of what the desk answers, and whom. Tests walk it with every role.

use axum::http::Method;
use axum::routing::{MethodRouter, get, post};
use axum::{Router, middleware};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::{Desk, Role, Scope};
use super::{
    accounts, assets, board, escalation, group, guard, inquiry, keyers, login, lots, masking, oidc, openapi,
    picture, qa, reference, shell,
};
use super::{unassigned, work};

/// Who may have an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Anyone,
    LoggedIn,
    Only(&'static [Role]),
}

impl Access {
    /// Whether somebody with that role may, or nobody in particular.
    pub fn admits(self, role: Option<Role>) -> bool {
        match (self, role) {
            (Self::Anyone, _) => true,
            (Self::LoggedIn, role) => role.is_some(),
            (Self::Only(roles), role) => role.is_some_and(|role| roles.contains(&role)),
        }
    }
}

type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

pub struct Route {
    pub method: Method,
    pub path: &'static str,
    pub access: Access,
    pub summary: &'static str,
    /// Of machines that may have it, too.
    pub scopes: &'static [Scope],
    pub(super) input: Option<SchemaOf>,
    pub(super) output: Option<SchemaOf>,
    to: MethodRouter<Desk>,
}

impl Route {
    fn get(path: &'static str, access: Access, summary: &'static str, to: MethodRouter<Desk>) -> Self {
        Self { method: Method::GET, path, access, summary, scopes: &[], input: None, output: None, to }
    }

    fn post(path: &'static str, access: Access, summary: &'static str, to: MethodRouter<Desk>) -> Self {
        Self { method: Method::POST, path, access, summary, scopes: &[], input: None, output: None, to }
    }

    fn takes<T: JsonSchema>(self) -> Self {
        Self { input: Some(|generator| generator.subschema_for::<T>()), ..self }
    }

    fn machines(self, scopes: &'static [Scope]) -> Self {
        Self { scopes, ..self }
    }

    fn gives<T: JsonSchema>(self) -> Self {
        Self { output: Some(|generator| generator.subschema_for::<T>()), ..self }
    }
}

use Access::{Anyone, LoggedIn, Only};
use Role::{Administrator, Inquiry, Keyer, Masker, Municipality, Payment, Qa, Reviewer, Supervisor};

/// Those who work on fields.
const ON_FIELDS: Access = Only(&[Keyer, Reviewer]);
/// Those who hold tasks about fields or whole applications.
const ON_TASKS: Access = Only(&[Keyer, Reviewer, Municipality, Qa]);
/// Those who hold tasks of any kind.
const ON_ANY_TASKS: Access = Only(&[Keyer, Reviewer, Municipality, Qa, Masker]);
const ON_MASKS: Access = Only(&[Masker]);
/// Those who may see a whole page of a task that they hold.
const ON_PAGES: Access = Only(&[Reviewer, Municipality, Qa]);
/// Those who talk about escalations.
const ON_ESCALATIONS: Access = Only(&[Reviewer, Municipality]);
const ON_INQUIRIES: Access = Only(&[Inquiry, Reviewer, Supervisor, Municipality]);
const ON_RESCANS: Access = Only(&[Reviewer, Supervisor]);
const ON_BOARD: Access = Only(&[Supervisor, Qa, Payment]);
const ON_ACCOUNTS: Access = Only(&[Administrator]);

/// Everything that the desk answers.
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/static/{name}", Anyone, "Style and scripts", get(assets::asset)),
        Route::get("/texts/{language}", Anyone, "The words of a language", get(shell::texts)),
        Route::get("/login", Anyone, "The page to log in", get(shell::login)),
        Route::get("/login/oidc", Anyone, "Log in at the provider", get(oidc::begin)),
        Route::get(oidc::BACK, Anyone, "Back from the provider", get(oidc::back)),
        // The provider has no session here; its signature says who it is.
        Route::post(oidc::LOGGED_OUT, Anyone, "Logged out at the provider", post(oidc::logged_out)),
        Route::get("/", LoggedIn, "The first page of the role", get(shell::home)),
        // The first page that a role has is the one that it begins with.
        Route::get("/work", ON_FIELDS, "Verify, key, adjudicate", get(shell::page)),
        Route::get("/group", ON_FIELDS, "Verify many characters at once", get(shell::page)),
        Route::get("/escalations", ON_ESCALATIONS, "What the municipality is asked", get(shell::page)),
        Route::get("/qa", Only(&[Qa]), "The second look", get(shell::page)),
        Route::get("/board", ON_BOARD, "How the work stands", get(shell::page)),
        Route::get("/keyers", Only(&[Supervisor]), "How well people key", get(shell::page)),
        Route::get("/pages", Only(&[Reviewer]), "Pages without an ID, duplicates", get(shell::page)),
        Route::get("/rescans", ON_RESCANS, "Sheets to be scanned again", get(shell::page)),
        Route::get("/masking", ON_MASKS, "What must be black on copies", get(shell::page)),
        Route::get("/inquiry", ON_INQUIRIES, "The inquiry desk", get(shell::page)),
        Route::get("/accounts", ON_ACCOUNTS, "Accounts", get(shell::page)),
        Route::get("/api/v1/openapi.json", LoggedIn, "This description", get(openapi::document))
            .machines(&Scope::ALL),
        Route::post("/api/v1/login", Anyone, "Log in", post(login::log_in))
            .takes::<login::Credentials>()
            .gives::<login::Me>(),
        Route::post("/api/v1/logout", LoggedIn, "Log out", post(login::log_out)).gives::<login::LoggedOut>(),
        Route::get("/api/v1/me", LoggedIn, "Who is logged in", get(login::me)).gives::<login::Me>(),
        Route::post(
            "/api/v1/tasks/claim",
            ON_ANY_TASKS,
            "Get the next task, under a lease",
            post(work::claim),
        )
        .takes::<work::Claim>()
        .gives::<work::Claimed>(),
        Route::post("/api/v1/tasks/{id}/renew", ON_ANY_TASKS, "Keep a task in hand", post(work::renew))
            .takes::<work::Held>(),
        Route::post(
            "/api/v1/tasks/{id}/give-back",
            ON_ANY_TASKS,
            "Leave a task to others",
            post(work::give_back),
        )
        .takes::<work::Held>(),
        Route::post(
            "/api/v1/tasks/{id}/submit",
            ON_FIELDS,
            "End a task with its entries",
            post(work::submit),
        )
        .takes::<work::Submission>()
        .gives::<work::Ended>(),
        Route::get("/api/v1/tasks/{id}/cells", ON_FIELDS, "The cells of a group", get(group::picture)),
        Route::post(
            "/api/v1/tasks/{id}/group",
            ON_FIELDS,
            "End a group: all of its cells are what they were read as, but for some",
            post(group::submit),
        )
        .takes::<group::OddOnes>()
        .gives::<work::Ended>(),
        Route::post("/api/v1/tasks/{id}/reopen", ON_FIELDS, "Take one's last task back", post(work::reopen))
            .gives::<work::Claimed>(),
        Route::get(
            "/api/v1/tasks/{id}/unmasked",
            ON_MASKS,
            "A page without what was blacked out for doubt",
            get(masking::unmasked),
        ),
        Route::post("/api/v1/tasks/{id}/mask", ON_MASKS, "Say what must be black", post(masking::save))
            .takes::<masking::MaskSaid>()
            .gives::<work::Ended>(),
        Route::get("/api/v1/tasks/{id}/fields/{place}", ON_TASKS, "A field's picture", get(picture::field)),
        Route::get("/api/v1/tasks/{id}/pages/{place}", ON_PAGES, "A page's picture", get(picture::page)),
        Route::post(
            "/api/v1/tasks/{id}/page",
            Only(&[Reviewer]),
            "Say what a page without an ID is",
            post(unassigned::page),
        )
        .takes::<unassigned::PageSaid>(),
        Route::post(
            "/api/v1/tasks/{id}/duplicate",
            Only(&[Reviewer]),
            "Say which of two captures counts",
            post(unassigned::duplicate),
        )
        .takes::<unassigned::DuplicateSaid>(),
        Route::post(
            "/api/v1/tasks/{id}/answer",
            Only(&[Municipality]),
            "Decide an escalation",
            post(escalation::answer),
        )
        .takes::<escalation::Answered>(),
        Route::post(
            "/api/v1/tasks/{id}/ask",
            Only(&[Municipality]),
            "Ask the desk about an escalation",
            post(escalation::ask),
        )
        .takes::<escalation::Written>(),
        Route::post(
            "/api/v1/tasks/{id}/reply",
            Only(&[Reviewer]),
            "Reply to a question of the municipality",
            post(escalation::reply),
        )
        .takes::<escalation::Written>(),
        Route::get(
            "/api/v1/escalations",
            ON_ESCALATIONS,
            "Escalations that one began or wrote in",
            get(escalation::conversations),
        )
        .gives::<escalation::Conversations>(),
        Route::post("/api/v1/tasks/{id}/look", Only(&[Qa]), "Say blind what a sample holds", post(qa::look))
            .takes::<qa::Seen>()
            .gives::<qa::Looked>(),
        Route::post("/api/v1/tasks/{id}/settle", Only(&[Qa]), "Say which of two is right", post(qa::settle))
            .takes::<qa::Verdict>(),
        Route::get("/api/v1/qa", ON_BOARD, "What second looks said", get(qa::rates))
            .machines(&[Scope::Board])
            .gives::<qa::Rates>(),
        Route::get("/api/v1/rescans", ON_RESCANS, "Sheets to be scanned again", get(unassigned::rescans))
            .machines(&[Scope::Board])
            .gives::<unassigned::Rescans>(),
        Route::get(
            "/api/v1/missing-pages",
            ON_RESCANS,
            "Pages that captures lack",
            get(unassigned::missing_pages),
        )
        .machines(&[Scope::Board])
        .gives::<unassigned::MissingPages>(),
        Route::post(
            "/api/v1/rescans/settle",
            ON_RESCANS,
            "A sheet was scanned again",
            post(unassigned::settle),
        )
        .takes::<unassigned::Settled>(),
        Route::post("/api/v1/banks", ON_TASKS, "Banks and branches as one types", post(reference::choices))
            .takes::<reference::Typed>()
            .gives::<reference::Choices>(),
        Route::post("/api/v1/search", ON_INQUIRIES, "Look for applications", post(inquiry::search))
            .machines(&[Scope::Inquiry])
            .takes::<inquiry::Search>()
            .gives::<inquiry::FoundAll>(),
        Route::get("/api/v1/applications/{id}", ON_INQUIRIES, "How one stands", get(inquiry::status))
            .machines(&[Scope::Inquiry])
            .gives::<inquiry::Status>(),
        Route::get("/api/v1/board", ON_BOARD, "How the work stands", get(board::board))
            .machines(&[Scope::Board])
            .gives::<board::Board>(),
        Route::post(
            "/api/v1/lots/release",
            Only(&[Supervisor, Qa]),
            "Let a rejected batch go",
            post(lots::release),
        )
        .takes::<lots::Released>(),
        Route::get("/api/v1/keyers", Only(&[Supervisor]), "How well people key", get(keyers::list))
            .gives::<keyers::Keyers>(),
        Route::get("/api/v1/accounts", ON_ACCOUNTS, "All accounts", get(accounts::list))
            .gives::<accounts::Accounts>(),
        Route::post("/api/v1/accounts", ON_ACCOUNTS, "Add an account", post(accounts::add))
            .takes::<accounts::NewAccount>(),
        Route::post("/api/v1/accounts/change", ON_ACCOUNTS, "Change an account", post(accounts::change))
            .takes::<accounts::Changed>(),
    ]
}

/// The largest body that anybody has a reason to send: a task's entries.
const LARGEST_BODY: usize = 64 << 10;

pub(super) fn router(desk: Desk) -> Router {
    routes()
        .into_iter()
        .fold(Router::new(), |router, Route { path, access, scopes, to, .. }| {
            let guarded = middleware::from_fn_with_state((desk.clone(), access, scopes), guard::guard);
            router.route(path, to.route_layer(guarded))
        })
        .layer(axum::extract::DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::map_response(guard::headers))
        .with_state(desk)
}
