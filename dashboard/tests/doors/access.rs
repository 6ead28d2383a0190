//! Who may come in.

use linkbeat_dashboard::{Dashboard, DashboardSettings, Unprotected};
use linkbeat_store::Scope;
use serde_json::{Value, json};

use crate::served::{HASH, Served, ports, store};

fn closed() -> Value {
    json!({ "password_hash": HASH })
}

#[tokio::test]
async fn it_is_open_to_this_machine_alone_where_nobody_says_more() {
    let open = Served::with(json!({})).await;
    assert_eq!(open.get("/").await.status, 200);
    for (host, status) in [
        ("localhost:8080", 200),
        ("[::1]", 200),
        ("127.9.9.9", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("10.0.0.1", 403),
        ("", 403),
    ] {
        assert_eq!(open.ask("GET /", &[("host", host)], "").await.status, status, "{host}");
    }
    let named = Served::with(json!({ "hosts": ["links.example"] })).await;
    assert_eq!(named.ask("GET /", &[("host", "links.example:443")], "").await.status, 200);
    assert_eq!(named.ask("GET /", &[("host", "links.example.evil")], "").await.status, 403);
}

#[tokio::test]
async fn it_is_served_to_others_only_if_something_says_who_may_come_in() {
    let refused = async |settings: Value, has_token: bool| {
        let (store, _folder) = store().await;
        if has_token {
            store.add_token(&"a".parse().unwrap(), &[1; 32], Scope::Read).await.unwrap();
        }
        let settings: DashboardSettings = serde_json::from_value(settings).unwrap();
        Dashboard::new(settings, ports(&store)).await.err()
    };
    for listen in ["0.0.0.0:8080", "[::]:8080", "192.0.2.1:1"] {
        let error = refused(json!({ "listen": listen }), false).await.unwrap();
        assert!(matches!(error, Unprotected::Open(_)), "{listen}: {error}");
        let advice = error.advice();
        for way in ["dashboard password", "tokens add", "--open-read", "127.0.0.1"] {
            assert!(advice.contains(way), "{advice}");
        }
        assert!(refused(json!({ "listen": listen, "password_hash": HASH }), false).await.is_none());
        assert!(refused(json!({ "listen": listen, "open_read": true }), false).await.is_none());
        assert!(refused(json!({ "listen": listen }), true).await.is_none());
    }
    assert!(refused(json!({ "listen": "[::ffff:127.0.0.1]:1" }), false).await.is_none());
}

#[tokio::test]
async fn a_password_opens_a_session_until_the_logout() {
    let closed = Served::with(json!({ "password_hash": HASH, "base_path": "/x/y" })).await;
    let accepts = [("accept", "text/html,*/*")];
    let led = closed.ask("GET /x/y/links?a=b%20c", &accepts, "").await;
    assert_eq!((led.status, led.header("location")), (303, Some("/x/y/login?back=%2Flinks%3Fa%3Db%2520c")));
    assert_eq!(closed.get("/x/y/").await.status, 401, "no browser is led anywhere");
    assert_eq!(closed.get("/x/y/login").await.status, 200);

    assert_eq!(closed.log_in("/x/y/login", "wrong").await.0.status, 403);
    let (answer, cookie) = closed.log_in("/x/y/login", "correct horse").await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/x/y/")));
    let set = answer.header("set-cookie").unwrap();
    for part in ["HttpOnly", "SameSite=Lax", "Path=/x/y;", "Max-Age=604800"] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains("Secure"), "{set}");
    let with = [("cookie", cookie.as_str())];
    assert_eq!(closed.ask("GET /x/y/", &with, "").await.status, 200);
    let other = format!("{cookie}x");
    assert_eq!(closed.ask("GET /x/y/", &[("cookie", &other)], "").await.status, 401);

    let out = closed.ask("POST /x/y/logout", &with, "").await;
    assert_eq!((out.status, out.header("location")), (303, Some("/x/y/login")));
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(closed.ask("GET /x/y/", &with, "").await.status, 401, "the session has ended");
}

#[tokio::test]
async fn the_cookie_is_for_https_where_the_page_is() {
    let closed = Served::with(json!({ "password_hash": HASH, "trusted_proxies": ["127.0.0.0/8"] })).await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    let body = "password=correct+horse";
    let secure = async |header| {
        let answer = closed.ask("POST /login", &[form, header], body).await;
        answer.header("set-cookie").unwrap().ends_with("; Secure")
    };
    assert!(secure(("x-forwarded-proto", "https")).await);
    assert!(!secure(("x-forwarded-proto", "http")).await);
    let page = [form, ("host", "links.example"), ("origin", "https://links.example")];
    let answer = closed.ask("POST /login", &page, body).await;
    assert!(answer.header("set-cookie").unwrap().ends_with("; Secure"));
    let not_trusted = Served::with(self::closed()).await;
    let answer = not_trusted.ask("POST /login", &[form, ("x-forwarded-proto", "https")], body).await;
    assert!(!answer.header("set-cookie").unwrap().contains("Secure"));
}

