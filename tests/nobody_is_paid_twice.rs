//! A household is paid once, by two people, to the account that was approved: proposals and approvals
//! at once, stops that come in between, returned payments, second applications, and programs that are
//! killed change nothing of that.

#[path = "support/arrivals.rs"]
mod arrivals;
#[path = "support/database.rs"]
mod database;
#[path = "support/money.rs"]
mod money;
#[path = "support/readings.rs"]
#[expect(dead_code, reason = "what these tests do not need")]
mod readings;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use futures_util::StreamExt;
use sqlx::{Connection, PgConnection};
use uketsuke::approve::{ReturnReason, State, StopReason, state};
use uketsuke::digest::Sha256;
use uketsuke::form::Forms;
use uketsuke::register::Household;
use uketsuke::review::Role;
use uketsuke::score::{Disposition, Stratum, StratumKey};
use uketsuke::store::accounts::{self, Change};
use uketsuke::store::approvals::{self, Settled};
use uketsuke::store::captures::CaptureId;
use uketsuke::store::field_decisions::{Manner, Outcome};
use uketsuke::store::letters::{self, Looked};
use uketsuke::store::objects::{KeyRing, Reencrypted};
use uketsuke::store::online_applications::{self, OnlineApplication, OnlineState};
use uketsuke::store::payment_stops::{self, Placed};
use uketsuke::store::returned_payments::{ReturnedPayment, TakenBack, take_back};
use uketsuke::store::revocations::{self, Breach, Found};
use uketsuke::store::transfers::{self, TransferFault};
use uketsuke::store::{Database, application_facts};

use money::{
    CHECKER, MAKER, capture, decide, field, fields, ids, paid, pay_on, payer, payers, profile, settle, town,
};

async fn approved_town(database: &Database, count: u64) -> Vec<(Household, CaptureId)> {
    let town = town(database, count, |_, _, _| {}).await;
    let settled = settle(database, &ids(&town)).await;
    for (application, settled) in settled {
        assert_eq!(settled, Settled::Approved, "{application}");
    }
    town
}

/// The number of the new transfer, and how many it pays.
async fn propose(database: &Database) -> (Option<i64>, u64) {
    let proposed = transfers::propose(database, &profile(), pay_on(), &payer(MAKER)).await.expect("proposed");
    assert!(proposed.refused.is_empty());
    (proposed.transfer, proposed.payments)
}

async fn pay(database: &Database) -> Vec<(String, u64)> {
    let (transfer, _) = propose(database).await;
    let transfer = transfer.expect("somebody is to be paid");
    let requested = transfers::approve(database, transfer, &payer(CHECKER), &profile(), None, None)
        .await
        .expect("approved");
    paid(&requested.files)
}

async fn state_of(database: &Database, household: &Household) -> State {
    let facts =
        application_facts::of_application(database, household.application_id, 0).await.expect("facts");
    state(&facts.expect("in the register").facts)
}

#[tokio::test]
async fn two_people_pay_every_household_once() {
    let database = database::fresh().await;
    let town = approved_town(&database, 30).await;
    let (transfer, count) = propose(&database).await;
    let transfer = transfer.expect("a transfer");
    assert_eq!(count, 30);
    assert_eq!(propose(&database).await, (None, 0), "they are in a transfer");
    assert_eq!(state_of(&database, &town[0].0).await, State::Proposed);

    let alone = transfers::approve(&database, transfer, &payer(MAKER), &profile(), None, None).await;
    assert!(matches!(alone, Err(TransferFault::SamePerson(_))), "{alone:?}");
    let unknown = transfers::approve(&database, transfer + 1, &payer(CHECKER), &profile(), None, None).await;
    assert!(matches!(unknown, Err(TransferFault::Unknown(_))), "{unknown:?}");
    let requested = transfers::approve(&database, transfer, &payer(CHECKER), &profile(), None, None)
        .await
        .expect("approved");
    let mut expected: Vec<(String, u64)> =
        town.iter().map(|(household, _)| (household.application_id.to_string(), household.amount)).collect();
    expected.sort();
    let mut found = paid(&requested.files);
    found.sort();
    assert_eq!(found, expected);
    // The same bytes again, whenever they are asked for.
    let (_, files) = transfers::files(&database, transfer, None).await.expect("files");
    assert_eq!(files, requested.files);

    let again = transfers::approve(&database, transfer, &payer(CHECKER), &profile(), None, None).await;
    assert!(matches!(again, Err(TransferFault::NotProposed { .. })), "{again:?}");
    let withdrawn = transfers::withdraw(&database, transfer, &payer(MAKER)).await;
    assert!(matches!(withdrawn, Err(TransferFault::NotProposed { .. })), "{withdrawn:?}");
    assert_eq!(propose(&database).await, (None, 0), "they are paid");
    let settled = settle(&database, &ids(&town)).await;
    assert!(settled.values().all(|settled| *settled == Settled::Requested));
    // The day of payment is over; who waits for some hundred years does not call it paid.
    for (days, expected) in [(1, State::Paid), (300_000, State::Requested)] {
        let facts = application_facts::of_application(&database, town[0].0.application_id, days).await;
        assert_eq!(state(&facts.expect("facts").expect("in the register").facts), expected);
    }
    for (household, _) in &town {
        assert_eq!(state_of(&database, household).await, State::Requested);
    }
}

