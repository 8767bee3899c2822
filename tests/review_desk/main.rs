//! The review desk, as the people and the attackers meet it: who may do what, how fields are settled, what
//! becomes of pages without an ID; over HTTP, and in a real browser. One program, because they share a desk
//! that takes long to link.

mod a_masker_decides;
#[path = "../support/arrivals.rs"]
mod arrivals;
mod browser;
#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "../support/database.rs"]
mod database;
mod desk;
mod every_page_can_be_read;
mod http;
mod in_the_browser;
mod logins_of_another_system;
#[path = "../support/money.rs"]
mod money;
mod oidc_provider;
mod pages_without_an_id;
mod people_settle_fields;
#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "../support/readings.rs"]
mod readings;
mod second_looks;
#[path = "../support/site.rs"]
mod site;
mod who_may_do_what;