#[tokio::test]
async fn passwords_cannot_be_tried_without_end() {
    let closed = Served::with(json!({ "password_hash": HASH, "trusted_proxies": ["127.0.0.0/8"] })).await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    let tried = async |address: &str, password: &str| {
        let body = format!("password={password}");
        closed.ask("POST /login", &[form, ("x-forwarded-for", address)], &body).await
    };
    for _ in 0..5 {
        assert_eq!(tried("192.0.2.1", "wrong").await.status, 403);
    }
    let answer = tried("192.0.2.1", "correct+horse").await;
    assert_eq!(answer.status, 429, "the right one neither");
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() <= 13);
    assert_eq!(tried("192.0.2.2", "correct+horse").await.status, 303, "somebody else is not held up");
    assert_eq!(
        tried("6.6.6.6, 192.0.2.1", "wrong").await.status,
        429,
        "what a client itself says does not count"
    );
}

#[tokio::test]
async fn a_long_secret_is_refused_and_a_large_form_too() {
    let closed = Served::with(closed()).await;
    assert_eq!(closed.log_in("/login", &"a".repeat(2_000)).await.0.status, 403);
    assert_eq!(closed.log_in("/login", &"a".repeat(20_000)).await.0.status, 413);
}

#[tokio::test]
async fn a_token_may_what_its_scope_says_until_it_is_removed() {
    let closed = Served::with(closed()).await;
    let (read, write) = (closed.token("r", Scope::Read).await, closed.token("w", Scope::Write).await);
    assert!(read.starts_with("lb_") && read.len() > 40, "{read}");
    assert_eq!(closed.get_with("/", &read).await.status, 200);
    let posted = async |token: &str| {
        closed.ask("POST /", &[("authorization", &format!("Bearer {token}"))], "").await.status
    };
    assert_eq!((posted(&read).await, posted(&write).await, posted("lb_x").await), (403, 405, 401));
    assert!(closed.store.remove_token("r").await.unwrap());
    let answer = closed.get_with("/", &read).await;
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")));
}

#[tokio::test]
async fn a_token_can_log_in_and_its_session_ends_with_it() {
    let closed = Served::with(closed()).await;
    let read = closed.token("r", Scope::Read).await;
    let (answer, cookie) = closed.log_in("/login", &read).await;
    assert_eq!(answer.status, 303);
    let with = [("cookie", cookie.as_str())];
    assert_eq!(closed.ask("GET /", &with, "").await.status, 200);
    assert_eq!(closed.ask("POST /", &with, "").await.status, 403);
    closed.store.remove_token("r").await.unwrap();
    assert_eq!(closed.ask("GET /", &with, "").await.status, 401);
    assert_eq!(closed.log_in("/login", &read).await.0.status, 403);
}

#[tokio::test]
async fn another_password_ends_all_sessions() {
    let closed = Served::with(closed()).await;
    let (_, cookie) = closed.log_in("/login", "correct horse").await;
    let secret = cookie.split_once('=').unwrap().1;
    assert!(!format!("{:?}", closed.store.tokens().await.unwrap()).contains(secret));
    let other = "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx1$AXHdF4mL904oNaPL9T+0dh0eETmbLgyJbmeHYeJ+Lrs";
    let moved = Served::of(json!({ "password_hash": other }), closed.store.clone()).await;
    assert_eq!(moved.ask("GET /", &[("cookie", &cookie)], "").await.status, 401);
}

#[tokio::test]
async fn everybody_may_look_where_that_is_set_and_nothing_more() {
    let open = Served::with(json!({ "listen": "0.0.0.0:8080", "open_read": true })).await;
    assert_eq!(open.get("/").await.status, 200);
    assert_eq!(open.ask("GET /", &[("host", "any.example")], "").await.status, 200);
    assert_eq!(open.ask("POST /api/v1/none", &[], "").await.status, 404, "the router comes first");
    assert_eq!(open.ask("POST /", &[], "").await.status, 401);
    let write = open.token("w", Scope::Write).await;
    let posted = open.ask("POST /", &[("authorization", &format!("Bearer {write}"))], "").await;
    assert_eq!(posted.status, 405);
    assert_eq!(open.get_with("/", "lb_wrong").await.status, 401, "a wrong token is never taken for none");
}