#[tokio::test]
async fn proposals_and_approvals_at_once_pay_nobody_twice() {
    let database = database::fresh().await;
    approved_town(&database, 40).await;
    payers(&database, &["another-checker"]).await;
    let (one, other) = tokio::join!(propose(&database), propose(&database));
    assert_eq!(one.1 + other.1, 40, "each household is in one of them");
    let transfer = one.0.or(other.0).expect("a transfer");
    let profile = profile();
    let checkers = [payer(CHECKER), payer("another-checker")];
    let (one, other) = tokio::join!(
        transfers::approve(&database, transfer, &checkers[0], &profile, None, None),
        transfers::approve(&database, transfer, &checkers[1], &profile, None, None)
    );
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    let files = one.or(other).expect("one of them").files;
    assert_eq!(paid(&files).len(), 40);
}

#[tokio::test]
async fn whoever_is_stopped_is_not_paid() {
    let database = database::fresh().await;
    // One household for each reason, and two that nothing stops.
    let reasons = StopReason::ALL.len();
    let town = approved_town(&database, reasons as u64 + 2).await;
    for (reason, (household, _)) in StopReason::ALL.into_iter().zip(&town) {
        let placed = payment_stops::place(&database, household.application_id, reason, "test").await;
        assert_eq!(placed.expect("placed"), Placed::New);
        let placed = payment_stops::place(&database, household.application_id, reason, "test").await;
        assert_eq!(placed.expect("placed"), Placed::There);
    }
    let (transfer, count) = propose(&database).await;
    assert_eq!(count, 2);
    // One of the two is stopped after the proposal: the checker's sum no longer holds.
    let late = &town[reasons + 1].0;
    payment_stops::place(&database, late.application_id, StopReason::Deceased, "test").await.expect("placed");
    let transfer = transfer.expect("a transfer");
    let stopped = transfers::approve(&database, transfer, &payer(CHECKER), &profile(), None, None).await;
    assert!(matches!(stopped, Err(TransferFault::Stopped { .. })), "{stopped:?}");
    transfers::withdraw(&database, transfer, &payer(CHECKER)).await.expect("withdrawn");
    assert_eq!(pay(&database).await.len(), 1);
    // Lifted, they are paid, except whoever is stopped still.
    for (reason, (household, _)) in StopReason::ALL.into_iter().zip(&town) {
        assert!(
            payment_stops::lift(&database, household.application_id, reason, "test").await.expect("lifted")
        );
        assert!(
            !payment_stops::lift(&database, household.application_id, reason, "test").await.expect("asked")
        );
    }
    assert_eq!(pay(&database).await.len(), reasons);
    assert_eq!(state_of(&database, late).await, State::Deceased);
    let placed = payment_stops::place(&database, town[0].0.application_id, StopReason::Qa, "test").await;
    assert_eq!(placed.expect("placed"), Placed::TooLate);
    assert_eq!(state_of(&database, &town[0].0).await, State::Requested);
}

