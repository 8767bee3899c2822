//! What people do, by keys alone, in a real browser: verify, key blind, adjudicate; and what they meet when
//! the server restarts, the lease ends, or an applicant wrote a script into a field.

use std::time::Duration;

use serde_json::json;
use uketsuke::review::Role;
use uketsuke::store::field_decisions::{self, Outcome};

use crate::browser::{Browser, key};
use crate::desk::{DeskSite, PASSWORD};
use crate::readings::application;
use crate::second_looks::{self, call};

/// A window with somebody logged in, by typing.
pub fn window(site: &DeskSite, name: &str) -> Browser {
    let browser = Browser::start();
    browser.open(&format!("http://{}/", site.address));
    browser.until("document.activeElement?.id === 'name'");
    browser.keys(&format!("{name}\u{e004}{PASSWORD}{}", key::ENTER));
    browser.until("location.pathname !== '/login' && document.querySelector('header')");
    browser
}

async fn outcome(site: &DeskSite, serial: u64, field: &str) -> Option<Outcome> {
    let current = field_decisions::current(&site.database, application(serial)).await.expect("decisions");
    current.get(field).map(|(decision, _)| decision.outcome.clone())
}

async fn settled(site: &DeskSite, serial: u64, field: &str) -> Outcome {
    for _ in 0..200 {
        if let Some(outcome) = outcome(site, serial, field).await {
            return outcome;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{field} of application {serial} was never settled");
}

const READY: &str = "document.activeElement?.matches('.entry, .options')";

#[tokio::test(flavor = "multi_thread")]
async fn a_reviewer_verifies_by_keys_alone() {
    let site = DeskSite::start().await;
    site.account("r1", Role::Reviewer).await;
    site.capture(application(1), &[("phone", "0451234567", 0.6), ("account_route", "bank", 0.6)]).await;
    site.capture(application(2), &[("phone", "0457654321", 0.6)]).await;
    let browser = window(&site, "r1");
    browser.until(READY);
    // Fields come in the order of the form.
    assert_eq!(browser.typed(), "0451234567");
    browser.until("document.querySelector('img.crop').naturalWidth > 0");
    // The best other reading, the whole page, and back.
    browser.keys(key::DOWN);
    browser.keys(key::DOWN);
    assert_eq!(browser.typed().len(), 10);
    assert_ne!(browser.typed(), "0451234567");
    browser.keys(key::PAGE_DOWN);
    browser.until("document.querySelector('dialog.viewer[open] img').naturalWidth > 0");
    browser.keys("++rb");
    browser.keys(key::ESCAPE);
    browser.until("!document.querySelector('dialog[open]')");
    browser.until(READY);
    browser.run("document.activeElement.select()");
    browser.keys("0459999999");
    browser.keys(key::ENTER);
    // A mark is chosen by its number. One field back, and forth again, keeps both.
    browser.until("document.activeElement?.matches('.options')");
    browser.keys("2");
    browser.until("document.querySelector('[aria-pressed=true]')?.dataset.value === 'yucho'");
    browser.keys(key::ESCAPE);
    browser.until("document.activeElement?.value === '0459999999'");
    browser.keys(key::ENTER);
    browser.until("document.querySelector('[aria-pressed=true]')?.dataset.value === 'yucho'");
    browser.keys(key::ENTER);
    // The next task is there.
    browser.until("document.activeElement?.value === '0457654321'");
    assert_eq!(settled(&site, 1, "phone").await, Outcome::Value("0459999999".to_owned()));
    assert_eq!(settled(&site, 1, "account_route").await, Outcome::Value("yucho".to_owned()));
    browser.keys(key::F4);
    browser.sees("いま作業はありません");
    assert_eq!(settled(&site, 2, "phone").await, Outcome::Illegible);
    // A slip that is seen only now.
    browser.keys(key::ESCAPE);
    browser.until(READY);
    browser.sees("判読不能");
    browser.run("document.activeElement.select()");
    browser.keys("0450000002");
    browser.keys(key::ENTER);
    browser.sees("いま作業はありません");
    for _ in 0..100 {
        if settled(&site, 2, "phone").await != Outcome::Illegible {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(settled(&site, 2, "phone").await, Outcome::Value("0450000002".to_owned()));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_keyers_and_a_third_person_settle_an_account() {
    let site = DeskSite::start().await;
    for (name, role) in [("k1", Role::Keyer), ("k2", Role::Keyer), ("r3", Role::Reviewer)] {
        site.account(name, role).await;
    }
    site.capture(
        application(1),
        &[("account_number", "0012345", 0.6), ("account_holder_kana", "ｻﾄｳ ｼﾞﾕﾝ", 0.6)],
    )
    .await;
    for (name, number) in [("k1", "12345"), ("k2", "12346")] {
        let browser = window(&site, name);
        browser.until(READY);
        browser.sees("先入観なしの入力");
        assert_eq!(browser.typed(), "", "nothing is shown to a blind key");
        assert!(!browser.text().contains("12345") && !browser.text().contains("ｻﾄｳ"));
        // Nothing is accepted as if it were something.
        browser.keys(key::ENTER);
        browser.sees("空欄のときは F2");
        browser.keys(number);
        browser.keys(key::ENTER);
        // The holder is typed in Latin letters.
        browser.until("document.activeElement?.matches('.entry.kana')");
        browser.keys("satou junn");
        browser.until("document.activeElement.value.startsWith('サトウ ジュ')");
        browser.keys(key::ENTER);
        browser.sees("いま作業はありません");
        // What is on its way to the server would be lost with a window that is torn down; a person is asked.
        browser
            .until("performance.getEntriesByType('resource').some(({ name }) => name.endsWith('/submit'))");
        assert_eq!(browser.complaints(), Vec::<String>::new());
    }
    assert_eq!(settled(&site, 1, "account_holder_kana").await, Outcome::Value("ｻﾄｳ ｼﾞﾕﾝ".to_owned()));
    assert_eq!(outcome(&site, 1, "account_number").await, None);
    let third = window(&site, "r3");
    third.until(READY);
    third.sees("不一致の判定");
    third.sees("0012346");
    assert_eq!(third.typed(), "", "nobody is led");
    third.keys(key::DOWN);
    third.keys(key::DOWN);
    assert_eq!(third.typed(), "0012346");
    third.keys(key::ENTER);
    assert_eq!(settled(&site, 1, "account_number").await, Outcome::Value("0012346".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_typed_is_lost_when_the_server_restarts() {
    let mut site = DeskSite::start().await;
    site.account("k1", Role::Keyer).await;
    site.capture(application(1), &[("phone", "0451234567", 0.6)]).await;
    let browser = window(&site, "k1");
    browser.until(READY);
    browser.keys("0450000001");
    site.stop().await;
    browser.keys(key::ENTER);
    browser.sees("サーバーに接続できません");
    assert_eq!(outcome(&site, 1, "phone").await, None);
    site.restart().await;
    assert_eq!(settled(&site, 1, "phone").await, Outcome::Value("0450000001".to_owned()));
    browser.sees("いま作業はありません");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lost_the_lease_is_told_and_keeps_what_they_typed() {
    let site = DeskSite::start().await;
    site.account("k1", Role::Keyer).await;
    let other = site.person("k2", Role::Keyer).await;
    site.capture(application(1), &[("phone", "0451234567", 0.6)]).await;
    let browser = window(&site, "k1");
    browser.until(READY);
    browser.keys("0450000001");
    // As if the machine had slept.
    site.execute("update task set leased_until = now() - interval '1 second'").await;
    let taken = other.claim(&[]);
    assert_eq!(other.submit(&taken, &[("phone", "0450000002")]).status, 200);
    browser.keys(key::ENTER);
    browser.until("document.querySelector('dialog[open]')?.innerText.includes('0450000001')");
    browser.sees("別の担当者に移りました");
    assert_eq!(outcome(&site, 1, "phone").await, Some(Outcome::Value("0450000002".to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_open_keeps_its_task_however_long_a_person_thinks() {
    let site = DeskSite::with_lease(4.0).await;
    site.account("k1", Role::Keyer).await;
    let other = site.person("k2", Role::Keyer).await;
    site.capture(application(1), &[("phone", "0451234567", 0.6)]).await;
    let browser = window(&site, "k1");
    browser.until(READY);
    for _ in 0..14 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(other.claim(&[]), serde_json::Value::Null);
    }
    browser.keys(key::ENTER);
    assert_eq!(settled(&site, 1, "phone").await, Outcome::Value("0451234567".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_comes_back_after_the_back_button_and_goes_to_others_when_the_window_closes() {
    let site = DeskSite::start().await;
    site.account("r1", Role::Reviewer).await;
    let other = site.person("k2", Role::Keyer).await;
    site.capture(application(1), &[("phone", "0451234567", 0.6)]).await;
    let browser = window(&site, "r1");
    browser.until(READY);
    browser.open(&format!("http://{}/inquiry", site.address));
    browser.until("document.querySelector('#wanted')");
    browser.back();
    browser.until(READY);
    assert_eq!(browser.typed(), "0451234567");
    assert_eq!(other.claim(&[]), serde_json::Value::Null);
    browser.open("about:blank");
    let mut task = serde_json::Value::Null;
    for _ in 0..100 {
        task = other.claim(&[]);
        if !task.is_null() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(task["fields"][0]["name"], "phone", "given back, long before the lease ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_applicants_and_registers_write_is_text_and_nothing_else() {
    let site = DeskSite::start().await;
    let evil = "<img src=x onerror=document.title='taken'>";
    site.account("r1", Role::Reviewer).await;
    site.account("city", Role::Municipality).await;
    site.register(&[(application(1), evil, evil)]).await;
    site.capture(application(1), &[("bank_name", evil, 0.6)]).await;
    let browser = window(&site, "r1");
    browser.until(READY);
    assert_eq!(browser.typed(), evil);
    // It is escalated, with a question of the same kind.
    browser.keys(key::F9);
    browser.until("document.querySelector('dialog[open] textarea')");
    browser.run("document.querySelector('dialog[open] textarea').focus()");
    browser.keys(evil);
    browser.run("document.querySelector('dialog[open] button.primary').click()");
    browser.sees("いま作業はありません");
    browser.open(&format!("http://{}/inquiry", site.address));
    browser.until("document.activeElement?.id === 'wanted'");
    browser.keys(&format!("{}{}", application(1), key::ENTER));
    browser.sees(evil);
    let city = window(&site, "city");
    city.sees(evil);
    for window in [&browser, &city] {
        assert_eq!(window.run("return document.querySelectorAll('img[src=x]').length"), json!(0));
        assert_ne!(window.run("return document.title"), json!("taken"));
        // A script that got in all the same would be kept from running.
        let refused = window.run(
            "try { document.body.innerHTML = '<b>'; return 'written' } catch (error) { return error.name }",
        );
        assert_eq!(refused, json!("TypeError"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_municipality_asks_back_and_the_desk_reads_what_it_decided() {
    let site = DeskSite::start().await;
    site.account("r1", Role::Reviewer).await;
    site.account("city", Role::Municipality).await;
    site.capture(application(1), &[("phone", "0451234567", 0.6)]).await;
    let desk = window(&site, "r1");
    desk.until(READY);
    desk.keys(key::F9);
    desk.until("document.querySelector('dialog[open] textarea')");
    desk.run("document.querySelector('dialog[open] textarea').focus()");
    desk.keys("番号が二つあります");
    desk.run("document.querySelector('dialog[open] button.primary').click()");
    desk.sees("いま作業はありません");
    let city = window(&site, "city");
    city.until("document.activeElement?.id === 'decision'");
    city.sees("番号が二つあります");
    city.until("document.querySelector('img.crop').naturalWidth > 0");
    // Without words there is no question.
    city.run("document.querySelector('#ask').click()");
    city.until("document.activeElement?.id === 'why'");
    city.keys("濃い方はどちらですか");
    city.run("document.querySelector('#ask').click()");
    city.sees("いま作業はありません");
    city.sees("確認担当の返答待ち");
    // The desk sees it from where it works.
    desk.open(&format!("http://{}/work", site.address));
    desk.until("document.querySelector(\"nav a[href='/escalations'] .tag\")?.textContent === '1'");
    desk.run("document.querySelector(\"nav a[href='/escalations']\").click()");
    desk.until("document.activeElement?.id === 'reply'");
    desk.sees("濃い方はどちらですか");
    desk.until("document.querySelector('img.crop').naturalWidth > 0");
    desk.keys("上です");
    desk.run("document.querySelector('form button.primary').click()");
    desk.sees("市区町村の判断待ち");
    city.open(&format!("http://{}/escalations", site.address));
    city.until("document.activeElement?.id === 'decision'");
    city.sees("上です");
    city.run("document.querySelector('#holds').click()");
    city.run("document.querySelector('#why').focus()");
    city.keys("上の番号です");
    city.run("document.querySelector('form button.primary').click()");
    city.sees("決定済み");
    assert_eq!(settled(&site, 1, "phone").await, Outcome::Value("0451234567".to_owned()));
    desk.open(&format!("http://{}/escalations", site.address));
    desk.sees("決定済み");
    desk.run("document.querySelector('summary').click()");
    desk.sees("上の番号です");
    desk.sees("市区町村 · city");
    for window in [&desk, &city] {
        assert_eq!(window.complaints(), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_assigned_by_keys_alone() {
    let site = DeskSite::start().await;
    site.account("r1", Role::Reviewer).await;
    let own = application(3);
    site.register(&[(own, "横浜 花子", "ヨコハマ ハナコ")]).await;
    site.unassigned(application(1), application(2)).await;
    let browser = window(&site, "r1");
    browser.open(&format!("http://{}/pages", site.address));
    browser.until("document.activeElement?.id === 'first'");
    browser.keys(&format!("{own}\u{e004}{}\u{e004}2", application(2)));
    browser.run("document.getElementById('again').focus()");
    browser.keys(key::ENTER);
    browser.sees("二回の入力が一致しません");
    browser.run("document.getElementById('again').select()");
    browser.run("document.getElementById('again').focus()");
    browser.keys(&format!("{own}{}", key::ENTER));
    browser.sees("いま作業はありません");
    let assigned = "select count(*) from page_decision where outcome = 'assigned' and form_page = 2";
    assert_eq!(site.count(assigned).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_look_is_blind_and_then_with_both_in_view() {
    let site = DeskSite::sampling_all().await;
    site.account("q1", Role::Qa).await;
    site.capture(application(1), &[("phone", "0451234567", 0.9999)]).await;
    second_looks::draw(&site).await;
    let browser = window(&site, "q1");
    browser.until(READY);
    assert!(!browser.text().contains("0451234567"));
    browser.keys("0450000000");
    browser.keys(key::ENTER);
    browser.sees("記録されている値と異なります");
    browser.sees("0451234567");
    browser.keys(key::F2);
    browser.sees("いま作業はありません");
    assert_eq!(settled(&site, 1, "phone").await, Outcome::Value("0450000000".to_owned()));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_batch_is_let_go_by_its_button() {
    let site = DeskSite::with_lots().await;
    let qa = site.person("q1", Role::Qa).await;
    site.account("s1", Role::Supervisor).await;
    for serial in 1..=2 {
        site.capture(application(serial), &[("phone", "0451234567", 0.9999)]).await;
    }
    second_looks::lots_until(&site, "select count(*) from lot where sample = 2").await;
    let task = qa.claim(&[]);
    assert_eq!(call(&qa, &task, "look", json!({ "outcome": "illegible" })).status, 200);
    assert_eq!(call(&qa, &task, "settle", json!({ "wrong": true })).status, 200);
    let stopped = "select count(*) from payment_stop where reason = 'lot' and lifted_at is null";
    assert_eq!(site.count(stopped).await, 2);
    let browser = window(&site, "s1");
    browser.open(&format!("http://{}/board", site.address));
    browser.sees("不合格（支払停止中）");
    browser.sees("全数選別が終わっていません");
    browser.run("document.querySelector('[data-lot]').focus()");
    browser.keys(key::ENTER);
    let asked = browser.consent();
    assert!(asked.contains("2 件中 1 件"), "{asked}");
    browser.sees("不合格、s1 が解除");
    browser.until("!document.querySelector('[data-lot]')");
    assert_eq!(site.count(stopped).await, 0);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_characters_are_confirmed_at_once_and_the_odd_one_is_picked_out() {
    let site = DeskSite::start().await;
    site.account("k1", Role::Keyer).await;
    let browser = window(&site, "k1");
    browser.sees("いま作業はありません");
    // What somebody verifies is in no group: they come when nobody asks for work.
    browser.open("about:blank");
    for serial in 1..=3 {
        site.capture(application(serial), &[("application_date", "222222", 0.6)]).await;
    }
    browser.open(&format!("http://{}/group", site.address));
    browser.until("document.querySelectorAll('.cell').length === 18");
    browser.until("document.activeElement?.matches('.cell')");
    // One down, one to the right, picked; one more picked and put back.
    browser.keys(&format!("{}{} {} {}", key::DOWN, key::RIGHT, key::RIGHT, " "));
    browser.until("document.querySelectorAll('[aria-pressed=true]').length === 1");
    browser.sees("違う文字 1 個");
    assert!(!browser.text().contains(&application(1).to_string()));
    browser.keys(key::ENTER);
    browser.sees("いま作業はありません");
    for serial in 1..=2 {
        assert_eq!(settled(&site, serial, "application_date").await, Outcome::Value("222222".to_owned()));
    }
    assert_eq!(outcome(&site, 3, "application_date").await, None, "its second cell was picked out");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
