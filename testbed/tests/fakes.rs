//! The fakes do what the tests rely on.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use hickory_proto::op::{Edns, Message, Query};
use hickory_proto::rr::Name;
use linkbeat_testbed::background;
use linkbeat_testbed::name_server::{NameServer, RecordType, ResponseCode, Says};
use linkbeat_testbed::proxy::{Proxy, Weather};
use linkbeat_testbed::site::{Forward, Site, answer, header, page};
use linkbeat_testbed::street::{Answer, Street};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// Nothing comes for so long: it does not come at all.
const NOTHING: Duration = Duration::from_millis(300);

async fn ask(server: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn one_site_has_several_virtual_hosts() {
    let site = Site::answers_by_head(|head| page(header(head, "host").unwrap())).await;
    for host in ["a.test", "b.test"] {
        let answer = ask(site.address(), &format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert!(answer.ends_with(host), "{answer}");
    }
    assert_eq!(site.visits(), 2);
}

#[test]
fn a_street_changes_its_answers_and_counts() {
    let street = Street::open();
    let url = street.set("a", Answer::Page(200, "first".to_owned()));
    let address: SocketAddr = url.split('/').nth(2).unwrap().parse().unwrap();
    let look = || background(ask(address, "GET /a HTTP/1.1\r\n\r\n"));
    assert!(look().ends_with("first"));
    street.set("a", Answer::Headers(301, "Location: /b\r\n"));
    assert!(look().starts_with("HTTP/1.1 301 Status\r\nLocation: /b\r\n"));
    assert_eq!((street.hits("a"), street.hits("b")), (2, 0));
}

#[tokio::test]
async fn a_proxy_tunnels_answers_by_itself_closes_or_hangs() {
    let site = Site::answers(page("hello")).await;
    let behind = site.address();
    let proxy = Site::forwards(move |method, target| match (method, target) {
        ("CONNECT", "site.test:80") => Forward::Tunnel(behind),
        ("CONNECT", "ill.test:443") => Forward::Answer(answer("502 Bad Gateway", &[], "")),
        (_, "http://silent.test/") => Forward::Hang,
        _ => Forward::Close,
    })
    .await;
    let tunnel = ask(proxy.address(), "CONNECT ill.test:443 HTTP/1.1\r\n\r\n").await;
    assert!(tunnel.starts_with("HTTP/1.1 502 "), "{tunnel}");
    assert_eq!(ask(proxy.address(), "GET http://other.test/ HTTP/1.1\r\n\r\n").await, "");
    let silent = ask(proxy.address(), "GET http://silent.test/ HTTP/1.1\r\n\r\n");
    assert!(timeout(NOTHING, silent).await.is_err());

    let mut through = TcpStream::connect(proxy.address()).await.unwrap();
    through.write_all(b"CONNECT site.test:80 HTTP/1.1\r\n\r\n").await.unwrap();
    let mut connected = [0; 26];
    through.read_exact(&mut connected).await.unwrap();
    assert_eq!(&connected, b"HTTP/1.1 200 Connected\r\n\r\n");
    through.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    through.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn a_name_server_answers_by_name_type_and_edns_late_or_never() {
    let home = || Says::Addresses(vec![Ipv4Addr::LOCALHOST.into()]);
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = NameServer::answering(any, move |question| match question.name.as_str() {
        "silent.test" => Says::Silence,
        "late.test" => Says::After(NOTHING, Box::new(home())),
        "old.test" if question.edns => Says::Code(ResponseCode::FormErr),
        "half.test" if question.kind == RecordType::AAAA => Says::Code(ResponseCode::NXDomain),
        _ => home(),
    })
    .await;
    let look_up = |name, kind, edns| look_up(server.address(), name, kind, edns);
    let found = |name, kind, edns| async move {
        let reply = timeout(4 * NOTHING, look_up(name, kind, edns)).await.unwrap();
        (reply.metadata.response_code, reply.answers.len())
    };
    assert_eq!(found("half.test.", RecordType::A, false).await, (ResponseCode::NoError, 1));
    assert_eq!(found("half.test.", RecordType::AAAA, false).await.0, ResponseCode::NXDomain);
    assert_eq!(found("old.test.", RecordType::A, true).await.0, ResponseCode::FormErr);
    assert_eq!(found("old.test.", RecordType::A, false).await, (ResponseCode::NoError, 1));
    let began = Instant::now();
    assert_eq!(found("late.test.", RecordType::A, false).await, (ResponseCode::NoError, 1));
    assert!(began.elapsed() >= NOTHING);
    assert!(timeout(NOTHING, look_up("silent.test.", RecordType::A, false)).await.is_err());
    assert_eq!(server.queries(), 6);
}

async fn look_up(server: SocketAddr, name: &str, kind: RecordType, edns: bool) -> Message {
    let mut query = Message::query();
    query.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    if edns {
        query.set_edns(Edns::new());
    }
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(&query.to_vec().unwrap(), server).await.unwrap();
    let mut reply = [0; 512];
    let length = socket.recv(&mut reply).await.unwrap();
    Message::from_vec(&reply[..length]).unwrap()
}

/// Gives back whatever it is sent.
async fn echo() -> Site {
    Site::plays(|mut visit, _| async move {
        let (mut read, mut write) = visit.stream.split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
    })
    .await
}

#[tokio::test]
async fn a_tcp_proxy_holds_back_forgets_delays_and_cuts() {
    let site = echo().await;
    let proxy = Proxy::before(&site.url("/").expose().parse().unwrap()).await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(said(&mut stream, b'1').await, Some(b'1'));

    proxy.set(Weather::BlackHole);
    assert_eq!(said(&mut stream, b'2').await, None);
    proxy.set(Weather::Clear);
    assert_eq!(stream.read_u8().await.unwrap(), b'2', "it was held back");

    proxy.set(Weather::Swallowing);
    assert_eq!(said(&mut stream, b'3').await, None);
    proxy.set(Weather::Clear);
    assert_eq!(said(&mut stream, b'4').await, Some(b'4'), "the one before is forgotten");

    proxy.set(Weather::Late(NOTHING));
    let began = Instant::now();
    stream.write_u8(b'5').await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'5');
    assert!(began.elapsed() >= 2 * NOTHING, "there and back");

    proxy.set(Weather::Clear);
    proxy.cut();
    assert!(stream.read_u8().await.is_err());
    let mut again = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(said(&mut again, b'6').await, Some(b'6'));
    assert_eq!(proxy.accepted(), 2);
}

/// What comes back.
async fn said(stream: &mut TcpStream, byte: u8) -> Option<u8> {
    stream.write_u8(byte).await.unwrap();
    timeout(NOTHING, stream.read_u8()).await.ok().map(Result::unwrap)
}