#[tokio::test]
async fn what_a_revoked_certificate_accepted_is_paid_when_somebody_answers_for_it() {
    let options = database::fresh_options().await;
    let database = Database::open(options.clone()).await.expect("a database");
    let town = approved_town(&database, 3).await;
    let certificate = Sha256::of(b"certificate");
    // Two were read under it; nothing of the third was accepted under any.
    let mut connection = PgConnection::connect_with(&options).await.expect("a connection");
    sqlx::query(
        "update capture set record = other.record::json, record_sha256 = sha256(convert_to(other.record, 'UTF8'))
         from (select id, jsonb_set(record::jsonb, '{provenance,certificate}', to_jsonb($1::text))::text as record
               from capture where application_id <> $2) as other
         where capture.id = other.id",
    )
    .bind(certificate.to_string())
    .bind(town[2].0.application_id.to_string())
    .execute(&mut connection)
    .await
    .expect("changed");
    let (transfer, count) = propose(&database).await;
    assert_eq!(count, 3);
    let found = Found { key: StratumKey::new("account_number", Stratum::Written), judged: 2, wrong: 2 };
    let breach = Breach { found, low: 0.1, target: 0.0014 };
    assert!(revocations::revoke(&database, certificate, &breach, "test").await.expect("revoked"));

    // Nobody is paid before it is known who rests on it.
    let transfer = transfer.expect("a transfer");
    let agree = async || {
        transfers::approve(&database, transfer, &payer(CHECKER), &profile(), None, None)
            .await
            .expect_err("held")
    };
    assert!(matches!(agree().await, TransferFault::RevocationPending));
    let refused = transfers::propose(&database, &profile(), pay_on(), &payer(MAKER)).await;
    assert!(matches!(refused, Err(TransferFault::RevocationPending)), "{refused:?}");
    assert_eq!(revocations::to_keep(&database).await.expect("asked"), [(certificate, false)]);
    let mut after = None;
    for last in [true, true, true, false] {
        after = revocations::stop_households(&database, certificate, after, 1, "test").await.expect("looked");
        assert_eq!(after.is_some(), last);
    }
    revocations::kept(&database, certificate).await.expect("noted");
    assert_eq!(revocations::to_keep(&database).await.expect("asked"), []);

    assert!(matches!(agree().await, TransferFault::Stopped { .. }));
    transfers::withdraw(&database, transfer, &payer(MAKER)).await.expect("withdrawn");
    assert_eq!(pay(&database).await.len(), 1);
    assert_eq!(revocations::release_households(&database, "somebody").await.expect("released").len(), 2);
    assert_eq!(pay(&database).await.len(), 2);
}

#[tokio::test]
async fn only_accounts_that_may_pay_propose_and_approve() {
    let options = database::fresh_options().await;
    let database = Database::open(options.clone()).await.expect("a database");
    approved_town(&database, 1).await;
    let refused = transfers::propose(&database, &profile(), pay_on(), &payer("nobody")).await;
    assert!(matches!(refused, Err(TransferFault::MayNotPay(_))), "{refused:?}");
    let transfer = propose(&database).await.0.expect("a transfer");
    let checker = payer(CHECKER);
    for change in [
        Change { role: Some(Role::Reviewer), ..Change::default() },
        Change { role: Some(Role::Payment), active: Some(false), ..Change::default() },
    ] {
        assert!(accounts::change(&database, "test", &checker, &change).await.expect("changed"));
        let refused = transfers::approve(&database, transfer, &checker, &profile(), None, None).await;
        assert!(matches!(refused, Err(TransferFault::MayNotPay(_))), "{refused:?}");
    }
    // Nor by whoever writes to the database.
    let mut connection = PgConnection::connect_with(&options).await.expect("a connection");
    for statement in [
        "insert into transfer (profile, pay_on, payments, total, maker) values ('a', '2026-06-30', 1, 1, 'nobody')",
        "update transfer set state = 'requested', checker = 'checker', decided_at = now()",
    ] {
        let error = sqlx::query(statement).execute(&mut connection).await.expect_err(statement);
        let error = error.into_database_error().expect("by the database");
        assert_eq!(error.constraint(), Some("transfer_is_by_payers"), "{error}");
    }
}

