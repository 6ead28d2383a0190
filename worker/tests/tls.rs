//! Handshakes and HTTP/2, where the table of the hostile site does not reach.

use std::net::Ipv4Addr;

use linkbeat_shared::{ConnectKind, LinkUrl, Reason, TlsKind, Verdict};
use linkbeat_worker::{Engine, WorkerSettings};

use crate::site::name_server::{NameServer, Says};
use crate::site::tls::Authority;
use crate::site::{Site, answer, page, redirect};
use crate::{asking_for, assert_judged, check_with, settings, within, without_retries};

const HOST: &str = "127.0.0.1";

/// An engine that trusts this authority besides the system's.
fn trusting(authority: &Authority) -> Engine {
    let file = authority.file();
    Engine::new(&WorkerSettings { extra_ca: Some(file.path().to_owned()), ..settings() }).unwrap()
}

#[tokio::test]
async fn a_connection_lost_in_the_handshake_is_tried_again() {
    let site = Site::plays(|mut visit, number| async move {
        tokio::io::AsyncReadExt::read(&mut visit.stream, &mut [0; 2_048]).await.unwrap();
        if number == 1 {
            visit.reset();
        }
    })
    .await;
    let engine = Engine::new(&settings()).unwrap();
    let result = check_with(&engine, &site.https_url(), &within(5_000)).await;
    assert_judged(&result, Verdict::Down, Reason::Connect { kind: ConnectKind::Closed });
    assert_eq!(site.visits(), 2);
}

#[tokio::test]
async fn http2_is_spoken_where_the_server_offers_it() {
    let authority = Authority::new("trusted");
    let identity = authority.vouches_for(HOST, |_| {});
    let site = Site::plays_http2_at(Ipv4Addr::LOCALHOST, identity, |request| match request.path.as_str() {
        "/" => request.answer(hyper::Response::new(()), "the backlink"),
        _ => request.reset(h2::Reason::INTERNAL_ERROR),
    })
    .await;
    let engine = trusting(&authority);
    let result = check_with(&engine, &site.https_url(), &asking_for("the backlink")).await;
    assert_judged(&result, Verdict::Up, None);
    let broken = site.https_url().join("/broken").unwrap();
    let result = check_with(&engine, &broken, &without_retries(within(5_000))).await;
    assert_judged(&result, Verdict::Down, Reason::Protocol);
}

/// A name server that has every name at 127.0.0.1.
async fn everything_here() -> NameServer {
    NameServer::that(|_| Says::Addresses(vec![Ipv4Addr::LOCALHOST.into()])).await
}

#[tokio::test]
async fn names_that_begin_or_end_with_a_hyphen_are_served_over_tls() {
    let (authority, names) = (Authority::new("trusted"), everything_here().await);
    let engine = {
        let file = authority.file();
        let extra_ca = Some(file.path().to_owned());
        Engine::new(&WorkerSettings { extra_ca, resolver: vec![names.address()], ..settings() }).unwrap()
    };
    let checked = async |host: &str, shown: &str| {
        let site = Site::plays_over_tls(authority.vouches_for(shown, |_| {}), &[], |mut visit| async move {
            visit.request().await;
            visit.send(page("the backlink")).await;
        })
        .await;
        let url = format!("https://{host}:{}/", site.address().port());
        check_with(&engine, &LinkUrl::parse(&url).unwrap(), &asking_for("the backlink")).await
    };
    for host in ["a-.test", "-a.test", "a-.b_c.test", "_a.test", "a_.test", "a--b.test"] {
        let result = checked(host, host).await;
        assert_eq!(result.verdict, Some(Verdict::Up), "{host}: {:?}", result.reason);
    }
    assert_eq!(checked("a-.test", "*.test").await.verdict, Some(Verdict::Up), "by a wildcard");
    let unsupported = Reason::Tls { kind: TlsKind::UnsupportedName };
    assert_judged(&checked("a-.test", "b.test").await, Verdict::Down, unsupported);
}

#[tokio::test]
async fn the_user_goes_along_within_an_origin_and_not_beyond_it() {
    let asked = |request: &str| request.to_lowercase().contains("authorization: basic bwu6c2vjcmv0");
    let other = Site::plays(move |mut visit, _| async move {
        let request = visit.request().await;
        visit.send(if asked(&request) { answer("418 Told", &[], "") } else { page("hello") }).await;
    })
    .await;
    let away = other.url("/").expose().to_owned();
    let site = Site::plays(move |mut visit, _| {
        let away = away.clone();
        async move {
            let request = visit.request().await;
            let host =
                request.split("host: ").nth(1).unwrap_or_default().split("\r\n").next().unwrap().to_owned();
            let reply = match request.split(' ').nth(1).unwrap_or_default() {
                _ if !asked(&request) => answer("401 Unauthorized", &[], ""),
                "/absolute" => redirect("302 Found", &format!("http://{host}/page")),
                "/relative" => redirect("302 Found", "page"),
                "/away" => redirect("302 Found", &away),
                _ => page("hello"),
            };
            visit.send(reply).await;
        }
    })
    .await;
    for path in ["/page", "/absolute", "/relative", "/away"] {
        let url = LinkUrl::parse(&format!("http://me:secret@{}{path}", site.address())).unwrap();
        let result = check_with(&Engine::new(&settings()).unwrap(), &url, &within(5_000)).await;
        assert_judged(&result, Verdict::Up, None);
    }
}

#[tokio::test]
async fn a_page_that_ends_with_the_connection_need_not_end_tls() {
    let authority = Authority::new("trusted");
    let identity = authority.vouches_for(HOST, |_| {});
    let site = Site::plays_over_tls(identity, &[], |mut visit| async move {
        let request = visit.request().await;
        let head = if request.contains("/cut") { "Content-Length: 99\r\n" } else { "" };
        visit.send(format!("HTTP/1.1 200 OK\r\n{head}\r\nnothing")).await;
        // Dropped, and not shut down: no close_notify is sent.
    })
    .await;
    let (engine, asked) = (trusting(&authority), without_retries(asking_for("the backlink")));
    let whole = check_with(&engine, &site.https_url(), &asked).await;
    assert_judged(&whole, Verdict::NoBacklink, Reason::BacklinkMissing { truncated: false });
    let cut = check_with(&engine, &site.https_url().join("/cut").unwrap(), &asked).await;
    assert_judged(&cut, Verdict::Down, Reason::BROKE_OFF);
}
