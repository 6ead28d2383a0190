//! Handshakes and HTTP/2, where the table of the hostile site does not reach.

use std::net::Ipv4Addr;

use linkbeat_shared::{ConnectKind, Reason, Verdict};
use linkbeat_worker::{Engine, WorkerSettings};

use crate::site::Site;
use crate::site::tls::Authority;
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