#[tokio::test]
async fn files_are_encrypted_where_there_are_keys() {
    let options = database::fresh_options().await;
    let database = Database::open(options.clone()).await.expect("a database");
    approved_town(&database, 3).await;
    let ring = |name: &str| KeyRing::parse(&format!("{name} {}", "5a".repeat(32)), "a test").expect("keys");
    let (old, new) = (
        ring("2025"),
        KeyRing::parse(&format!("2026 {},2025 {}", "a5".repeat(32), "5a".repeat(32)), "a test")
            .expect("keys"),
    );
    let transfer = propose(&database).await.0.expect("a transfer");
    let requested =
        transfers::approve(&database, transfer, &payer(CHECKER), &profile(), None, Some(&old)).await;
    let requested = requested.expect("approved").files;
    let mut connection = PgConnection::connect_with(&options).await.expect("a connection");
    let mut reads_as_before = async |keys: &KeyRing| {
        let kept: Vec<u8> = sqlx::query_scalar("select content from transfer_file")
            .fetch_one(&mut connection)
            .await
            .expect("a file");
        let payee = &requested[0].bytes[170..190];
        assert!(!kept.windows(payee.len()).any(|window| window == payee), "it can be read");
        let (_, files) = transfers::files(&database, transfer, Some(keys)).await.expect("files");
        assert_eq!(files, requested);
    };
    reads_as_before(&old).await;
    reads_as_before(&new).await;
    for keys in [None, Some(&ring("other"))] {
        let closed = transfers::files(&database, transfer, keys).await;
        assert!(matches!(closed, Err(TransferFault::NotOpened { .. })), "{closed:?}");
    }
    let mut found = Vec::new();
    for _ in 0..2 {
        transfers::reencrypt(&database, &new, |one| found.push(one)).await.expect("encrypted");
    }
    assert_eq!(found, [Reencrypted::Rotated, Reencrypted::Current]);
    reads_as_before(&new).await;
    let closed = transfers::files(&database, transfer, Some(&old)).await;
    assert!(closed.is_err(), "the old key is not needed any more");
}

#[tokio::test]
async fn the_database_itself_refuses_a_second_payment_and_a_stopped_one() {
    let options = database::fresh_options().await;
    let database = Database::open(options.clone()).await.expect("a database");
    let town = approved_town(&database, 2).await;
    payment_stops::place(&database, town[1].0.application_id, StopReason::Withdrawn, "test")
        .await
        .expect("placed");
    pay(&database).await;
    let mut connection = PgConnection::connect_with(&options).await.expect("a connection");
    let insert = "insert into payment (transfer_id, place, application_id, household_id, approval_id, amount)
                  select 1, 7, application_id, household_id, id, amount from approval where application_id = $1";
    for ((household, _), constraint) in town.iter().zip(["payment_once", "payment_is_payable"]) {
        let id = household.application_id.to_string();
        let error = sqlx::query(insert).bind(id).execute(&mut connection).await.expect_err("refused");
        let error = error.into_database_error().expect("by the database");
        assert_eq!(error.constraint(), Some(constraint), "{error}");
    }
    for (statement, constraint) in [
        ("update payment set state = 'proposed'", "payment_moves_forward"),
        ("update payment set amount = amount + 1", "payment_moves_forward"),
        ("update approval set account_number = '7654321'", "approval_only_ends"),
        ("update transfer set checker = maker", "transfer_check1"),
    ] {
        let error = sqlx::query(statement).execute(&mut connection).await.expect_err(statement);
        let error = error.into_database_error().expect("by the database");
        assert_eq!(error.constraint(), Some(constraint), "{error}");
    }
    for statement in [
        "delete from payment",
        "update transfer_file set number = 2",
        "update transfer_file set sealed = true, sha256 = sha256('other')",
        "delete from transfer_file",
    ] {
        sqlx::query(statement).execute(&mut connection).await.expect_err(statement);
    }
}

