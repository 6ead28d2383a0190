//! Certificates, each kind of trouble with its own kind of reason.

use linkbeat_shared::{ConnectKind, Reason, TlsKind, Verdict};
use linkbeat_worker::{Engine, WorkerSettings};

use crate::site::Site;
use crate::site::tls::{Authority, Identity, expired, names_its_issuer, not_yet_valid};
use crate::site::{answer, page};
use crate::{asking_for, assert_judged, check_with, settings, within, without_retries};

const HOST: &str = "127.0.0.1";

/// An engine that trusts this authority besides the system's.
fn trusting(authority: &Authority) -> Engine {
    let file = authority.file();
    Engine::new(&WorkerSettings { extra_ca: Some(file.path().to_owned()), ..settings() }).unwrap()
}

async fn site(identity: Identity) -> Site {
    Site::plays_over_tls(identity, &[], |mut visit| async move {
        visit.request().await;
        visit.send(page("hello")).await;
    })
    .await
}

#[tokio::test]
async fn certificates_are_verified() {
    let authority = Authority::new("trusted");
    let stranger = Authority::new("stranger");
    let engine = trusting(&authority);
    let valid = site(authority.vouches_for(HOST, |_| {})).await;
    assert_judged(&check_with(&engine, &valid.https_url(), &within(5_000)).await, Verdict::Up, None);
    for (identity, kind) in [
        (authority.vouches_for(HOST, expired), TlsKind::Expired),
        (authority.vouches_for(HOST, not_yet_valid), TlsKind::NotYetValid),
        (authority.vouches_for("other.test", |_| {}), TlsKind::WrongHost),
        (stranger.vouches_for(HOST, |_| {}), TlsKind::UnknownIssuer),
        (stranger.vouches_for(HOST, |_| {}).without_its_issuer(), TlsKind::UnknownIssuer),
        (stranger.vouches_for(HOST, names_its_issuer), TlsKind::UnknownIssuer),
        (stranger.vouches_for(HOST, names_its_issuer).without_its_issuer(), TlsKind::IncompleteChain),
        (Identity::self_signed(HOST), TlsKind::SelfSigned),
    ] {
        let site = site(identity).await;
        let result = check_with(&engine, &site.https_url(), &within(5_000)).await;
        assert_judged(&result, Verdict::Down, Reason::Tls { kind });
    }
}

#[tokio::test]
async fn a_server_of_old_protocols_and_one_without_tls_are_told_apart() {
    // alert(21), TLS 1.0, 2 bytes: fatal(2), protocol_version(70).
    let old = Site::plays(|mut visit, _| async move {
        tokio::io::AsyncReadExt::read(&mut visit.stream, &mut [0; 2_048]).await.unwrap();
        visit.send([21, 3, 1, 0, 2, 2, 70]).await;
        visit.wait_for_end().await;
    })
    .await;
    let plain = Site::plays(|mut visit, _| async move {
        visit.send(answer("400 Bad Request", &[], "")).await;
        visit.wait_for_end().await;
    })
    .await;
    let engine = Engine::new(&settings()).unwrap();
    for (site, kind) in [(old, TlsKind::OldProtocol), (plain, TlsKind::Other)] {
        let result = check_with(&engine, &site.https_url(), &within(5_000)).await;
        assert_judged(&result, Verdict::Down, Reason::Tls { kind });
    }
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
    let site = Site::plays_over_tls(identity, &[b"h2"], |visit| async move {
        let mut connection = h2::server::handshake(visit.stream).await.unwrap();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            match request.uri().path() {
                "/" => {
                    let mut body = respond.send_response(hyper::Response::new(()), false).unwrap();
                    body.send_data(bytes::Bytes::from_static(b"the backlink"), true).unwrap();
                }
                _ => respond.send_reset(h2::Reason::INTERNAL_ERROR),
            }
        }
    })
    .await;
    let engine = trusting(&authority);
    let result = check_with(&engine, &site.https_url(), &asking_for("the backlink")).await;
    assert_judged(&result, Verdict::Up, None);
    let broken = site.https_url().join("/broken").unwrap();
    let result = check_with(&engine, &broken, &without_retries(within(5_000))).await;
    assert_judged(&result, Verdict::Down, Reason::Protocol);
}
