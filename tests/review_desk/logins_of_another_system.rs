//! OpenID Connect: who comes in by the provider's word, as what, and what is not taken for its word.

use serde_json::{Value, json};
use uketsuke::review::{AccountName, Role};
use uketsuke::store::accounts::{self, Change};

use crate::browser::{Browser, key};
use crate::desk::{self, DeskSite, PASSWORD, Person};
use crate::every_page_can_be_read::legible;
use crate::http::{Answer, ask};
use crate::oidc_provider::{self, Asked, Provider};

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
    assert!(!Person::nobody(site.address).get("/login").text().contains("data-oidc"));
}
