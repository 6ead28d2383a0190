//! The backlink in the page.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use linkbeat_shared::{CheckSpec, JobLink, Phase, Reason, Verdict};
use linkbeat_worker::{Engine, Outcome, WorkerSettings};

use crate::site::{Site, answer, chunk, page};
use crate::{asking_for, assert_judged, check, check_with, engine, link, settings, within, without_retries};

const BACKLINK: &str = r#"<a href="https://me.example/">"#;

fn missing(truncated: bool) -> Reason {
    Reason::BacklinkMissing { truncated }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn the_backlink_is_there_or_not() {
    let site = Site::answers_by_path(|path| match path {
        "/with" => page(format!("<p>{BACKLINK}me</a></p>")),
        "/gone" => answer("404 Not Found", &[], BACKLINK),
        _ => page("<p>nothing</p>"),
    })
    .await;
    let asked = asking_for(r"https?://me\.example/");
    assert_judged(&check(&site.url("/with"), &asked).await, Verdict::Up, None);
    let without = check(&site.url("/without"), &asked).await;
    assert_judged(&without, Verdict::NoBacklink, missing(false));
    assert_eq!(without.status, Some(200));
    assert_judged(&check(&site.url("/gone"), &asked).await, Verdict::Down, Reason::Status { code: 404 });
}

#[tokio::test]
async fn the_page_is_fetched_only_where_a_backlink_is_asked_for() {
    let site = Site::answers_by_path(|path| match path {
        "/" => answer("500 Broken", &[], ""),
        "/links" => page(BACKLINK),
        path => panic!("asked for {path}"),
    })
    .await;
    let engine = engine();
    let link = JobLink { page_url: Some(site.url("/links")), ..link(&site.url("/")) };
    let judge = async |link: &JobLink, spec: &CheckSpec| match engine.check(link, spec).await {
        Outcome::Judged(result) => result,
        Outcome::OwnFault(fault) => panic!("{fault:?}"),
    };
    assert_judged(&judge(&link, &asking_for("me.example")).await, Verdict::Up, None);
    let not_asked_of_it = JobLink { backlink: false, ..link.clone() };
    for (link, spec) in [(&link, within(5_000)), (&not_asked_of_it, asking_for("me.example"))] {
        assert_judged(&judge(link, &spec).await, Verdict::Down, Reason::Status { code: 500 });
    }
}

#[tokio::test]
async fn the_backlink_is_found_however_the_page_comes() {
    let in_pieces = Site::plays(|mut visit, _| async move {
        visit.request().await;
        visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        for byte in BACKLINK.as_bytes() {
            visit.send(chunk(&[*byte])).await;
        }
        visit.send("0\r\n\r\n").await;
    })
    .await;
    let packed =
        Site::answers(answer("200 OK", &["Content-Encoding: gzip"], gzip(BACKLINK.as_bytes()))).await;
    let until_the_end = Site::answers(format!("HTTP/1.0 200 OK\r\n\r\n{BACKLINK}")).await;
    let gbk = encoding_rs::GBK.encode("我的链接").0.into_owned();
    let in_gbk = Site::answers(answer("200 OK", &["Content-Type: text/html; charset=gbk"], &gbk)).await;
    let by_meta = Site::answers(page([b"<meta charset=gbk>", &gbk[..]].concat())).await;
    for (site, pattern) in [
        (&in_pieces, "me.example"),
        (&packed, "me.example"),
        (&until_the_end, "me.example"),
        (&in_gbk, "我的链接"),
        (&by_meta, "我的链接"),
    ] {
        assert_judged(&check(&site.url("/"), &asking_for(pattern)).await, Verdict::Up, None);
    }
}

#[tokio::test]
async fn no_more_than_the_cap_is_read() {
    let before = Site::answers(page([BACKLINK, &"x".repeat(200_000)].concat())).await;
    let behind = Site::answers(page(["x".repeat(200_000).as_str(), BACKLINK].concat())).await;
    let bomb = gzip(&vec![b'x'; 64 << 20]);
    let bomb = Site::answers(answer("200 OK", &["Content-Encoding: gzip"], bomb)).await;
    let endless = Site::plays(|mut visit, _| async move {
        visit.request().await;
        visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        let piece = chunk(&[b'x'; 10_000]);
        while tokio::io::AsyncWriteExt::write_all(&mut visit.stream, &piece).await.is_ok() {}
    })
    .await;
    let engine = Engine::new(&WorkerSettings { max_body: 100_000, ..settings() }).unwrap();
    let asked = asking_for("me.example");
    assert_judged(&check_with(&engine, &before.url("/"), &asked).await, Verdict::Up, None);
    for site in [behind, bomb, endless] {
        let result = check_with(&engine, &site.url("/"), &asked).await;
        assert_judged(&result, Verdict::NoBacklink, missing(true));
        assert_eq!(result.status, Some(200));
    }
}

#[tokio::test]
async fn a_page_that_breaks_off_counts_as_far_as_it_came() {
    let broken = |start: &'static str| {
        Site::plays(move |mut visit, _| async move {
            visit.request().await;
            visit.send(format!("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{start}")).await;
        })
    };
    let hanging = |start: &'static str| {
        Site::plays(move |mut visit, _| async move {
            visit.request().await;
            visit.send(format!("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{start}")).await;
            visit.wait_for_end().await;
        })
    };
    let asked = CheckSpec { timeout: within(500).timeout, ..asking_for("me.example") };
    assert_judged(&check(&broken(BACKLINK).await.url("/"), &asked).await, Verdict::Up, None);
    assert_judged(&check(&hanging(BACKLINK).await.url("/"), &asked).await, Verdict::Up, None);
    let late = Reason::Timeout { phase: Phase::Body };
    assert_judged(&check(&hanging("nothing").await.url("/"), &asked).await, Verdict::Down, late);
    let site = broken("nothing").await;
    assert_judged(&check(&site.url("/"), &asked).await, Verdict::Down, Reason::Body);
    assert_eq!(site.visits(), 2, "tried again");
    // Nobody asks for the page: the status stands.
    assert_judged(&check(&site.url("/"), &without_retries(within(5_000))).await, Verdict::Up, None);
    let not_gzip = Site::answers(answer("200 OK", &["Content-Encoding: gzip"], "plain text")).await;
    assert_judged(&check(&not_gzip.url("/"), &without_retries(asked)).await, Verdict::Down, Reason::Body);
}