#[tokio::test]
async fn a_payment_that_came_back_is_made_again_once_somebody_has_looked() {
    let options = database::fresh_options().await;
    let database = Database::open(options.clone()).await.expect("a database");
    let town = approved_town(&database, 3).await;
    pay(&database).await;
    let back = ReturnedPayment {
        application: town[0].0.application_id,
        pay_on: pay_on(),
        reason: ReturnReason::Number,
    };
    let other_day = ReturnedPayment { pay_on: pay_on().succ_opt().expect("a day"), ..back };
    assert_eq!(take_back(&database, other_day, "test").await.expect("asked"), TakenBack::NoSuchPayment);
    assert_eq!(take_back(&database, back, "test").await.expect("taken"), TakenBack::Reopened);
    assert_eq!(take_back(&database, back, "test").await.expect("asked"), TakenBack::Known);
    assert_eq!(state_of(&database, &town[0].0).await, State::Returned);
    let not_yet = settle(&database, &ids(&town[..1])).await.into_values().next();
    assert!(matches!(not_yet, Some(Settled::NotYet(_))), "{not_yet:?}");
    assert_eq!(propose(&database).await, (None, 0));
    decide(&options, &town[0], "account_number", Outcome::Value("7654321".to_owned()), Manner::Verified)
        .await;
    assert_eq!(settle(&database, &ids(&town[..1])).await.into_values().next(), Some(Settled::Approved));
    let expected = (town[0].0.application_id.to_string(), town[0].0.amount);
    assert_eq!(pay(&database).await, [expected]);
}

#[tokio::test]
async fn qa_takes_an_approval_back() {
    let options = database::fresh_options().await;
    let database = Database::open(options.clone()).await.expect("a database");
    let town = approved_town(&database, 2).await;
    let (transfer, _) = propose(&database).await;
    approvals::reopen(&database, town[0].0.application_id, "qa").await.expect("reopened");
    assert_eq!(state_of(&database, &town[0].0).await, State::Held);
    let transfer = transfer.expect("a transfer");
    let stopped = transfers::approve(&database, transfer, &payer(CHECKER), &profile(), None, None).await;
    assert!(matches!(stopped, Err(TransferFault::Stopped { .. })), "{stopped:?}");
    transfers::withdraw(&database, transfer, &payer(MAKER)).await.expect("withdrawn");
    // QA's value holds; with the stop lifted it is paid to.
    decide(&options, &town[0], "account_number", Outcome::Value("7654321".to_owned()), Manner::Qa).await;
    settle(&database, &ids(&town)).await;
    assert_eq!(propose(&database).await.1, 1, "still stopped");
    payment_stops::lift(&database, town[0].0.application_id, StopReason::Qa, "qa").await.expect("lifted");
    assert_eq!(propose(&database).await.1, 1);
}

#[tokio::test]
async fn what_changes_after_the_approval_ends_it() {
    let options = database::fresh_options().await;
    let database = Database::open(options.clone()).await.expect("a database");
    let town = approved_town(&database, 1).await;
    decide(&options, &town[0], "declined", Outcome::Value("declined".to_owned()), Manner::Verified).await;
    assert_eq!(settle(&database, &ids(&town)).await.into_values().next(), Some(Settled::Declined));
    assert_eq!(state_of(&database, &town[0].0).await, State::Declined);
    assert_eq!(propose(&database).await, (None, 0));
}

#[tokio::test]
async fn an_application_that_came_twice_needs_people() {
    let options = database::fresh_options().await;
    let database = Database::open(options.clone()).await.expect("a database");
    let town = approved_town(&database, 2).await;
    let ids = ids(&town);
    let again = town.iter().map(|(household, _)| fields(household, 77)).collect();
    let second = capture(&database, "second scan", &ids, again).await;
    for settled in settle(&database, &ids).await.values() {
        assert!(matches!(settled, Settled::NotYet(_)), "{settled:?}");
    }
    assert_eq!(propose(&database).await, (None, 0), "the approvals of the first have ended");

    // Somebody looks at both letters and says which one counts: what was accepted of it holds, also where
    // somebody still decides a field of the other.
    let mut connection = PgConnection::connect_with(&options).await.expect("a connection");
    for (capture, outcome) in second.iter().zip(["later_counts", "earlier_counts"]) {
        sqlx::query(
            "insert into duplicate_decision (capture_id, outcome, decided_by) values ($1::uuid, $2, $3)",
        )
        .bind(capture.to_string())
        .bind(outcome)
        .bind(MAKER)
        .execute(&mut connection)
        .await
        .expect("said");
    }
    decide(&options, &town[0], "phone", Outcome::Blank, Manner::Verified).await;
    let settled = settle(&database, &ids).await;
    assert!(settled.values().all(|settled| *settled == Settled::Approved), "{settled:?}");
    let counts: Vec<String> = sqlx::query_scalar(
        "select capture_id::text from approval where revoked_at is null order by application_id",
    )
    .fetch_all(&mut connection)
    .await
    .expect("approvals");
    let mut expected = [(ids[0], second[0]), (ids[1], town[1].1)];
    expected.sort_unstable_by_key(|(id, _)| *id);
    assert_eq!(counts, expected.map(|(_, capture)| capture.to_string()));

    // A third letter is a question again.
    capture(&database, "third scan", &ids[..1], vec![fields(&town[0].0, 78)]).await;
    let settled = settle(&database, &ids[..1]).await.into_values().next();
    assert!(matches!(settled, Some(Settled::NotYet(_))), "{settled:?}");
}

