//! HTTP/2 where a library's limit must not become the site's fault.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use h2::server::SendResponse;
use linkbeat_shared::{Reason, Verdict};
use linkbeat_worker::{Engine, WorkerSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::site::Site;
use crate::site::tls::Authority;
use crate::{asking_for, assert_judged, check_with, settings, within, without_retries};

const HOST: &str = "127.0.0.1";

/// A site that speaks both, and plays `play` for each request over HTTP/2, counted from 1. Over HTTP/1.1 it has the
/// page.
async fn site(play: impl Fn(SendResponse<Bytes>, usize) + Send + Sync + 'static) -> (Site, Engine) {
    let authority = Authority::new("trusted");
    let identity = authority.vouches_for(HOST, |_| {});
    let (play, count) = (Arc::new(play), Arc::new(AtomicUsize::new(0)));
    let site = Site::plays_over_tls(identity, &[b"h2", b"http/1.1"], move |mut visit| {
        let (play, count) = (Arc::clone(&play), Arc::clone(&count));
        async move {
            if visit.stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                let mut connection = h2::server::handshake(visit.stream).await.unwrap();
                while let Some(Ok((_, respond))) = connection.accept().await {
                    play(respond, count.fetch_add(1, Ordering::SeqCst) + 1);
                }
            } else {
                visit.request().await;
                visit.send("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nthe backlink").await;
            }
        }
    })
    .await;
    let file = authority.file();
    let settings = WorkerSettings { extra_ca: Some(file.path().to_owned()), ..settings() };
    (site, Engine::new(&settings).unwrap())
}

fn answer(mut respond: SendResponse<Bytes>, headers: usize, length: usize) {
    let mut head = hyper::Response::builder();
    for number in 0..headers {
        head = head.header(format!("x-{number}"), "x".repeat(length));
    }
    let mut body = respond.send_response(head.body(()).unwrap(), false).unwrap();
    body.send_data(Bytes::from_static(b"the backlink"), true).unwrap();
}

#[tokio::test]
async fn large_headers_are_read() {
    for (headers, length) in [(1, 20_000), (30, 1_000), (100, 2_000), (2_000, 50)] {
        let (site, engine) = site(move |respond, _| answer(respond, headers, length)).await;
        let result = check_with(&engine, &site.https_url(), &asking_for("the backlink")).await;
        assert_eq!(result.verdict, Some(Verdict::Up), "{headers} headers of {length}: {:?}", result.reason);
    }
}

#[tokio::test]
async fn endless_headers_are_not() {
    let (site, engine) = site(|respond, _| answer(respond, 100, 10_000)).await;
    let result = check_with(&engine, &site.https_url(), &without_retries(within(5_000))).await;
    assert_judged(&result, Verdict::Down, Reason::Protocol);
}

#[tokio::test]
async fn a_site_that_wants_http_1_1_gets_it() {
    let (site, engine) = site(|mut respond, _| respond.send_reset(h2::Reason::HTTP_1_1_REQUIRED)).await;
    let result = check_with(&engine, &site.https_url(), &without_retries(asking_for("the backlink"))).await;
    assert_judged(&result, Verdict::Up, None);
}

#[tokio::test]
async fn a_request_that_was_not_looked_at_costs_no_retry() {
    let (site, engine) = site(|mut respond, number| match number {
        1 | 2 => respond.send_reset(h2::Reason::REFUSED_STREAM),
        _ => answer(respond, 0, 0),
    })
    .await;
    let result = check_with(&engine, &site.https_url(), &without_retries(asking_for("the backlink"))).await;
    assert_judged(&result, Verdict::Up, None);
}

/// HTTP/2 by hand: the frames of RFC 9113 §4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