#[tokio::test]
async fn pages_of_other_sites_change_nothing() {
    let open = Served::with(json!({ "trusted_origins": ["https://links.example"] })).await;
    let ours = format!("http://{}", open.address);
    for (site, origin, status) in [
        (None, None, 405),
        (Some("same-origin"), Some(ours.as_str()), 405),
        (Some("same-origin"), Some("https://rewritten.example"), 405),
        (None, Some(ours.as_str()), 405),
        (Some("cross-site"), Some("https://links.example"), 405),
        (Some("cross-site"), Some("https://evil.example"), 403),
        (Some("same-site"), None, 403),
        (None, Some("https://evil.example"), 403),
        (None, Some("null"), 403),
    ] {
        let headers: Vec<_> = [("sec-fetch-site", site), ("origin", origin)]
            .into_iter()
            .filter_map(|(k, v)| Some((k, v?)))
            .collect();
        for method in ["POST", "PUT", "DELETE", "TRACE"] {
            let answer = open.ask(&format!("{method} /"), &headers, "").await;
            assert_eq!(answer.status, status, "{method} {site:?} {origin:?}");
        }
        assert_eq!(open.ask("GET /", &headers, "").await.status, 200, "looking changes nothing");
    }
    // What a browser cannot send from another site needs no proof.
    let token = open.token("w", Scope::Write).await;
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("origin", "https://evil.example")];
    assert_eq!(open.ask("POST /", &headers, "").await.status, 405);
}

#[tokio::test]
async fn odd_paths_are_refused() {
    let open = Served::with(json!({})).await;
    for path in ["/%00", "/links/%00", "/?q=%00", "/%ff", "/a%0d%0ab", "/?a=%ED%A0%80"] {
        let answer = open.get(path).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.header("content-type").unwrap().starts_with("text/plain"));
    }
    let problem = open.get("/api/v1/%00").await;
    assert_eq!((problem.status, problem.header("content-type")), (400, Some("application/problem+json")));
    let body: Value = serde_json::from_str(&problem.body).unwrap();
    assert_eq!((&body["status"], &body["title"]), (&json!(400), &json!("Bad Request")));
}

#[tokio::test]
async fn every_answer_says_what_browsers_may_do() {
    let closed = Served::with(closed()).await;
    for path in ["/", "/login", "/nowhere", "/api/v1/x", "/feed/x", "/%00"] {
        let answer = closed.get(path).await;
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"), "{path}");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{path}");
        assert!(answer.header("cache-control").is_some(), "{path}");
    }
}

#[tokio::test]
async fn nobody_is_led_to_another_site_by_the_login() {
    let closed = Served::with(closed()).await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for (back, to) in [
        ("%2Flinks%3Fa", "/links?a"),
        ("%2F%2Fevil.example", "/"),
        ("https%3A%2F%2Fevil.example", "/"),
        ("%2F%5Cevil.example", "/"),
        ("%2Fa%0D%0Aset-cookie%3Ax", "/"),
    ] {
        let body = format!("password=correct+horse&back={back}");
        let answer = closed.ask("POST /login", &form, &body).await;
        assert_eq!((answer.status, answer.header("location")), (303, Some(to)), "{back}");
    }
    let page = closed.get("/login?back=%2F%22%3E%3Cscript%3E").await;
    assert!(!page.body.contains("<script>"), "{}", page.body);
}

#[tokio::test]
async fn a_token_forgives_no_wrong_passwords() {
    let closed = Served::with(closed()).await;
    let token = closed.token("r", Scope::Read).await;
    for _ in 0..4 {
        assert_eq!(closed.log_in("/login", "wrong").await.0.status, 403);
    }
    assert_eq!(closed.log_in("/login", &token).await.0.status, 303);
    assert_eq!(
        closed.log_in("/login", "wrong").await.0.status,
        429,
        "the login by a token was the fifth try"
    );
}

#[tokio::test]
async fn strangers_take_no_places_of_those_who_are_known() {
    let open = Served::with(json!({ "listen": "0.0.0.0:8080", "open_read": true })).await;
    let token = open.token("r", Scope::Read).await;
    let form = "POST /login HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\
                content-type: application/x-www-form-urlencoded\r\n\r\n";
    let mut strangers = Vec::new();
    for _ in 0..64 {
        strangers.push(open.open(form).await);
    }
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let (stranger, known) = tokio::join!(open.get("/links"), open.get_with("/links", &token));
    assert_eq!((stranger.status, known.status), (503, 200));
    drop(strangers);
    assert_eq!(open.get("/links").await.status, 200);
}