#[tokio::test]
async fn one_household_with_two_applications_is_paid_for_one() {
    let database = database::fresh().await;
    let town = town(&database, 2, |_, household, _| {
        household.further.insert("household_id".to_owned(), "A-1".to_owned());
    })
    .await;
    let settled = settle(&database, &ids(&town)).await;
    let approved = settled.values().filter(|settled| **settled == Settled::Approved).count();
    assert_eq!(approved, 1, "{settled:?}");
    assert_eq!(pay(&database).await.len(), 1);
    settle(&database, &ids(&town)).await;
    assert_eq!(propose(&database).await, (None, 0));
    for (household, _) in &town {
        assert_eq!(state_of(&database, household).await, State::Requested);
    }
}

#[tokio::test]
async fn an_account_of_many_households_is_a_finding() {
    let database = database::fresh().await;
    let town = town(&database, 4, |_, household, read| *read = fields(household, 5)).await;
    let settled = settle(&database, &ids(&town)).await;
    let not_yet: Vec<String> = settled
        .into_values()
        .filter_map(|settled| match settled {
            Settled::NotYet(obstacles) => Some(obstacles.iter().map(ToString::to_string).collect()),
            _ => None,
        })
        .collect();
    assert_eq!(not_yet, vec!["2 other households are paid to the same account"; 2]);
}

#[tokio::test]
async fn who_applied_online_is_not_paid_for_a_letter() {
    let database = database::fresh().await;
    let town = approved_town(&database, 3).await;
    let online = |place: usize, state| OnlineApplication {
        application: town[place].0.application_id,
        state,
        received_on: pay_on(),
    };
    let import = async |list: &[OnlineApplication]| {
        online_applications::import(&database, list, "test").await.expect("imported")
    };
    let list = [online(0, OnlineState::Received), online(1, OnlineState::Paid)];
    assert_eq!(import(&list).await.added, 2);
    assert_eq!(import(&list).await.unchanged, 2);
    assert_eq!(state_of(&database, &town[0].0).await, State::Held);
    assert_eq!(state_of(&database, &town[1].0).await, State::PaidElsewhere);
    assert_eq!(pay(&database).await.len(), 1);
    let list = [online(0, OnlineState::Void), online(2, OnlineState::Received)];
    let imported = import(&list).await;
    assert_eq!((imported.changed, imported.added), (1, 1));
    assert_eq!(imported.requested_before, [town[2].0.application_id], "the bank was asked before");
    assert_eq!(pay(&database).await.len(), 1, "the letter counts again");
}

#[tokio::test]
async fn the_feed_tells_every_state_and_what_has_changed() {
    let database = database::fresh().await;
    let town = approved_town(&database, 5).await;
    let feed = async |since| -> BTreeMap<String, (State, _)> {
        application_facts::all(&database, since, 0)
            .map(|row| row.expect("a row"))
            .map(|row| (row.application.to_string(), (state(&row.facts), row.changed_at)))
            .collect()
            .await
    };
    let all = feed(None).await;
    assert_eq!(all.len(), 5);
    assert!(all.values().all(|(state, _)| *state == State::Approved));
    let newest = all.values().filter_map(|(_, at)| *at).max().expect("something has happened");
    let later = newest + chrono::TimeDelta::microseconds(1);
    assert!(feed(Some(later)).await.is_empty());
    payment_stops::place(&database, town[3].0.application_id, StopReason::Other, "test")
        .await
        .expect("placed");
    let changed = feed(Some(later)).await;
    let id = town[3].0.application_id.to_string();
    assert_eq!(
        changed.into_iter().map(|(id, (state, _))| (id, state)).collect::<Vec<_>>(),
        [(id, State::Held)]
    );
}

