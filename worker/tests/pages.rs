//! The backlink in the page.

use std::io::Write;
use std::process::Command;

use flate2::write::GzEncoder;
use flate2::{Compress, Compression, FlushCompress};
use linkbeat_shared::{BacklinkIn, CheckSpec, JobLink, Note, Phase, Reason, Verdict};
use linkbeat_worker::{Engine, WorkerSettings};

use crate::site::{Site, answer, chunk, page};
use crate::{
    asking_for, assert_judged, check, check_link, check_with, engine, link, settings, within, without_retries,
};

const BACKLINK: &str = r#"<a href="https://me.example/">"#;

fn missing(truncated: bool) -> Reason {
    Reason::BacklinkMissing { truncated }
}

pub(crate) fn gzip(text: &[u8]) -> Vec<u8> {
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
        path => panic!("asked for {path}"),
    })
    .await;
    let engine = engine();
    let link = JobLink { page_url: Some(site.url("/links")), ..link(&site.url("/")) };
    let not_asked_of_it = JobLink { backlink: false, ..link.clone() };
    for (link, spec) in [(&link, within(5_000)), (&not_asked_of_it, asking_for("me.example"))] {
        let result = check_link(&engine, link, &spec).await;
        assert_judged(&result, Verdict::Down, Reason::Status { code: 500 });
        assert_eq!(result.details.failed, None, "only one page was fetched");
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
    // The last one has no automaton.
    for pattern in ["me.example", r"^<a href=.*>$", r"\bme\b"] {
        for site in [&in_pieces, &packed, &until_the_end] {
            assert_judged(&check(&site.url("/"), &asking_for(pattern)).await, Verdict::Up, None);
        }
    }
}

#[tokio::test]
async fn the_backlink_is_found_in_any_charset() {
    let text = "<p>欢迎来到我的博客，这里是友情链接页面</p>";
    let gbk = encoding_rs::GBK.encode(text).0.into_owned();
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let header = |charset: &str| format!("Content-Type: text/html; charset={charset}");
    for page in [
        answer("200 OK", &[&header("gbk")], &gbk),
        page([b"<meta charset=gbk>", &gbk[..]].concat()),
        page(&gbk),
        page(&utf16),
        answer("200 OK", &[&header("utf-8")], [&[0xfe, 0xff], &utf16[..]].concat()),
    ] {
        let site = Site::answers(page).await;
        assert_judged(&check(&site.url("/"), &asking_for("友情链接")).await, Verdict::Up, None);
        let without = check(&site.url("/"), &asking_for("友情鏈接")).await;
        assert_judged(&without, Verdict::NoBacklink, missing(false));
    }
}

#[tokio::test]
async fn a_backlink_may_have_to_be_a_real_link() {
    let site = Site::answers_by_path(|path| match path {
        "/comment" => page(format!("<!-- {BACKLINK} -->")),
        "/script" => page(format!("<script>'{BACKLINK}'</script>")),
        "/nofollow" => page("<a rel='noopener nofollow' href='https://me.example/'>me</a>"),
        "/both" => page(format!("<a rel=nofollow href='https://me.example/'>me</a>{BACKLINK}")),
        "/relative" => page("<base href='https://me.example/a/'><a href='../'>me</a>"),
        _ => page(BACKLINK),
    })
    .await;
    let in_text = asking_for("^https://me.example/$|https://me.example/\"");
    let in_anchor = CheckSpec { backlink_in: BacklinkIn::Anchor, ..in_text.clone() };
    for path in ["/", "/both", "/relative"] {
        let result = check(&site.url(path), &in_anchor).await;
        assert_judged(&result, Verdict::Up, None);
        assert!(result.details.notes.is_empty(), "{path}");
    }
    let result = check(&site.url("/nofollow"), &in_anchor).await;
    assert_judged(&result, Verdict::Up, None);
    assert!(result.details.notes.contains(&Note::Nofollow));
    for path in ["/comment", "/script"] {
        assert_judged(&check(&site.url(path), &in_text).await, Verdict::Up, None);
        let result = check(&site.url(path), &in_anchor).await;
        assert_judged(&result, Verdict::NoBacklink, missing(false));
    }
}

#[tokio::test]
async fn reading_ends_with_the_backlink() {
    let endless = Site::plays(|mut visit, _| async move {
        visit.request().await;
        visit.send("HTTP/1.1 200 OK\r\n\r\n").await;
        visit.send(format!("{}{BACKLINK}", "x".repeat(5_000))).await;
        visit.wait_for_end().await;
    })
    .await;
    for backlink_in in [BacklinkIn::Text, BacklinkIn::Anchor] {
        let asked = CheckSpec { backlink_in, ..asking_for("me.example/$|me.example/\"") };
        let result = check(&endless.url("/"), &without_retries(asked)).await;
        assert_judged(&result, Verdict::Up, None);
        assert!(result.elapsed_ms < 4_000, "waited for the end: {} ms", result.elapsed_ms);
    }
}

