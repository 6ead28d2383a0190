//! TLS: each kind of trouble with its own kind of reason.

use bytes::Bytes;
use linkbeat_shared::{ConnectKind, Reason, TlsKind};
use tokio::io::AsyncReadExt;

use super::row::Row;
use super::street::{Street, playing};
use crate::site::tls::{Authority, Identity, expired, names_its_issuer, not_yet_valid};
use crate::site::{Site, answer, own_address, page};

/// Who may vouch for a site, and where it is.
struct Papers<'a> {
    trusted: &'a Authority,
    stranger: &'a Authority,
    home: &'a str,
}

type Shows = fn(&Papers<'_>) -> Identity;

const SHOWN: [(&str, Option<TlsKind>, Shows); 11] = [
    ("valid", None, |it| it.trusted.vouches_for(it.home, |_| {})),
    ("valid, the trusted authority left out", None, |it| {
        it.trusted.vouches_for(it.home, |_| {}).without_its_issuer()
    }),
    ("expired", Some(TlsKind::Expired), |it| it.trusted.vouches_for(it.home, expired)),
    ("not yet valid", Some(TlsKind::NotYetValid), |it| it.trusted.vouches_for(it.home, not_yet_valid)),
    ("for another host", Some(TlsKind::WrongHost), |it| it.trusted.vouches_for("other.test", |_| {})),
    ("self-signed", Some(TlsKind::SelfSigned), |it| Identity::self_signed(it.home)),
    ("by an unknown issuer", Some(TlsKind::UnknownIssuer), |it| it.stranger.vouches_for(it.home, |_| {})),
    ("by an unknown issuer, who is left out", Some(TlsKind::UnknownIssuer), |it| {
        it.stranger.vouches_for(it.home, |_| {}).without_its_issuer()
    }),
    ("by an unknown issuer, who is named and there", Some(TlsKind::UnknownIssuer), |it| {
        it.stranger.vouches_for(it.home, names_its_issuer)
    }),
    ("with itself in its issuer's place", Some(TlsKind::IncompleteChain), |it| {
        it.stranger.vouches_for(it.home, names_its_issuer).twice()
    }),
    ("with an incomplete chain", Some(TlsKind::IncompleteChain), |it| {
        it.stranger.vouches_for(it.home, names_its_issuer).without_its_issuer()
    }),
];

/// alert(21), TLS 1.0, 2 bytes: fatal(2), protocol_version(70) (RFC 8446 §6).
const ONLY_TLS_1_0: &[u8] = &[21, 3, 1, 0, 2, 2, 70];

/// TLS 1.2: fatal(2), handshake_failure(40): what servers with CBC, RSA key exchange or DHE only say.
const HANDSHAKE_FAILURE: &[u8] = &[21, 3, 3, 0, 2, 2, 40];
/// fatal(2), insufficient_security(71).
const WEAK: &[u8] = &[21, 3, 3, 0, 2, 2, 71];

pub(super) async fn rows(street: &Street) -> Vec<Row> {
    let stranger = Authority::new("stranger");
    let mut rows = Vec::new();
    for (case, kind, shows) in SHOWN {
        let home = own_address();
        let papers = Papers { trusted: &street.authority, stranger: &stranger, home: &home.to_string() };
        let site = Site::plays_over_tls_at(home, shows(&papers), &[], |mut visit| async move {
            visit.request().await;
            visit.send(page("hello")).await;
        })
        .await;
        rows.push(over_tls(&format!("certificate: {case}"), site, kind));
    }
    let plain_http = after_hello(answer("400 Bad Request", &[], "")).await;
    rows.extend([
        over_tls("TLS 1.0 only, refusing", after_hello(ONLY_TLS_1_0).await, Some(TlsKind::OldProtocol)),
        over_tls(
            "TLS 1.1 only, answering",
            after_hello(hello_of_tls_1_1()).await,
            Some(TlsKind::OldProtocol),
        ),
        over_tls("no cipher in common", after_hello(HANDSHAKE_FAILURE).await, Some(TlsKind::NoCommonCipher)),
        over_tls("no strong cipher", after_hello(WEAK).await, Some(TlsKind::NoCommonCipher)),
        over_tls(
            "a cipher that nobody offered",
            after_hello(hello_of_tls_1_2_with_cbc()).await,
            Some(TlsKind::NoCommonCipher),
        ),
        over_tls("http on the https port", plain_http, Some(TlsKind::Other)),
        over_tls("reset in the handshake", in_handshake(true).await, None)
            .down(Reason::Connect { kind: ConnectKind::Reset }),
        over_tls("closed in the handshake", in_handshake(false).await, None)
            .down(Reason::Connect { kind: ConnectKind::Closed }),
        over_tls("HTTP/2 by ALPN", http2(street).await, None).asking("the backlink"),
    ]);
    rows
}

fn over_tls(case: &str, site: Site, kind: Option<TlsKind>) -> Row {
    let url = site.https_url();
    let row = Row::new(case, site).from(url);
    match kind {
        Some(kind) => row.down(Reason::Tls { kind }),
        None => row,
    }
}

/// Reads the ClientHello and answers it with these bytes.
async fn after_hello(bytes: impl Into<Vec<u8>>) -> Site {
    let bytes: Vec<u8> = bytes.into();
    playing(move |mut visit, _| {
        let bytes = bytes.clone();
        async move {
            let _ = visit.stream.read(&mut [0; 4_096]).await;
            visit.send(bytes).await;
            visit.wait_for_end().await;
        }
    })
    .await
}

/// handshake(22), TLS 1.1: a ServerHello of TLS 1.1 (RFC 4346 §7.4.1.3).
fn hello_of_tls_1_1() -> Vec<u8> {
    let (random, no_session, cipher, no_compression) = ([7; 32], [0], [0x00, 0x2f], [0]);
    let hello = [&[3, 2][..], &random, &no_session, &cipher, &no_compression].concat();
    let handshake = [&[2, 0, 0, 38][..], &hello].concat();
    [&[22, 3, 2, 0, 42][..], &handshake].concat()
}

/// handshake(22), TLS 1.2: a ServerHello with TLS_RSA_WITH_AES_128_CBC_SHA (RFC 5246 §7.4.1.3).
fn hello_of_tls_1_2_with_cbc() -> Vec<u8> {
    let (random, no_session, cipher, no_compression) = ([7; 32], [0], [0x00, 0x2f], [0]);
    let hello = [&[3, 3][..], &random, &no_session, &cipher, &no_compression].concat();
    let handshake = [&[2, 0, 0, 38][..], &hello].concat();
    [&[22, 3, 3, 0, 42][..], &handshake].concat()
}

async fn in_handshake(reset: bool) -> Site {
    playing(move |mut visit, _| async move {
        let _ = visit.stream.read(&mut [0; 4_096]).await;
        if reset {
            visit.reset();
        }
    })
    .await
}

async fn http2(street: &Street) -> Site {
    let home = own_address();
    let identity = street.authority.vouches_for(&home.to_string(), |_| {});
    Site::plays_over_tls_at(home, identity, &[b"h2"], |visit| async move {
        let mut connection = h2::server::handshake(visit.stream).await.unwrap();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            let mut body = respond.send_response(hyper::Response::new(()), false).unwrap();
            body.send_data(Bytes::from_static(b"the backlink"), true).unwrap();
        }
    })
    .await
}