/// Who is to be written to now, as (application, letter, written before).
async fn letters_due(database: &Database) -> Vec<(String, u32, bool)> {
    let (settings, banks) = (money::settings(), money::banks());
    let forms = Forms::load_dir(&settings.paths.forms).expect("the shipped forms");
    let all = letters::candidates(database, None, 100).await.expect("candidates");
    let looked = letters::look(database, &all, &settings.check.rules(Some(&banks)), &forms).await;
    let mut due = Vec::new();
    for looked in looked.expect("looked") {
        if let Looked::Due(letter) = looked {
            due.push((letter.household.application_id.to_string(), letter.number, letter.written_before));
            letters::note(database, &[*letter], "test").await.expect("noted").commit().await.expect("kept");
        }
    }
    due
}

#[tokio::test]
async fn whoever_must_mend_something_is_written_to_once() {
    let options = database::fresh_options().await;
    let database = Database::open(options.clone()).await.expect("a database");
    let town = town(&database, 4, |place, _, fields| {
        match place {
            1 => fields.insert("signature".to_owned(), field(None, Disposition::Blank)),
            2 => fields.insert("account_number".to_owned(), field(Some("1"), Disposition::Verify)),
            3 => fields.insert("signature".to_owned(), field(None, Disposition::Blank)),
            _ => None,
        };
    })
    .await;
    let [id, .., stopped] = [0, 1, 2, 3].map(|place| town[place].0.application_id.to_string());
    settle(&database, &ids(&town)).await;
    payment_stops::place(&database, town[3].0.application_id, StopReason::Deceased, "test")
        .await
        .expect("placed");
    let unsigned = town[1].0.application_id.to_string();
    // Nobody has looked at the third, and nobody writes to the last.
    assert_eq!(letters_due(&database).await, [(unsigned.clone(), 1, false)]);
    assert_eq!(state_of(&database, &town[1].0).await, State::LetterSent);
    assert_eq!(state_of(&database, &town[2].0).await, State::Captured);
    assert_eq!(letters_due(&database).await, [(unsigned.clone(), 1, true)]);
    // Something else is found: another letter. What the bank sends back is another one again.
    decide(&options, &town[1], "account_number", Outcome::Illegible, Manner::Verified).await;
    assert_eq!(letters_due(&database).await, [(unsigned.clone(), 2, false)]);
    pay(&database).await;
    assert_eq!(letters_due(&database).await, [(unsigned.clone(), 2, true)], "who is paid needs none");
    let back = ReturnedPayment {
        application: town[0].0.application_id,
        pay_on: pay_on(),
        reason: ReturnReason::Closed,
    };
    assert_eq!(take_back(&database, back, "test").await.expect("taken"), TakenBack::Reopened);
    let mut due = letters_due(&database).await;
    due.sort();
    let mut expected = [(id, 1, false), (unsigned, 2, true)];
    expected.sort();
    assert_eq!(due, expected);
    assert!(due.iter().all(|(application, ..)| *application != stopped));
    let mut connection = PgConnection::connect_with(&options).await.expect("a connection");
    let events: i64 = sqlx::query_scalar("select count(*) from event where kind = 'letter.written'")
        .fetch_one(&mut connection)
        .await
        .expect("counted");
    assert_eq!(events, 6, "again is told, too");
    sqlx::query("delete from letter").execute(&mut connection).await.expect_err("they are kept");
}