#[tokio::test]
async fn a_connection_serves_again_when_the_page_was_longer_than_needed() {
    let site = Site::plays(|mut visit, _| async move {
        while !visit.request().await.is_empty() {
            let page = format!("{BACKLINK}{}", "x".repeat(60_000));
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", page.len());
            visit.send(head + &page).await;
        }
    })
    .await;
    let engine = engine();
    let asked = asking_for("me.example");
    for _ in 0..3 {
        assert_judged(&check_with(&engine, &site.url("/"), &asked).await, Verdict::Up, None);
    }
    assert!(site.visits() < 3, "a new connection each time");
}

/// A gzip body of this many MiB of text.
fn bomb(mib: usize) -> Vec<u8> {
    let mut part = Compress::new(Compression::best(), false);
    let mut packed = Vec::with_capacity(8 << 10);
    let text = vec![b'x'; 1 << 20];
    part.compress_vec(&text, &mut packed, FlushCompress::Full).unwrap();
    assert_eq!(part.total_in(), 1 << 20, "one part holds it all");
    // A full flush ends a part that stands for itself (RFC 1951), so that it can be repeated.
    [b"\x1f\x8b\x08\0\0\0\0\0\0\xff", packed.repeat(mib).as_slice()].concat()
}

async fn endless_body(text: &'static str) -> Site {
    Site::plays(move |mut visit, _| async move {
        visit.request().await;
        visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        let piece = chunk(text.repeat(10_000).as_bytes());
        while tokio::io::AsyncWriteExt::write_all(&mut visit.stream, &piece).await.is_ok() {}
    })
    .await
}

/// Runs [`one_page_after_another`] in a process of its own, so that nothing else moves its memory.
#[test]
fn a_page_without_an_end_costs_little_memory() {
    let mut itself = Command::new(std::env::current_exe().unwrap());
    let output = itself.args(["--exact", "pages::one_page_after_another", "--ignored"]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{output:?}");
}

#[tokio::test]
#[ignore = "measures its whole process: a_page_without_an_end_costs_little_memory runs it"]
async fn one_page_after_another() {
    let bomb = answer("200 OK", &["Content-Encoding: gzip"], bomb(1_024));
    let endless = [endless_body("x").await, endless_body("é").await, endless_body("<p>").await];
    let sites = [Site::answers(bomb).await].into_iter().chain(endless).collect::<Vec<_>>();
    let engine = engine();
    let warm_up = Site::answers(page(BACKLINK)).await;
    assert_judged(&check_with(&engine, &warm_up.url("/"), &asking_for("me")).await, Verdict::Up, None);
    let before = peak_memory_from_now();
    // The last one has no automaton of a bearable size. So the text itself is kept, and what searches it has a cache.
    for (pattern, most) in [("me.example", 8 << 20), (r"\bme\b", 12 << 20)] {
        for backlink_in in [BacklinkIn::Text, BacklinkIn::Anchor] {
            let asked = CheckSpec { backlink_in, ..asking_for(pattern) };
            for site in &sites {
                let result = check_with(&engine, &site.url("/"), &asked).await;
                assert_judged(&result, Verdict::NoBacklink, missing(true));
                let grown = peak_memory() - before;
                println!("{pattern} in {backlink_in:?}: {} KiB so far", grown >> 10);
                assert!(grown < most, "grew by {grown} bytes");
            }
        }
    }
}

/// Forgets how much memory this process has had (proc(5)), and gives what it has.
pub(crate) fn peak_memory_from_now() -> usize {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    peak_memory()
}

/// The most memory this process has had, in bytes.
pub(crate) fn peak_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

#[tokio::test]
async fn no_more_than_the_cap_is_read() {
    let before = Site::answers(page([BACKLINK, &"x".repeat(200_000)].concat())).await;
    let behind = Site::answers(page(["x".repeat(200_000).as_str(), BACKLINK].concat())).await;
    let bomb = Site::answers(answer("200 OK", &["Content-Encoding: gzip"], bomb(64))).await;
    let endless = endless_body("x").await;
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
    assert_judged(&check(&site.url("/"), &asked).await, Verdict::Down, Reason::BROKE_OFF);
    assert_eq!(site.visits(), 2, "tried again");
    // Nobody asks for the page: the status stands.
    assert_judged(&check(&site.url("/"), &without_retries(within(5_000))).await, Verdict::Up, None);
    let not_gzip = Site::answers(answer("200 OK", &["Content-Encoding: gzip"], "plain text")).await;
    assert_judged(
        &check(&not_gzip.url("/"), &without_retries(asked)).await,
        Verdict::Down,
        Reason::BROKE_OFF,
    );
}
