//! While memory is scarce, checks keep little, and come to the same verdicts.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use linkbeat_shared::{CheckSpec, ConnectKind, LinkUrl, Phase, Reason, TlsKind, Verdict};
use linkbeat_worker::{Engine, WorkerSettings};
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;

use crate::memory::alone;
use crate::pages::gzip;
use crate::site::tls::{Authority, Identity};
use crate::site::{Site, answer, page, redirect, visited};
use crate::{asking_for, assert_judged, check_with, settings, within, without_retries};

const MIB: usize = 1 << 20;
const BACKLINK: &str = r#"<a href="https://me.example/">"#;
/// Sites that never answer.
const HANGING: u8 = 40;
/// A certificate's name.
const HOST: &str = "127.0.0.1";

#[test]
fn while_memory_is_scarce_checks_come_to_the_same_verdicts() {
    alone("scarcity::same_verdicts");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes much memory: while_memory_is_scarce_checks_come_to_the_same_verdicts runs it"]
async fn same_verdicts() {
    let authority = Authority::new("trusted");
    let file = authority.file();
    let extra_ca = Some(file.path().to_owned());
    let engine = Engine::new(&WorkerSettings { extra_ca, memory: 64 * MIB, ..settings() }).unwrap();
    let engine = Arc::new(engine);
    let hanging = Site::plays_at([0, 0, 0, 0].into(), |mut visit, _| async move {
        visit.wait_for_end().await;
    })
    .await;
    let mut waiting = JoinSet::new();
    for host in 1..=HANGING {
        let url = format!("http://127.0.8.{host}:{}/", hanging.address().port());
        let (engine, url) = (Arc::clone(&engine), LinkUrl::parse(&url).unwrap());
        waiting.spawn(async move { check_with(&engine, &url, &within(30_000)).await });
    }
    // Trusted at first, and taken back. Only then it is answered.
    let slow = Site::plays(|mut visit, number| async move {
        visit.request().await;
        if number == 1 {
            return visit.wait_for_end().await;
        }
        visit.send(page(BACKLINK)).await;
    })
    .await;
    let (of_slow, url) = (Arc::clone(&engine), slow.url("/"));
    let of_slow = tokio::spawn(async move { check_with(&of_slow, &url, &spec(8_000)).await });
    visited(&slow, 1).await;
    visited(&hanging, HANGING.into()).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let much = black_box(vec![1_u8; 100 * MIB]);
    assert_judged(&of_slow.await.unwrap(), Verdict::Up, None);
    for case in cases(&authority).await {
        let result = check_with(&engine, &case.url(), &spec(2_000)).await;
        let verdict = if case.reason.is_some() { Verdict::Down } else { Verdict::Up };
        assert_eq!((result.verdict, result.reason), (Some(verdict), case.reason), "{}", case.name);
    }
    drop(black_box(much));
}

fn spec(ms: u64) -> CheckSpec {
    without_retries(CheckSpec { timeout: within(ms).timeout, ..asking_for("me.example") })
}

struct Case {
    name: &'static str,
    site: Site,
    is_https: bool,
    reason: Option<Reason>,
}

impl Case {
    fn up(name: &'static str, site: Site) -> Self {
        Self { name, site, is_https: false, reason: None }
    }

    fn down(name: &'static str, site: Site, reason: Reason) -> Self {
        Self { reason: Some(reason), ..Self::up(name, site) }
    }

    fn over_tls(self) -> Self {
        Self { is_https: true, ..self }
    }

    fn url(&self) -> LinkUrl {
        if self.is_https { self.site.https_url() } else { self.site.url("/") }
    }
}

async fn cases(authority: &Authority) -> Vec<Case> {
    let tls = |kind| Reason::Tls { kind };
    let large = format!(
        "HTTP/1.1 200 OK\r\n{}\r\n{BACKLINK}",
        ["X: ", &"x".repeat(4_000), "\r\n"].concat().repeat(30)
    );
    let endless = format!("HTTP/1.1 200 OK\r\n{}", ["X: ", &"x".repeat(4_000), "\r\n"].concat().repeat(95));
    let packed = answer("200 OK", &["Content-Encoding: gzip"], gzip(BACKLINK.as_bytes()));
    let moved = Site::answers_by_path(|path| match path {
        "/" => redirect("302 Found", "/there"),
        _ => page(BACKLINK),
    });
    vec![
        Case::up("a page", Site::answers(page(BACKLINK)).await),
        Case::up("a packed page", Site::answers(packed).await),
        Case::up("a redirect", moved.await),
        Case::up("a large head", Site::answers(large).await),
        Case::down(
            "gone",
            Site::answers(answer("404 Not Found", &[], "")).await,
            Reason::Status { code: 404 },
        ),
        Case::down("nonsense", Site::answers("nonsense\r\n\r\n").await, Reason::Protocol),
        Case::down("closed", Site::answers("").await, Reason::Connect { kind: ConnectKind::Closed }),
        Case::down(
            "a head without an end",
            holding(endless).await,
            Reason::Timeout { phase: Phase::Headers },
        ),
        Case::up("valid", secure(authority.vouches_for(HOST, |_| {}), false).await).over_tls(),
        Case::up("HTTP/2 alone", secure(authority.vouches_for(HOST, |_| {}), true).await).over_tls(),
        Case::down(
            "another's",
            secure(authority.vouches_for("a.test", |_| {}), false).await,
            tls(TlsKind::WrongHost),
        )
        .over_tls(),
        Case::down("its own", secure(Identity::self_signed(HOST), false).await, tls(TlsKind::SelfSigned))
            .over_tls(),
        Case::down("no TLS", holding("HTTP/1.1 400 Bad\r\n\r\n").await, tls(TlsKind::Other)).over_tls(),
        Case::down(
            "a handshake without an end",
            holding(long_handshake()).await,
            Reason::Timeout { phase: Phase::Tls },
        )
        .over_tls(),
    ]
}

/// Answers the first bytes with these, and then says nothing more.
async fn holding(bytes: impl Into<Vec<u8>>) -> Site {
    let bytes: Arc<Vec<u8>> = Arc::new(bytes.into());
    Site::plays(move |mut visit, _| {
        let bytes = Arc::clone(&bytes);
        async move {
            let _ = visit.stream.read(&mut [0; 4_096]).await;
            visit.send(bytes.as_slice()).await;
            visit.wait_for_end().await;
        }
    })
    .await
}

/// 48 KiB of a message of 64 KiB (RFC 8446 §4, §5.1).
fn long_handshake() -> Vec<u8> {
    let mut records = [&[22, 3, 3, 0x40, 0][..], &[0; 16 << 10]].concat().repeat(3);
    records[5..9].copy_from_slice(&[2, 0, 0xff, 0xff]);
    records
}

async fn secure(identity: Identity, only_http2: bool) -> Site {
    let alpn: &[&[u8]] = if only_http2 { &[b"h2"] } else { &[b"h2", b"http/1.1"] };
    Site::plays_over_tls(identity, alpn, |mut visit| async move {
        if visit.stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            visit.request().await;
            return visit.send(page(BACKLINK)).await;
        }
        let mut connection = h2::server::handshake(visit.stream).await.unwrap();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            let mut body = respond.send_response(hyper::Response::new(()), false).unwrap();
            body.send_data(Bytes::from_static(BACKLINK.as_bytes()), true).unwrap();
        }
    })
    .await
}