/// The program on a data folder of its own.
fn uketsuke(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_uketsuke"));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("DATABASE_URL")
        .args(["--json", "--data"])
        .arg(data)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Started, with the password of those who pay typed.
fn start(data: &Path, arguments: &[&str]) -> Child {
    let mut child = uketsuke(data, arguments).spawn().expect("the program");
    let typed = child.stdin.take().map(|mut stdin| writeln!(stdin, "{}", money::PASSWORD));
    // Whoever needs none may have ended before it was typed.
    drop(typed);
    child
}

fn run(data: &Path, arguments: &[&str]) -> (bool, serde_json::Value) {
    let Output { status, stdout, stderr } = start(data, arguments).wait_with_output().expect("the program");
    let printed = serde_json::from_slice(&stdout).unwrap_or(serde_json::Value::Null);
    assert!(status.success() || !stderr.is_empty());
    (status.success(), printed)
}

/// The checker's program is killed again and again, at every moment from its start to its end: the
/// transfer is proposed, or requested with all its files, and nothing between.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_killed_leaves_all_or_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, out) = (folder.path().join("data"), folder.path().join("out"));
    let database = Database::connect(&data, None).await.expect("a private server");
    let town = approved_town(&database, 300).await;
    let date =
        ["export", "transfer", "propose", "--date", "2026-06-30", "--profile", "example", "--by", MAKER];
    let (proposed, report) = run(&data, &date);
    assert!(proposed, "{report}");
    assert_eq!(report["payments"], 300);
    let out_text = out.to_str().expect("a name");
    let approve = ["export", "transfer", "approve", "1", "--out", out_text, "--by", CHECKER];
    let mut requested = false;
    let mut killed = 0;
    for milliseconds in (5..).step_by(35) {
        let mut child = start(&data, &approve);
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        child.kill().expect("killed");
        let ended = child.wait().expect("ended");
        killed += u32::from(!ended.success());
        let transfer = transfers::list(&database).await.expect("a list").remove(0);
        let (_, files) = transfers::files(&database, 1, None).await.expect("files");
        match transfer.state.as_str() {
            "proposed" => assert!(files.is_empty() && !requested),
            "requested" => {
                assert_eq!(paid(&files).len(), 300);
                requested = true;
            }
            other => panic!("{other}"),
        }
        if requested {
            break;
        }
    }
    assert!(killed > 1, "it was killed before it was done");
    // Whatever the kill left of the files, they are written again, the same.
    assert!(run(&data, &["export", "transfer", "files", "1", "--out", out_text]).0);
    let written = std::fs::read(out.join("transfer-1-1.txt")).expect("a file");
    assert_eq!(written, transfers::files(&database, 1, None).await.expect("files").1[0].bytes);
    assert!(std::fs::read(out.join("transfer-1-sheet.pdf")).expect("a sheet").starts_with(b"%PDF"));
    let sheet = std::fs::read_to_string(out.join("transfer-1-sheet.txt")).expect("a sheet");
    assert!(sheet.contains("300 件") && sheet.contains("確認者        checker"), "{sheet}");
    assert!(run(&data, &["transfer", "verify", out.join("transfer-1-1.txt").to_str().expect("a name")]).0);
    let (proposed, report) = run(&data, &date);
    assert!(proposed && report["transfer"].is_null(), "{report}");
    // The bank sends one back.
    let returns = folder.path().join("returns.csv");
    let id = town[0].0.application_id;
    std::fs::write(&returns, format!("application_id,pay_on,reason\n0000000{id},2026-06-30,closed\n"))
        .expect("written");
    let (taken, report) =
        run(&data, &["transfer", "returns", returns.to_str().expect("a name"), "--by", "a"]);
    assert!(taken && report["reopened"] == 1, "{report}");
    let (_, shown) = run(&data, &["applications", "show", &id.to_string()]);
    assert_eq!((&shown["state"], &shown["public"]), (&"returned".into(), &"審査中です".into()));
    // What the city is told of it.
    let numbers = folder.path().join("report");
    assert!(run(&data, &["export", "report", "--out", numbers.to_str().expect("a name")]).0);
    let csv = std::fs::read_to_string(numbers.join("numbers.csv")).expect("numbers");
    let names: Vec<&str> = csv.lines().next().expect("a header").split(',').collect();
    let sum = |name: &str| -> u64 {
        let column = names.iter().position(|known| *known == name).expect("a column");
        let number = |line: &str| line.split(',').nth(column).and_then(|number| number.parse::<u64>().ok());
        csv.lines().skip(1).map(|line| number(line).expect("a number")).sum()
    };
    // 300 received and paid, one of which came back and lost its approval.
    let counted = ["received", "read", "approved_by_machine", "requested", "returned"].map(sum);
    assert_eq!(counted, [300, 300, 299, 299, 1], "{csv}");
    assert_eq!((sum("fields_accepted"), sum("fields_doubtful")), (300 * 13, 0), "{csv}");
    let yen: u64 = town[1..].iter().map(|(household, _)| household.amount).sum();
    assert_eq!(sum("requested_yen"), yen);
    let page = std::fs::read_to_string(numbers.join("index.html")).expect("a page");
    assert!(page.contains("<td>requested</td><td>299</td>"), "{page}");
    database.close().await;
}
