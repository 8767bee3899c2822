//! The review desk lets in who has an account, gives each role what the table of routes says, and nothing
//! else: tried with every route and every role, and in the ways in which it would be attacked.

use std::time::Duration;

use serde_json::json;
use uketsuke::review::routes::{Access, Route, routes};
use uketsuke::review::{ApiToken, Role, Scope};
use uketsuke::store::api_tokens;

use crate::desk::{DeskSite, PASSWORD, Person};
use crate::http::ask;
use crate::readings::application;

/// A path of that route; what its parts name need not exist.
fn path_of(route: &Route) -> String {
    let id = application(1).to_string();
    match route.path {
        "/api/v1/applications/{id}" => format!("/api/v1/applications/{id}"),
        "/static/{name}" => "/static/desk.css".to_owned(),
        "/texts/{language}" => "/texts/ja".to_owned(),
        path => path.replace("{id}", "1").replace("{place}", "0"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_admits_the_roles_of_the_table_and_no_others() {
    let site = DeskSite::start().await;
    let mut people = Vec::new();
    for role in Role::ALL {
        people.push((Some(role), site.person(role.name(), role).await));
    }
    people.push((None, Person::nobody(site.address)));
    // An invented session is nobody, too.
    let forged =
        Person { cookie: format!("__Host-uketsuke={}", "0".repeat(64)), ..Person::nobody(site.address) };
    people.push((None, forged));
    for route in routes() {
        let path = path_of(&route);
        for (role, person) in &people {
            // It would end the session that the others are tried with.
            if route.path == "/api/v1/logout" && role.is_some() {
                continue;
            }
            let answer = match route.method.as_str() {
                "GET" => person.get(&path),
                _ => person.post(&path, &json!({})),
            };
            let code = serde_json::from_slice::<serde_json::Value>(&answer.body)
                .ok()
                .map(|body| body["code"].clone());
            let turned_away = match role {
                // Pages send whoever may not have them elsewhere.
                None if !route.path.starts_with("/api/") => {
                    answer.status == 303 && answer.header("location") == Some("/login")
                }
                Some(_) if !route.path.starts_with("/api/") => {
                    answer.status == 303 && answer.header("location") == Some("/")
                }
                None => answer.status == 401 && code == Some(json!("not_logged_in")),
                Some(_) => answer.status == 403,
            };
            assert_eq!(turned_away, !route.access.admits(*role), "{role:?} {path}: {}", answer.status);
            assert!(
                answer
                    .header("content-security-policy")
                    .is_some_and(|policy| policy.starts_with("default-src 'none'"))
            );
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_changed_without_the_token_that_only_our_pages_know() {
    let site = DeskSite::start().await;
    let keyer = site.person("k1", Role::Keyer).await;
    for route in routes().iter().filter(|route| route.method == "POST" && route.access != Access::Anyone) {
        for csrf in ["", "0", &"0".repeat(64)] {
            let person = Person { csrf: csrf.to_owned(), ..keyer.clone() };
            assert_eq!(person.post(&path_of(route), &json!({})).status, 403, "{}", route.path);
        }
    }
    // A page of another site, in a browser that has the cookie all the same.
    let headers = [
        ("Cookie", keyer.cookie.as_str()),
        ("X-CSRF-Token", &keyer.csrf),
        ("Content-Type", "application/json"),
        ("Sec-Fetch-Site", "cross-site"),
    ];
    assert_eq!(ask(site.address, "POST", "/api/v1/tasks/claim", &headers, b"{}").status, 403);
    let login = json!({ "name": "k1", "password": PASSWORD }).to_string();
    let foreign = [("Content-Type", "application/json"), ("Origin", "https://evil.example")];
    assert_eq!(ask(site.address, "POST", "/api/v1/login", &foreign, login.as_bytes()).status, 403);
    // What a form of another site can send without asking.
    let form = [("Content-Type", "text/plain")];
    assert_ne!(ask(site.address, "POST", "/api/v1/login", &form, login.as_bytes()).status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_new_at_every_login_and_ends_with_its_account() {
    let site = DeskSite::start().await;
    site.account("r1", Role::Reviewer).await;
    // Somebody planted a session of their own choice in the browser.
    let planted = format!("__Host-uketsuke={}", "ab".repeat(32));
    let body = json!({ "name": "r1", "password": PASSWORD }).to_string();
    let headers = [("Cookie", planted.as_str()), ("Content-Type", "application/json")];
    let answer = ask(site.address, "POST", "/api/v1/login", &headers, body.as_bytes());
    let cookie = answer.header("set-cookie").expect("a cookie").to_owned();
    assert!(!cookie.contains(&"ab".repeat(32)));
    for part in ["HttpOnly", "SameSite=Strict", "Secure", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert_eq!(Person { cookie: planted, ..Person::nobody(site.address) }.get("/api/v1/me").status, 401);
    // Logging in again ends the session that the browser had.
    let first = site.log_in("r1");
    let headers = [("Cookie", first.cookie.as_str()), ("Content-Type", "application/json")];
    assert_eq!(ask(site.address, "POST", "/api/v1/login", &headers, body.as_bytes()).status, 200);
    assert_eq!(first.get("/api/v1/me").status, 401);
    // Logging out ends it in the database, not only in the browser.
    let second = site.log_in("r1");
    assert_eq!(second.post("/api/v1/logout", &json!({})).status, 200);
    assert_eq!(second.get("/api/v1/me").status, 401);
    // An administrator takes the account away: at once.
    let third = site.log_in("r1");
    let administrator = site.person("root", Role::Administrator).await;
    let change = json!({ "name": "r1", "active": false });
    assert_eq!(administrator.post("/api/v1/accounts/change", &change).status, 200);
    assert_eq!(third.get("/api/v1/me").status, 401);
    let again =
        Person::nobody(site.address).post("/api/v1/login", &json!({ "name": "r1", "password": PASSWORD }));
    assert_eq!(again.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_nothing_is_logged_out() {
    let site = DeskSite::start().await;
    let keyer = site.person("k1", Role::Keyer).await;
    site.execute("update session set seen_at = now() - interval '29 minutes'").await;
    let unattended = [("Cookie", keyer.cookie.as_str()), ("X-Unattended", "1")];
    assert_eq!(ask(site.address, "GET", "/api/v1/me", &unattended, b"").status, 200, "a page by itself");
    let seen = "select count(*) from session where seen_at > now() - interval '1 minute'";
    assert_eq!(site.count(seen).await, 0, "keeps nobody logged in");
    assert_eq!(keyer.get("/api/v1/me").status, 200);
    assert_eq!(site.count(seen).await, 1, "a person does");
    site.execute("update session set seen_at = now() - interval '31 minutes'").await;
    assert_eq!(keyer.get("/api/v1/me").status, 401);
    let keyer = site.log_in("k1");
    site.execute("update session set created_at = now() - interval '13 hours'").await;
    assert_eq!(keyer.get("/api/v1/me").status, 401, "however busy");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_fails_too_often_waits_whether_it_exists_or_not() {
    let site = DeskSite::start().await;
    site.account("k1", Role::Keyer).await;
    let try_login = |name: &str, password: &str| {
        Person::nobody(site.address).post("/api/v1/login", &json!({ "name": name, "password": password }))
    };
    for name in ["k1", "nobody-at-all", "<script>"] {
        for _ in 0..5 {
            let answer = try_login(name, "wrong");
            assert_eq!((answer.status, answer.json()["code"].clone()), (401, json!("wrong_login")), "{name}");
        }
        assert_eq!(try_login(name, PASSWORD).status, 429, "{name}");
    }
    site.execute("update login_failure set last_at = now() - interval '16 minutes'").await;
    assert_eq!(try_login("k1", PASSWORD).status, 200);
    // What was typed is in no event.
    let named = site
        .count("select count(*) from event where event::text ~ 'nobody-at-all|script|wrong[^_]|battery'")
        .await;
    assert_eq!(named, 0);
    let failed = site.count("select count(*) from event where kind = 'login.failed'").await;
    assert_eq!(failed, 15);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reaches_a_picture_by_its_name_or_without_holding_its_task() {
    let site = DeskSite::start().await;
    let (first, second) = (site.person("r1", Role::Reviewer).await, site.person("r2", Role::Reviewer).await);
    let keyer = site.person("k1", Role::Keyer).await;
    site.capture(application(1), &[("phone", "0451234567", 0.5)]).await;
    let task = first.claim(&["verify"]);
    let picture = task["fields"][0]["picture"].as_str().expect("a picture").to_owned();
    let answer = first.get(&picture);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("image/png")));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(second.get(&picture).status, 404, "held by somebody else");
    let page = task["pages"][0]["picture"].as_str().expect("a page").to_owned();
    assert_eq!(first.get(&page).status, 200);
    assert_eq!(keyer.get(&page).status, 403, "keyers see no pages");
    for path in [
        "/api/v1/tasks/1/fields/..%2f..%2fpages%2f0",
        "/api/v1/tasks/1/fields/../../../../etc/passwd",
        "/api/v1/tasks/1/fields/%2e%2e",
        "/api/v1/tasks/1/fields/1",
        "/api/v1/tasks/1/fields/-1",
        "/api/v1/tasks/99999999999999999999/fields/0",
        "/static/..%2f..%2fmod.rs",
        "/static/../mod.rs",
        "/texts/..%2fja",
    ] {
        let answer = first.get(path);
        assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.status);
    }
    let seen = site.count("select count(*) from event where kind = 'image.viewed' and actor = 'r1'").await;
    assert_eq!(seen, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversized_body_is_refused_before_it_is_read() {
    let site = DeskSite::start().await;
    let keyer = site.person("k1", Role::Keyer).await;
    let huge = format!("{{\"kinds\":[\"{}\"]}}", "x".repeat(1 << 20));
    let headers = [
        ("Cookie", keyer.cookie.as_str()),
        ("X-CSRF-Token", &keyer.csrf),
        ("Content-Type", "application/json"),
    ];
    for path in ["/api/v1/tasks/claim", "/api/v1/tasks/1/submit", "/api/v1/login"] {
        let answer = ask(site.address, "POST", path, &headers, huge.as_bytes());
        assert!(matches!(answer.status, 401 | 413), "{path}: {}", answer.status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_has_the_routes_of_its_scopes_and_no_others() {
    let site = DeskSite::start().await;
    let token = async |name: &str, scopes: &[Scope]| {
        let (name, token) = (name.parse().expect("a name"), ApiToken::new().expect("random"));
        let hour = Duration::from_secs(3600);
        assert!(
            api_tokens::add(&site.database, "test", &name, token.digest(), scopes, hour)
                .await
                .expect("added")
        );
        token.reveal().to_owned()
    };
    let ask_with = |route: &Route, bearer: &str| {
        let headers = [("Authorization", bearer), ("Content-Type", "application/json")];
        ask(site.address, route.method.as_str(), &path_of(route), &headers, b"{}")
    };
    for scope in Scope::ALL {
        let token = token(scope.name(), &[scope]).await;
        for route in routes().iter().filter(|route| route.access != Access::Anyone) {
            let status = ask_with(route, &format!("Bearer {token}")).status;
            // Pages send whoever may not have them elsewhere.
            let turned_away = if route.path.starts_with("/api/") { status == 403 } else { status == 303 };
            assert_eq!(turned_away, !route.scopes.contains(&scope), "{scope:?} {}: {status}", route.path);
        }
    }
    let board = routes().into_iter().find(|route| route.path == "/api/v1/board").expect("a route");
    let (gone, late) = (token("gone", &[Scope::Board]).await, token("late", &[Scope::Board]).await);
    assert!(
        api_tokens::revoke(&site.database, "test", &"gone".parse().expect("a name")).await.expect("revoked")
    );
    site.execute(
        "update api_token set created_at = now() - interval '2 days', expires_at = now() - interval '1 day'
         where name = 'late'",
    )
    .await;
    let forged = format!("uketsuke_{}", "0".repeat(64));
    for bearer in [
        format!("Bearer {gone}"),
        format!("Bearer {late}"),
        format!("Bearer {forged}"),
        "Basic eDp5".to_owned(),
    ] {
        assert_eq!(ask_with(&board, &bearer).status, 401, "{bearer}");
    }
    // Nobody gets in with a token that does not hold by having a session besides.
    let supervisor = site.person("s1", Role::Supervisor).await;
    let headers = [("Authorization", "Bearer x"), ("Cookie", supervisor.cookie.as_str())];
    assert_eq!(ask(site.address, "GET", "/api/v1/board", &headers, b"").status, 401);
    // What a machine did is told by its own name, and the token is nowhere.
    let used = token("used", &[Scope::Inquiry]).await;
    let search = routes().into_iter().find(|route| route.path == "/api/v1/search").expect("a route");
    let headers =
        [("Authorization", format!("Bearer {used}")), ("Content-Type", "application/json".to_owned())];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let body = json!({ "application_id": application(1) }).to_string();
    assert_eq!(ask(site.address, "POST", search.path, &headers, body.as_bytes()).status, 200);
    let told = "select count(*) from event where kind = 'search.made' and actor = 'token:used'";
    assert_eq!(site.count(told).await, 1);
    let kept =
        sqlx::query_scalar::<_, i64>("select count(*) from event where event::text like '%' || $1 || '%'")
            .bind(&used[9..])
            .fetch_one(&mut site.sql().await)
            .await
            .expect("a count");
    assert_eq!(kept, 0);
}
