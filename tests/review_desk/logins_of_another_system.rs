//! OpenID Connect: who comes in by the provider's word, as what, what is not taken for its word, and who leaves.

use serde_json::{Value, json};
use uketsuke::review::{AccountName, Role};
use uketsuke::store::accounts::{self, Change};

use crate::browser::{Browser, key};
use crate::desk::{self, DeskSite, PASSWORD, Person};
use crate::every_page_can_be_read::legible;
use crate::http::{Answer, ask};
use crate::oidc_provider::{self, Asked, CLIENT, Provider};

/// A desk where people may log in at that provider, and the folder of the client's secret.
async fn at(provider: &Provider) -> (DeskSite, tempfile::TempDir) {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let (secret, mut settings) = (tempfile::tempdir().expect("a folder"), desk::settings());
    settings.oidc = Some(oidc_provider::settings(provider, address, &secret.path().join("secret")));
    let mut site = DeskSite::with(settings).await;
    // The desk says where browsers come back to before anything listens there.
    site.stop().await;
    site.address = address;
    site.restart().await;
    (site, secret)
}

/// A browser's way to the provider: what it was sent with, and the cookie that it keeps.
struct Attempt {
    asked: Asked,
    cookie: String,
}

fn begin(site: &DeskSite) -> Attempt {
    let answer = Person::nobody(site.address).get("/login/oidc");
    assert_eq!(answer.status, 303, "{}", answer.text());
    let cookie = answer.header("set-cookie").expect("a cookie").to_owned();
    for part in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/", "__Host-"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let asked = Asked::of(answer.header("location").expect("the provider"));
    assert_eq!((asked.get("response_type"), asked.get("code_challenge_method")), ("code", "S256"));
    Attempt { asked, cookie: cookie.split(';').next().expect("a cookie").to_owned() }
}

fn back(site: &DeskSite, cookie: &str, code: &str, state: &str) -> Answer {
    ask(
        site.address,
        "GET",
        &format!("/login/oidc/back?code={code}&state={state}"),
        &[("Cookie", cookie)],
        b"",
    )
}

/// The session that an answer begins, if it does.
fn session(site: &DeskSite, answer: &Answer) -> Option<Person> {
    let cookies: Vec<&str> = answer
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie")
        .map(|(_, value)| value.as_str())
        .collect();
    let cookie = cookies.iter().find(|cookie| cookie.starts_with("__Host-uketsuke="))?;
    assert!(cookie.contains("SameSite=Strict"), "{cookie}");
    let person = Person { cookie: cookie.split(';').next()?.to_owned(), ..Person::nobody(site.address) };
    let csrf = person.get("/api/v1/me").json()["csrf"].as_str()?.to_owned();
    Some(Person { csrf, ..person })
}

/// Somebody logs in as the provider says.
fn log_in(site: &DeskSite, provider: &Provider, subject: &str, groups: &[&str], more: Value) -> Answer {
    let Attempt { asked, cookie } = begin(site);
    let mut claims = provider.claims(&asked, subject, groups);
    for (key, value) in more.as_object().expect("an object") {
        claims[key] = value.clone();
    }
    let code = provider.grant(&asked, claims);
    back(site, &cookie, &code, asked.get("state"))
}

