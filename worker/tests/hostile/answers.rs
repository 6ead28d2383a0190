//! What comes over the wire instead of a good answer: odd but harmless, broken, lost.

use std::time::Duration;

use linkbeat_shared::{ConnectKind, LinkUrl, Reason};
use tokio::io::AsyncWriteExt;

use super::row::Row;
use super::street::{answering, playing};
use crate::site::{Site, nobody, page};

fn connect(kind: ConnectKind) -> Reason {
    Reason::Connect { kind }
}

pub(super) async fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (case, odd) in [
        ("HTTP/1.0, to the end of the connection", "HTTP/1.0 200 OK\r\n\r\nuntil the end"),
        ("HTTP/1.1, to the end of the connection", "HTTP/1.1 200 OK\r\n\r\nuntil the end"),
        ("no reason phrase", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"),
        ("spaces and folded lines in headers", "HTTP/1.1 200 OK\r\nA b : x\r\nC\r\n d\r\nE: \r\n f\r\n\r\n"),
        ("bytes beyond ASCII in a header", "HTTP/1.1 200 好\r\nX: 日本\r\nContent-Length: 0\r\n\r\n"),
        (
            "an answer before the answer",
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        ),
        ("bare line feeds", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
    ] {
        rows.push(Row::new(case, answering(odd).await));
    }
    rows.extend(sloppy().await);
    let too_large = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    let too_many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: x\r\n".repeat(10_000));
    for (case, garbage) in [
        ("garbage", "\u{1}\u{2}\u{3}garbage\r\n\r\n"),
        ("another protocol", "SSH-2.0-OpenSSH_9.2\r\n"),
        ("a status that is none", "HTTP/1.1 2x0 OK\r\n\r\n"),
        ("too large headers", &too_large),
        ("too many headers", &too_many),
    ] {
        rows.push(Row::new(case, answering(garbage).await).down(Reason::Protocol));
    }
    rows.push(
        Row::new("sloppy: a transfer coding that is none, and a length", staying_open().await)
            .asking("me.example")
            .retrying(0)
            .no_backlink(false),
    );
    rows.push(Row::new("endless headers", endless_headers().await).down(Reason::Protocol));
    rows.extend(lost().await);
    rows
}

/// What hyper does not read, but every browser and curl do: none of it costs a retry.
async fn sloppy() -> Vec<Row> {
    let cookies = "Set-Cookie: a=b\r\n".repeat(300);
    let headers = "X: y\r\n".repeat(1_500);
    let page = |head: &str, body: &str| format!("HTTP/1.1 200 OK\r\n{head}\r\n{body}");
    let cases = [
        ("many cookies", page(&cookies, "me.example")),
        ("many headers", page(&headers, "me.example")),
        ("many headers and a length", page(&format!("{headers}Content-Length: 10\r\n"), "me.example")),
        (
            "HTTP/1.0 with chunks",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nme\r\n8\r\n.example\r\n0\r\n\r\n"
                .to_owned(),
        ),
        (
            "chunks behind bare line feeds",
            page("Transfer-Encoding: chunked\r\n", "2\nme\n8\n.example\n0\n\n"),
        ),
        ("no last chunk", page("Transfer-Encoding: chunked\r\n", "a\r\nme.example\r\n")),
        ("a length that is none", page("Content-Length: many\r\n", "me.example")),
        ("the same length twice", page("Content-Length: 10\r\nContent-Length: 10\r\n", "me.example")),
        ("the same length twice in one line", page("Content-Length: 10, 10\r\n", "me.example")),
        ("two lengths", page("Content-Length: 10\r\nContent-Length: 12\r\n", "me.example")),
        (
            "a length and chunks",
            page("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "a\r\nme.example\r\n0\r\n\r\n"),
        ),
        (
            "chunks, though not as the last word",
            page("Transfer-Encoding: chunked, identity\r\n", "2\r\nme\r\n8\r\n.example\r\n0\r\n\r\n"),
        ),
        (
            "chunks and a comma",
            page("Transfer-Encoding: chunked,\r\n", "2\r\nme\r\n8\r\n.example\r\n0\r\n\r\n"),
        ),
        ("spaces in the status line", "HTTP/1.1  200  OK\r\n\r\nme.example".to_owned()),
        ("small letters in the status line", "http/1.1 200 ok\r\n\r\nme.example".to_owned()),
        ("no space behind the status", "HTTP/1.1 200OK\r\n\r\nme.example".to_owned()),
        ("another minor version", "HTTP/1.2 200 OK\r\n\r\nme.example".to_owned()),
        ("a line without a colon", page("nothing\r\nX: y\r\n", "me.example")),
        ("a name with spaces", page("X Y: z\r\n", "me.example")),
        ("empty lines before the answer", format!("\r\n\r\n{}", page("", "me.example"))),
        ("a control character in a header", page("X: a\u{1}b\r\n", "me.example")),
        ("a folded line", page("X: a\r\n\tb\r\n", "me.example")),
        ("no reason and no headers", "HTTP/1.1 200\n\nme.example".to_owned()),
    ];
    let mut rows = Vec::new();
    for (case, bytes) in cases {
        let row = Row::new(format!("sloppy: {case}"), answering(bytes).await);
        rows.push(row.asking("me.example").retrying(0));
    }
    rows
}

async fn staying_open() -> Site {
    playing(|mut visit, _| async move {
        visit.request().await;
        visit
            .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 7\r\n\r\nnothing")
            .await;
        visit.wait_for_end().await;
    })
    .await
}

async fn endless_headers() -> Site {
    playing(|mut visit, _| async move {
        visit.request().await;
        visit.send("HTTP/1.1 200 OK\r\n").await;
        let line = format!("X: {}\r\n", "x".repeat(1_000));
        while visit.stream.write_all(line.as_bytes()).await.is_ok() {}
    })
    .await
}

async fn lost() -> Vec<Row> {
    let dead = LinkUrl::parse(&format!("http://{}/", nobody())).unwrap();
    let breaking = async |start: &str, reset: bool| {
        let start = format!("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{start}");
        playing(move |mut visit, _| {
            let start = start.clone();
            async move {
                visit.request().await;
                visit.send(start).await;
                // The start must have arrived before a reset makes the other side forget it.
                tokio::time::sleep(Duration::from_millis(200)).await;
                if reset {
                    visit.reset();
                }
            }
        })
        .await
    };
    vec![
        Row::at("nobody listens", &dead).down(connect(ConnectKind::Refused)),
        Row::new("reset before headers", resetting(9).await).down(connect(ConnectKind::Reset)),
        Row::new("closed before headers", closing().await).down(connect(ConnectKind::Closed)),
        Row::new("reset at first, then answered", resetting(1).await),
        Row::new("reset twice, answered at the second retry", resetting(2).await).retrying(2),
        Row::new("reset once, no retry", resetting(1).await).retrying(0).down(connect(ConnectKind::Reset)),
        Row::new("reset in the page, no backlink asked for", breaking("", true).await),
        Row::new("reset in the page behind the backlink", breaking("me.example", true).await)
            .asking("me.example"),
        Row::new("reset in the page before the backlink", breaking("nothing", true).await)
            .asking("me.example")
            .down(Reason::BROKE_OFF),
        Row::new("closed in the page before the backlink", breaking("nothing", false).await)
            .asking("me.example")
            .down(Reason::BROKE_OFF),
    ]
}

/// Resets so many connections, then answers.
async fn resetting(times: usize) -> Site {
    playing(move |mut visit, number| async move {
        visit.request().await;
        if number <= times { visit.reset() } else { visit.send(page("hello")).await }
    })
    .await
}

async fn closing() -> Site {
    playing(|mut visit, _| async move { drop(visit.request().await) }).await
}
