//! Clients that are slow on purpose, and many of them.

use std::time::Duration;

use linkbeat_dashboard::Limits;
use linkbeat_shared::{LinkUrl, NewLink};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use crate::known::links;
use crate::served::Served;

const SHORT: Duration = Duration::from_millis(400);
const PIECE: Duration = Duration::from_millis(50);
/// Nothing here takes so long, however busy the machine is.
const LONG: Duration = Duration::from_secs(20);

const LOGIN: &str = "GET /login HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// All that comes until the connection ends. A connection that is cut has ended, too.
async fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let mut piece = [0; 4_096];
    let reading = async {
        while let Ok(read @ 1..) = stream.read(&mut piece).await {
            all.extend_from_slice(&piece[..read]);
        }
    };
    timeout(LONG, reading).await.unwrap();
    String::from_utf8_lossy(&all).into_owned()
}

/// One answer whose head says how long it is.
async fn answer(stream: &mut TcpStream) -> String {
    let mut all = String::new();
    let mut byte = [0];
    while !all.ends_with("\r\n\r\n") {
        timeout(LONG, stream.read_exact(&mut byte)).await.unwrap().unwrap();
        all.push(byte[0].into());
    }
    let length = all.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    timeout(LONG, stream.read_exact(&mut body)).await.unwrap().unwrap();
    all + &String::from_utf8_lossy(&body)
}

/// Sends a text byte by byte until it is sent or the connection has ended.
async fn drip(mut to: tokio::net::tcp::OwnedWriteHalf, text: &'static str) {
    for byte in text.as_bytes() {
        if to.write_all(&[*byte]).await.is_err() {
            return;
        }
        sleep(PIECE).await;
    }
}