/// Nobody came in, and the page says why.
fn refused(site: &DeskSite, answer: &Answer, why: &str) {
    let to = format!("/login?failed={why}");
    assert_eq!((answer.status, answer.header("location")), (303, Some(to.as_str())), "{}", answer.text());
    assert!(session(site, answer).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_says_who_somebody_is_and_its_groups_say_as_what() {
    let provider = Provider::start().await;
    let (site, _secret) = at(&provider).await;
    site.account("root", Role::Administrator).await;
    let me = |person: &Person| {
        let me = person.get("/api/v1/me").json();
        (me["name"].as_str().map(str::to_owned), me["role"].as_str().map(str::to_owned))
    };
    let named = |name: &str, role: &str| (Some(name.to_owned()), Some(role.to_owned()));
    let sato = json!({ "preferred_username": "Sato" });
    let answer = log_in(&site, &provider, "sub-1", &["staff", "town-keyers"], sato.clone());
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("url=/"), "the page leads on by itself");
    let first = session(&site, &answer).expect("a session");
    assert_eq!(me(&first), named("sato", "keyer"));
    assert_eq!(first.post("/api/v1/tasks/claim", &json!({})).status, 200);
    // The same person again is the same account, under whatever name; with another group, as something else.
    let renamed = json!({ "preferred_username": "suzuki" });
    let again = session(&site, &log_in(&site, &provider, "sub-1", &["town-reviewers"], renamed)).expect("in");
    assert_eq!(me(&again), named("sato", "reviewer"));
    assert_eq!(first.get("/api/v1/me").status, 401, "what the old role began is over");
    assert_eq!(again.post("/api/v1/logout", &json!({})).status, 200);
    assert_eq!(again.get("/api/v1/me").status, 401);
    // A name that is taken, or is none of ours, leads to no account that is there.
    for (subject, name) in [("sub-2", "root"), ("sub-3", "sato"), ("sub-4", "佐藤@example.jp")] {
        let more = json!({ "preferred_username": name });
        let person = session(&site, &log_in(&site, &provider, subject, &["town-leads"], more)).expect("in");
        let (name, role) = me(&person);
        assert!(name.is_some_and(|name| name.starts_with("oidc-")) && role.as_deref() == Some("supervisor"));
    }
    // It has no password here, and people with one log in as before.
    for password in ["", PASSWORD] {
        let body = json!({ "name": "sato", "password": password });
        assert_eq!(Person::nobody(site.address).post("/api/v1/login", &body).status, 401);
    }
    assert_eq!(me(&site.log_in("root")), named("root", "administrator"));
    // Whoever is disabled here stays out, whatever the provider says.
    let name: AccountName = "sato".parse().expect("a name");
    let change = Change { active: Some(false), ..Change::default() };
    assert!(accounts::change(&site.database, "root", &name, &change).await.expect("changed"));
    refused(&site, &log_in(&site, &provider, "sub-1", &["town-keyers"], sato), "disabled");
    assert_eq!(site.count("select count(*) from oidc_account").await, 4);
    let kept = "select count(*) from event where event::text ~ 'sub-1|an access token|eyJ|code-|佐藤'";
    assert_eq!(site.count(kept).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_answer_to_this_browsers_login_lets_nobody_in() {
    let provider = Provider::start().await;
    let (site, _secret) = at(&provider).await;
    let right = |attempt: &Attempt| provider.claims(&attempt.asked, "sub-1", &["town-keyers"]);
    // A state that nobody was given, or another browser was.
    let (mine, theirs) = (begin(&site), begin(&site));
    let code = provider.grant(&mine.asked, right(&mine));
    refused(&site, &back(&site, &mine.cookie, &code, "invented"), "attempt");
    refused(&site, &back(&site, &mine.cookie, &code, theirs.asked.get("state")), "attempt");
    refused(&site, &back(&site, "", &code, mine.asked.get("state")), "attempt");
    // Once it was used it is over, with the same code and with another.
    let answer = back(&site, &mine.cookie, &code, mine.asked.get("state"));
    assert!(session(&site, &answer).is_some());
    refused(&site, &back(&site, &mine.cookie, &code, mine.asked.get("state")), "attempt");
    // A code that was somebody else's: it was given for another challenge.
    let code = provider.grant(&begin(&site).asked, right(&theirs));
    refused(&site, &back(&site, &theirs.cookie, &code, theirs.asked.get("state")), "provider");
    // A code that has expired at the provider.
    let late = begin(&site);
    let code = provider.grant(&late.asked, right(&late));
    provider.expire(&code);
    refused(&site, &back(&site, &late.cookie, &code, late.asked.get("state")), "provider");
    // An attempt that has expired here.
    let late = begin(&site);
    let code = provider.grant(&late.asked, right(&late));
    site.execute("update oidc_attempt set begun_at = now() - interval '11 minutes'").await;
    refused(&site, &back(&site, &late.cookie, &code, late.asked.get("state")), "attempt");
    // The person thought better of it.
    let ended = begin(&site);
    let path = format!("/login/oidc/back?error=access_denied&state={}", ended.asked.get("state"));
    refused(&site, &ask(site.address, "GET", &path, &[("Cookie", &ended.cookie)], b""), "ended");
    // Tokens that are not for this login, this client, from this provider, of now.
    for wrong in [
        json!({ "nonce": "another" }),
        json!({ "nonce": null }),
        json!({ "aud": "another client" }),
        json!({ "iss": "http://localhost:1" }),
        json!({ "exp": 1_600_000_000 }),
    ] {
        refused(&site, &log_in(&site, &provider, "sub-1", &["town-keyers"], wrong), "provider");
    }
    let forged = begin(&site);
    let code = provider.grant_foreign(&forged.asked, right(&forged));
    refused(&site, &back(&site, &forged.cookie, &code, forged.asked.get("state")), "provider");
    // Nobody has a role that the mapping does not give, nor two.
    for groups in [&["keyer", "administrator"][..], &[], &["town-keyers", "town-leads"]] {
        refused(&site, &log_in(&site, &provider, "sub-9", groups, json!({})), "role");
    }
    assert_eq!(site.count("select count(*) from account").await, 1);
    assert_eq!(site.count("select count(*) from oidc_attempt").await, 0, "what is never answered goes, too");
    assert_eq!(site.count("select count(*) from event where kind = 'login.failed'").await, 17);
}

/// What the desk says to somebody who logs out; their session is over.
fn leave(person: &Person) -> Value {
    let answer = person.post("/api/v1/logout", &json!({}));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.header("set-cookie").is_some_and(|cookie| cookie.contains("Max-Age=0")));
    assert_eq!(person.get("/api/v1/me").status, 401);
    answer.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_logs_out_here_is_sent_to_log_out_at_the_provider() {
    let mut provider = Provider::start().await;
    let (site, _secret) = at(&provider).await;
    let enter = |provider: &Provider| {
        session(&site, &log_in(&site, provider, "sub-1", &["town-keyers"], json!({}))).expect("in")
    };
    let said = leave(&enter(&provider));
    let address = said["continue_at"].as_str().expect("an address");
    let (place, parameters) = address.split_once('?').expect("parameters");
    assert_eq!(place, format!("{}/end", provider.issuer));
    let back = format!("http://{}/login", site.address);
    let asked = Asked::of(address);
    assert_eq!((asked.get("client_id"), asked.get("post_logout_redirect_uri")), (CLIENT, back.as_str()));
    assert_eq!(parameters.split('&').count(), 2, "nothing of the person");
    // Whoever has a password here is logged out by that.
    site.account("root", Role::Administrator).await;
    assert_eq!(leave(&site.log_in("root")), json!({}));
    // No such place, one that others could read, and nobody there to ask.
    provider.ends_at(None);
    assert_eq!(leave(&enter(&provider)), json!({}));
    provider.ends_at(Some("http://login.example/end"));
    assert_eq!(leave(&enter(&provider)), json!({}));
    let last = enter(&provider);
    provider.stop().await;
    assert_eq!(leave(&last), json!({}));
    assert_eq!(site.count("select count(*) from session").await, 0);
    assert_eq!(site.count("select count(*) from event where kind = 'logout'").await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_logged_out_at_the_provider_is_so_here() {
    let provider = Provider::start().await;
    let (site, _secret) = at(&provider).await;
    let enter = |subject: &str| {
        session(&site, &log_in(&site, &provider, subject, &["town-keyers"], json!({}))).expect("in")
    };
    let say = |token: &str| {
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        let body = format!("logout_token={token}");
        ask(site.address, "POST", "/login/oidc/backchannel-logout", &form, body.as_bytes()).status
    };
    let is_in = |person: &Person| person.get("/api/v1/me").status == 200;
    let (here, elsewhere, other) = (enter("sub-1"), enter("sub-1"), enter("sub-2"));
    let root = site.person("root", Role::Administrator).await;
    // What is no logout token, for this client, from this provider, of now.
    for wrong in [
        json!({ "nonce": "1" }),
        json!({ "aud": "another client" }),
        json!({ "iss": "http://localhost:1" }),
        json!({ "exp": 1_600_000_000 }),
        json!({ "exp": null }),
        json!({ "events": null }),
        json!({ "events": { "http://schemas.openid.net/event/another": {} } }),
        json!({ "sub": null, "sid": "1" }),
    ] {
        assert_eq!(say(&provider.logout_token("logout+jwt", "sub-1", &wrong)), 400, "{wrong}");
    }
    let right = provider.logout_token("logout+jwt", "sub-1", &json!({}));
    let (unsigned, _) = right.rsplit_once('.').expect("a signature");
    let foreign = provider.foreign_logout_token("sub-1");
    let another = provider.logout_token("at+jwt", "sub-1", &json!({}));
    for wrong in ["", "1.2.3", unsigned, &format!("{unsigned}."), &foreign, &another] {
        assert_eq!(say(wrong), 400, "{wrong}");
    }
    assert!([&here, &elsewhere, &other, &root].into_iter().all(is_in));
    // All sessions of that person end, and nobody else's; the same token again finds none.
    assert_eq!((say(&right), say(&right)), (200, 200));
    assert!(![&here, &elsewhere].into_iter().any(is_in));
    assert!([&other, &root].into_iter().all(is_in));
    assert_eq!(say(&provider.logout_token("JWT", "sub-2", &json!({}))), 200, "as providers called it before");
    assert!(!is_in(&other));
    assert_eq!(say(&provider.logout_token("logout+jwt", "sub-3", &json!({}))), 200, "nobody's");
    assert_eq!(site.count("select count(*) from event where kind = 'logout' and actor = 'oidc'").await, 2);
    assert_eq!(site.count("select count(*) from event where event::text ~ 'sub-1|eyJ'").await, 0);
    assert!(is_in(&enter("sub-1")), "and may come back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_goes_to_the_provider_and_comes_back_logged_in() {
    let provider = Provider::start().await;
    let (site, _secret) = at(&provider).await;
    provider.logged_in(json!({ "sub": "sub-1", "groups": ["town-reviewers"], "preferred_username": "sato" }));
    let browser = Browser::start();
    browser.open(&format!("http://{}/", site.address));
    browser.until("document.querySelector('#oidc')");
    legible(&browser, "login");
    browser.run("document.querySelector('#oidc').focus()");
    browser.keys(key::ENTER);
    browser.until("location.pathname === '/work'");
    browser.sees("sato · 確認担当");
    browser.sees("いま作業はありません");
    browser.run("document.querySelector('#logout').click()");
    browser.until("location.pathname === '/login'");
    browser.until("document.querySelector('#oidc')");
    browser.run("document.querySelector('#oidc').click()");
    browser.sees("ログインが取り消されました");
    provider.logged_in(json!({ "sub": "sub-2", "groups": ["strangers"] }));
    browser.until("document.querySelector('#oidc')");
    browser.run("document.querySelector('#oidc').click()");
    browser.sees("役割がひとつに割り当てられていません");
    legible(&browser, "login, after a failure");
    // What somebody else writes into the address is not shown.
    browser.open(&format!("http://{}/login?failed=call+0120", site.address));
    browser.until("document.querySelector('#oidc')");
    assert!(!browser.text().contains("0120"));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_provider_there_is_no_such_login() {
    let site = DeskSite::start().await;
    for path in ["/login/oidc", "/login/oidc/back?code=1&state=1"] {
        assert_eq!(Person::nobody(site.address).get(path).status, 404);
    }
    let token = ask(site.address, "POST", "/login/oidc/backchannel-logout", &[], b"logout_token=1.2.3");
    assert_eq!(token.status, 404);
    assert!(!Person::nobody(site.address).get("/login").text().contains("data-oidc"));
}
