//! Whatever hangs, however it hangs, is over at the deadline.

use std::time::Duration;

use linkbeat_shared::{ConnectKind, LinkUrl, Phase, Reason};
use tokio::net::{TcpSocket, TcpStream};

use super::row::Row;
use super::street::{answering_by_path, named, playing};
use crate::site::{Site, own_address, redirect};

/// The deadline of each row, in milliseconds.
const DEADLINE: u64 = 500;
/// Between two bytes of those that drip.
const DRIP: Duration = Duration::from_millis(50);

pub(super) async fn rows() -> Vec<Row> {
    let late = |row: Row, phase| row.late(DEADLINE, phase);
    let tls = silent().await;
    let tls_url = tls.https_url();
    let to_silent = silent().await;
    let by_redirect = playing_redirect(named(&to_silent, "other.").expose()).await;
    let asking = |case, site| Row::new(case, site).asking("me.example");
    vec![
        late(Row::at("a name server that is silent", &url("http://silent.test/")), Phase::Dns),
        late(unaccepting().await, Phase::Connect),
        late(Row::new("a handshake that never comes", tls).from(tls_url), Phase::Tls),
        late(Row::new("headers that never come", silent().await), Phase::Headers),
        late(Row::new("dripping headers", dripping("HTTP/1.1 200 OK\r\nX: ").await), Phase::Headers),
        late(Row::new("hops that take their time", slow_hops().await), Phase::Headers),
        late(Row::new("a redirect to who is silent", by_redirect).and(to_silent), Phase::Headers),
        late(asking("a page that never comes", stopping("HTTP/1.1 200 OK\r\n\r\n").await), Phase::Body),
        late(asking("a dripping page", dripping("HTTP/1.1 200 OK\r\n\r\n").await), Phase::Body),
        late(
            asking("a page that stops half-way", stopping("HTTP/1.1 200 OK\r\n\r\nnothing").await),
            Phase::Body,
        ),
        Row::new("lost at first, and no answer to the retry", losing_then_silent().await)
            .until(DEADLINE)
            .down(Reason::Connect { kind: ConnectKind::Closed }),
        asking(
            "a page that stops behind the backlink",
            stopping("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\nme.example").await,
        )
        .at_once(),
        Row::new("a dripping page that nobody asks for", dripping("HTTP/1.1 200 OK\r\n\r\n").await).at_once(),
    ]
}

fn url(text: &str) -> LinkUrl {
    LinkUrl::parse(text).unwrap()
}

async fn silent() -> Site {
    playing(|mut visit, _| async move { visit.wait_for_end().await }).await
}

async fn playing_redirect(to: &str) -> Site {
    let answer = redirect("302 Found", to);
    answering_by_path(move |_| answer.clone()).await
}

/// A listener whose queue is full does not answer further connections.
async fn unaccepting() -> Row {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((own_address(), 0).into()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let in_the_queue = TcpStream::connect(address).await.unwrap();
    // Held for as long as the row is played.
    let keeper = playing(move |_, _| {
        let _held = (&listener, &in_the_queue);
        async {}
    })
    .await;
    Row::new("a connection that is never accepted", keeper).from(url(&format!("http://{address}/")))
}

async fn dripping(start: &'static str) -> Site {
    playing(move |mut visit, _| async move {
        visit.request().await;
        visit.send(start).await;
        loop {
            visit.send("x").await;
            tokio::time::sleep(DRIP).await;
        }
    })
    .await
}

async fn stopping(start: &'static str) -> Site {
    playing(move |mut visit, _| async move {
        visit.request().await;
        visit.send(start).await;
        visit.wait_for_end().await;
    })
    .await
}

/// No hop alone takes longer than the deadline; all of them do.
async fn slow_hops() -> Site {
    playing(|mut visit, number| async move {
        visit.request().await;
        tokio::time::sleep(4 * DRIP).await;
        visit.send(redirect("302 Found", &format!("/{number}"))).await;
    })
    .await
}

async fn losing_then_silent() -> Site {
    playing(|mut visit, number| async move {
        visit.request().await;
        if number > 1 {
            visit.wait_for_end().await;
        }
    })
    .await
}