#[tokio::test]
async fn a_connection_that_is_given_up_before_the_request_costs_no_retry() {
    for (case, code) in [("no error", 0_u32), ("http/1.1 required", 13)] {
        let authority = Authority::new("trusted");
        let identity = authority.vouches_for(HOST, |_| {});
        let count = Arc::new(AtomicUsize::new(0));
        let site = Site::plays_over_tls(identity, &[b"h2", b"http/1.1"], move |mut visit| {
            let first = count.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                if visit.stream.get_ref().1.alpn_protocol() == Some(b"h2") && first {
                    let settings = frame(4, 0, 0, &[]);
                    let go_away = frame(7, 0, 0, &[[0; 4], code.to_be_bytes()].concat());
                    // The request must have been sent.
                    let _ = visit.stream.read(&mut [0; 4_096]).await;
                    visit.stream.write_all(&settings).await.unwrap();
                    let _ = visit.stream.read(&mut [0; 4_096]).await;
                    visit.stream.write_all(&go_away).await.unwrap();
                    visit.wait_for_end().await;
                } else if visit.stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                    let mut connection = h2::server::handshake(visit.stream).await.unwrap();
                    while let Some(Ok((_, respond))) = connection.accept().await {
                        answer(respond, 0, 0);
                    }
                } else {
                    visit.request().await;
                    visit.send("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nthe backlink").await;
                }
            }
        })
        .await;
        let file = authority.file();
        let settings = WorkerSettings { extra_ca: Some(file.path().to_owned()), ..settings() };
        let engine = Engine::new(&settings).unwrap();
        let spec = without_retries(asking_for("the backlink"));
        let result = check_with(&engine, &site.https_url(), &spec).await;
        assert_eq!(result.verdict, Some(Verdict::Up), "{case}: {:?}", result.reason);
    }
}

/// Over HTTP/2 the site sends these bytes when the request is there, and over HTTP/1.1 it has the page.
async fn answering_by_hand(bytes: Vec<u8>) -> (Site, Engine) {
    let authority = Authority::new("trusted");
    let identity = authority.vouches_for(HOST, |_| {});
    let site = Site::plays_over_tls(identity, &[b"h2", b"http/1.1"], move |mut visit| {
        let bytes = bytes.clone();
        async move {
            if visit.stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                // The preface and the request; they may come together.
                let mut read = Vec::new();
                while read.len() < 150
                    && visit.stream.read_buf(&mut read).await.is_ok_and(|length| length > 0)
                {}
                visit.send(bytes).await;
                visit.wait_for_end().await;
            } else {
                visit.request().await;
                visit.send("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nthe backlink").await;
            }
        }
    })
    .await;
    let file = authority.file();
    let settings = WorkerSettings { extra_ca: Some(file.path().to_owned()), ..settings() };
    (site, Engine::new(&settings).unwrap())
}

/// A header that is written out and not indexed (RFC 7541 §6.2.2).
fn literal(name: &str, value: &str) -> Vec<u8> {
    let length = |text: &str| u8::try_from(text.len()).unwrap();
    [&[0, length(name)], name.as_bytes(), &[length(value)], value.as_bytes()].concat()
}

#[tokio::test]
async fn what_cannot_be_read_over_http_2_is_asked_for_over_http_1_1() {
    /// HPACK: `:status: 200` (RFC 7541, appendix A).
    const OK: &[u8] = &[0x88];
    let settings = || frame(4, 0, 0, &[]);
    let answer = |headers: &[u8], page: &str| {
        let head = frame(1, 4, 1, &[OK, headers].concat());
        [settings(), head, frame(0, 1, 1, page.as_bytes())].concat()
    };
    for (case, bytes) in [
        ("HTTP/1.1 after all", b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nthe backlink".to_vec()),
        ("HTTP/1.1, refusing", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        ("a header of HTTP/1.1", answer(&literal("connection", "keep-alive"), "the backlink")),
        ("another one", answer(&literal("upgrade", "h2,h2c"), "the backlink")),
        ("a name in capitals", answer(&literal("X-Powered-By", "y"), "the backlink")),
        ("a wrong length", answer(&literal("content-length", "5"), "no backlink")),
        ("a frame for no stream", [settings(), frame(0, 0, 0, b"x")].concat()),
        ("a window beyond all bounds", [settings(), frame(8, 0, 0, &[0x7f, 0xff, 0xff, 0xff])].concat()),
    ] {
        let (site, engine) = answering_by_hand(bytes).await;
        let spec = without_retries(asking_for("the backlink"));
        let result = check_with(&engine, &site.https_url(), &spec).await;
        assert_eq!(result.verdict, Some(Verdict::Up), "{case}: {:?}", result.reason);
    }
}