#[tokio::test]
async fn a_head_that_drips_is_not_waited_for() {
    let served = Served::within(Limits { head: SHORT, ..Limits::default() }, json!({})).await;
    let mut silent = served.open("").await;
    let (mut reads, writes) = served.open("GET / HTTP/1.1\r\n").await.into_split();
    let begun = Instant::now();
    let dripping =
        tokio::spawn(drip(writes, "x-a: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    let mut read = Vec::new();
    let _ = timeout(LONG, reads.read_to_end(&mut read)).await.unwrap();
    assert!(begun.elapsed() >= SHORT - PIECE && read.is_empty(), "{read:?}");
    assert_eq!(rest(&mut silent).await, "");
    dripping.await.unwrap();
    // Later heads have the same time.
    let mut second = served.open(LOGIN).await;
    assert!(answer(&mut second).await.starts_with("HTTP/1.1 200"));
    second.write_all(b"GET /lo").await.unwrap();
    assert_eq!(rest(&mut second).await, "");
}

#[tokio::test]
async fn a_connection_is_kept_for_a_while() {
    let served = Served::within(Limits { idle: SHORT, ..Limits::default() }, json!({})).await;
    let mut kept = served.open(LOGIN).await;
    assert!(answer(&mut kept).await.starts_with("HTTP/1.1 200"));
    kept.write_all(LOGIN.as_bytes()).await.unwrap();
    assert!(answer(&mut kept).await.starts_with("HTTP/1.1 200"));
    let begun = Instant::now();
    assert_eq!(rest(&mut kept).await, "");
    assert!(begun.elapsed() >= SHORT - PIECE);
}

#[tokio::test]
async fn a_body_that_drips_is_answered_with_408() {
    let limits = Limits { body: SHORT, slowest: 4_096, ..Limits::default() };
    let served = Served::within(limits, json!({})).await;
    for (path, kind, told) in [
        ("/login", "application/x-www-form-urlencoded", "content-type: text/plain"),
        ("/api/v1/links", "application/json", "content-type: application/problem+json"),
    ] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: 1000\r\n\r\n"
        );
        let (mut reads, writes) = served.open(&head).await.into_split();
        let dripping =
            tokio::spawn(drip(writes, "password=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
        let mut read = Vec::new();
        let _ = timeout(LONG, reads.read_to_end(&mut read)).await.unwrap();
        let read = String::from_utf8_lossy(&read);
        assert!(read.starts_with("HTTP/1.1 408") && read.contains(told), "{path}: {read}");
        dripping.await.unwrap();
    }
    // A long body that comes well has the time that it needs.
    let head = "POST /api/v1/links HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                connection: close\r\ncontent-length: 40960\r\n\r\n";
    let mut stream = served.open(head).await;
    for _ in 0..10 {
        stream.write_all(&[b' '; 4_096]).await.unwrap();
        sleep(2 * PIECE).await;
    }
    let read = rest(&mut stream).await;
    assert!(read.starts_with("HTTP/1.1 400"), "it is no JSON, and was read: {read}");
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_cut_and_a_live_view_is_not() {
    let limits = Limits { write: SHORT, idle: SHORT, head: SHORT, ..Limits::default() };
    let served = Served::within(limits, json!({})).await;
    let many = (0..5_000).map(|n| {
        NewLink::from_url(LinkUrl::parse(&format!("https://host-{n}.example/{}", "a".repeat(900))).unwrap())
    });
    links(&served.store, many.collect()).await;
    let mut view = served
        .open("GET /live?part=counts HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n")
        .await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(served.address).await.unwrap();
    stream.write_all(b"GET /feed/links.json HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut head = [0; 100];
    timeout(LONG, stream.read_exact(&mut head)).await.unwrap().unwrap();
    sleep(5 * SHORT).await;
    let read = rest(&mut stream).await;
    let length = read.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.map_or(5_000 * 900, |length| length.parse().unwrap());
    assert!(read.len() < length, "all of the {length} bytes came");

    let mut piece = [0; 4_096];
    let seen = timeout(LONG, view.read(&mut piece)).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&piece[..seen]).starts_with("HTTP/1.1 200"));
    let ended = timeout(SHORT, async { while view.read(&mut piece).await.unwrap() > 0 {} }).await;
    assert!(ended.is_err(), "a view goes on");
}

#[tokio::test]
async fn where_all_places_are_taken_an_idle_connection_goes_and_else_the_newcomer() {
    let served = Served::with(json!({ "connections": 2 })).await;
    let mut idle = served.open(LOGIN).await;
    answer(&mut idle).await;
    let form = "POST /login HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\
                content-type: application/x-www-form-urlencoded\r\n\r\n";
    let mut first = served.open(form).await;
    sleep(2 * SHORT).await;
    let mut second = served.open(form).await;
    assert_eq!(rest(&mut idle).await, "", "whoever asks nothing goes");
    sleep(2 * SHORT).await;
    let refused = rest(&mut served.open(LOGIN).await).await;
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("\r\nretry-after: 2\r\n"), "{refused}");
    for stream in [&mut first, &mut second] {
        stream.write_all(b"password=").await.unwrap();
        assert!(answer(stream).await.starts_with("HTTP/1.1 4"), "they were not held up");
    }
    sleep(SHORT).await;
    assert!(answer(&mut served.open(LOGIN).await).await.starts_with("HTTP/1.1 200"), "there is room again");
}

#[tokio::test]
async fn a_head_has_a_size() {
    let served = Served::with(json!({})).await;
    let long = format!("GET /login HTTP/1.1\r\nhost: localhost\r\nx-a: {}\r\n\r\n", "a".repeat(40_000));
    let many = format!("GET /login HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "x-a: a\r\n".repeat(150));
    let path = format!("GET /login?{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "a".repeat(40_000));
    for request in [long, many, path] {
        let read = rest(&mut served.open(&request).await).await;
        assert!(read.starts_with("HTTP/1.1 431") || read.starts_with("HTTP/1.1 414"), "{read}");
    }
}

#[tokio::test]
async fn what_is_under_way_is_ended_and_all_else_is_closed_at_once() {
    let served = Served::with(json!({})).await;
    let mut idle = served.open(LOGIN).await;
    answer(&mut idle).await;
    let mut half = served.open("GET /login HTTP/1.1\r\n").await;
    let mut view = served.open("GET /live?part=counts HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    let mut form = served
        .open("POST /login HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\ncontent-type: application/x-www-form-urlencoded\r\n\r\npass")
        .await;
    sleep(SHORT).await;
    let (address, begun) = (served.address, Instant::now());
    let stopping = tokio::spawn(served.stop());
    assert_eq!((rest(&mut idle).await, rest(&mut half).await), (String::new(), String::new()));
    assert!(rest(&mut view).await.starts_with("HTTP/1.1 200"));
    form.write_all(b"word=").await.unwrap();
    let told = rest(&mut form).await;
    assert!(told.starts_with("HTTP/1.1 4"), "{told}");
    timeout(LONG, stopping).await.unwrap().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(3), "nothing was waited for: {:?}", begun.elapsed());
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn whoever_never_ends_is_cut_when_the_dashboard_stops() {
    let served = Served::with(json!({})).await;
    let mut form = served
        .open("POST /login HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\ncontent-type: application/x-www-form-urlencoded\r\n\r\n")
        .await;
    sleep(SHORT).await;
    timeout(LONG, served.stop()).await.unwrap();
    assert_eq!(rest(&mut form).await, "");
}

#[tokio::test]
async fn an_answer_that_is_taken_in_sips_is_cut_and_a_slow_but_steady_client_has_it_whole() {
    // Fast enough are 2 MB a second; whoever takes nothing is cut after `SHORT`.
    let limits = Limits { write: SHORT, slowest: 2 << 20, ..Limits::default() };
    let served = Served::within(limits, json!({})).await;
    let many = (0..4_000).map(|n| {
        NewLink::from_url(LinkUrl::parse(&format!("https://host-{n}.example/{}", "a".repeat(1_900))).unwrap())
    });
    links(&served.store, many.collect()).await;
    let open = async || {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(64 << 10).unwrap();
        let mut stream = socket.connect(served.address).await.unwrap();
        stream.write_all(b"GET /feed/links.json HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        stream
    };
    // It always takes something in time, and 320 kB a second in all.
    let (mut sipping, begun) = (open().await, Instant::now());
    let (mut sip, mut taken) = (vec![0; 32 << 10], 0);
    while let Ok(read @ 1..) = timeout(LONG, sipping.read(&mut sip)).await.unwrap() {
        taken += read;
        sleep(SHORT / 4).await;
    }
    assert!(taken < 4_000 * 1_900, "all of it came in sips: {taken} in {:?}", begun.elapsed());

    let whole = rest_of(open().await, Duration::from_millis(1)).await;
    assert!(whole > 4_000 * 1_900, "{whole}");
}

/// How many bytes come of an answer that is taken with pauses.
async fn rest_of(mut stream: TcpStream, pause: Duration) -> usize {
    let (mut piece, mut taken) = (vec![0; 64 << 10], 0);
    let idle = 4 * SHORT;
    while let Ok(Ok(read @ 1..)) = timeout(idle, stream.read(&mut piece)).await {
        taken += read;
        sleep(pause).await;
    }
    taken
}
