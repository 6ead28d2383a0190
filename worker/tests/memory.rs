//! Answers that want much memory share what there is.

use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use linkbeat_shared::{BacklinkIn, CheckResult, CheckSpec, LinkUrl, Phase, Reason, Verdict};
use linkbeat_worker::{Engine, WorkerSettings};
use tokio::task::JoinSet;

use crate::pages::{gzip, peak_memory, peak_memory_from_now};
use crate::site::{Site, answer, page, target};
use crate::{asking_for, assert_judged, check_with, settings, within, without_retries};

const BACKLINK: &str = r#"<a href="https://me.example/">"#;
/// 13 bytes of brotli that unfold into 2 MiB; one more would end them.
const BOMB: [u8; 13] = [0x9b, 0xff, 0xff, 0x1f, 0xf8, 0x25, 0xf0, 0xe2, 0xb1, 0x40, 0x20, 0xf7, 0xfe];
const MIB: usize = 1 << 20;

/// Sites on all loopback addresses. What they answer stands in the path, and then they say nothing more.
async fn hostile() -> Site {
    Site::plays_at(Ipv4Addr::UNSPECIFIED, |mut visit, _| async move {
        let asked = visit.request().await;
        let packed = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: br\r\nContent-Length: 999999\r\n\r\n";
        match target(&asked) {
            "/bomb" => visit.send([packed.as_bytes(), &BOMB].concat()).await,
            "/window" => visit.send([packed.as_bytes(), &of_largest_window(40_000)].concat()).await,
            "/heads" => visit.send(LONG_HEAD.as_str()).await,
            "/hints" => {
                for _ in 0..400 {
                    visit.send(["HTTP/1.1 103 Hints\r\nX: ", &"x".repeat(1_000), "\r\n\r\n"].concat()).await;
                }
            }
            "/plain" => {
                visit.send("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n").await;
                visit.send(&LONG_HEAD[20..]).await;
            }
            "/text" => {
                let plain = "HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n".to_owned();
                visit.send(plain + &"x".repeat(40_000)).await;
            }
            "/packed" => {
                let body = gzip(format!("{}{BACKLINK}", "<p>hello</p>".repeat(1_000)).as_bytes());
                return visit.send(answer("200 OK", &["Content-Encoding: gzip"], body)).await;
            }
            _ => return visit.send(page(BACKLINK)).await,
        }
        visit.wait_for_end().await;
    })
    .await
}

/// 380 KB of a head that does not end.
static LONG_HEAD: LazyLock<String> = LazyLock::new(|| {
    let header = ["X: ", &"x".repeat(4_000), "\r\n"].concat();
    ["HTTP/1.1 200 OK\r\n", &header.repeat(95)].concat()
});

/// A block that is not compressed, in a stream with a window of 16 MiB (RFC 7932 §9.1, §9.2).
fn of_largest_window(length: u32) -> Vec<u8> {
    let head = 0b1111 | (length - 1) << 7 | 1 << 23;
    [&head.to_le_bytes()[..3], &vec![b'x'; length as usize]].concat()
}

fn engine(memory: usize) -> Arc<Engine> {
    Arc::new(Engine::new(&WorkerSettings { memory, ..settings() }).unwrap())
}

fn asked(pattern: &str, ms: u64) -> CheckSpec {
    without_retries(CheckSpec { timeout: within(ms).timeout, ..asking_for(pattern) })
}

fn url(site: &Site, host: u8, path: &str) -> LinkUrl {
    LinkUrl::parse(&format!("http://127.0.7.{host}:{}{path}", site.address().port())).unwrap()
}

/// Checks so many hosts at once.
fn check_all(
    engine: &Arc<Engine>,
    site: &Site,
    path: &'static str,
    spec: &CheckSpec,
    hosts: u8,
) -> JoinSet<CheckResult> {
    (1..=hosts)
        .map(|host| {
            let url = url(site, host, path);
            let (engine, spec) = (Arc::clone(engine), spec.clone());
            async move { check_with(&engine, &url, &spec).await }
        })
        .collect()
}

/// In a process of its own, so that nothing else moves its memory.
pub(crate) fn alone(test: &str) {
    let mut itself = Command::new(std::env::current_exe().unwrap());
    let output = itself.args(["--exact", test, "--ignored"]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{output:?}");
}

#[test]
fn a_few_bytes_and_then_silence_keep_no_decoder() {
    alone("memory::bombs_and_silence");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures its whole process: a_few_bytes_and_then_silence_keep_no_decoder runs it"]
async fn bombs_and_silence() {
    let (site, engine) = (hostile().await, engine(256 * MIB));
    let spec = asked("me.example", 3_000);
    assert_judged(&check_with(&engine, &url(&site, 254, "/"), &spec).await, Verdict::Up, None);
    let before = peak_memory_from_now();
    let mut bombs = check_all(&engine, &site, "/bomb", &spec, 250);
    tokio::time::sleep(Duration::from_millis(700)).await;
    for path in ["/", "/packed"] {
        assert_judged(&check_with(&engine, &url(&site, 254, path), &spec).await, Verdict::Up, None);
    }
    while let Some(result) = bombs.join_next().await {
        assert_judged(&result.unwrap(), Verdict::Down, Reason::Timeout { phase: Phase::Body });
    }
    let grown = peak_memory() - before;
    assert!(grown < 60 * MIB, "250 bombs took {} MiB", grown / MIB);
}

#[test]
fn many_large_answers_without_an_end_share_what_there_is() {
    alone("memory::hoarders");
}

/// Each would take 400 KiB. Healthy links beside them are judged at once.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures its whole process: many_large_answers_without_an_end_share_what_there_is runs it"]
async fn hoarders() {
    let (site, engine) = (hostile().await, engine(32 * MIB));
    let spec = asked("me.example", 1_500);
    assert_judged(&check_with(&engine, &url(&site, 254, "/"), &spec).await, Verdict::Up, None);
    // Long pages are few, because it takes long to search them without optimizations.
    for (path, hosts, phase) in
        [("/heads", 250, Phase::Headers), ("/plain", 20, Phase::Body), ("/hints", 40, Phase::Headers)]
    {
        let before = peak_memory_from_now();
        let mut hoarders = check_all(&engine, &site, path, &spec, hosts);
        let mut longest = Duration::ZERO;
        while let Some(result) = hoarders.join_next().await {
            assert_judged(&result.unwrap(), Verdict::Down, Reason::Timeout { phase });
            let began = Instant::now();
            assert_judged(&check_with(&engine, &url(&site, 254, "/"), &spec).await, Verdict::Up, None);
            longest = longest.max(began.elapsed());
        }
        let grown = peak_memory() - before;
        println!("{path}: {} KiB, a healthy link took {longest:?}", grown >> 10);
        assert!(grown < 75 * MIB, "hoarders at {path} took {} MiB", grown / MIB);
        assert!(longest < Duration::from_secs(2), "a healthy link took {longest:?}");
    }
}

/// There is memory for three such pages at once.
#[tokio::test(flavor = "multi_thread")]
async fn large_pages_take_turns_and_waiting_for_one_is_no_verdict() {
    let site = hostile().await;
    // The second pattern has no automaton, so the text is kept.
    for (path, pattern, memory) in [("/window", "me.example", 110 * MIB), ("/text", r"\bme\b", 26 * MIB)] {
        let (spec, engine) = (asked(pattern, 1_000), engine(memory));
        let began = Instant::now();
        let mut pages = check_all(&engine, &site, path, &spec, 9);
        tokio::time::sleep(Duration::from_millis(300)).await;
        for small in ["/", "/packed"] {
            let spec = asked("me.example", 3_000);
            assert_judged(&check_with(&engine, &url(&site, 254, small), &spec).await, Verdict::Up, None);
        }
        while let Some(result) = pages.join_next().await {
            assert_judged(&result.unwrap(), Verdict::Down, Reason::Timeout { phase: Phase::Body });
        }
        assert!(began.elapsed() > Duration::from_millis(2_500), "{path} took {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn links_alone_need_little_memory_until_the_page_is_long() {
    let (site, engine) = (hostile().await, engine(MIB));
    let spec = CheckSpec { backlink_in: BacklinkIn::Anchor, ..asked("me.example", 3_000) };
    for path in ["/", "/packed"] {
        assert_judged(&check_with(&engine, &url(&site, 254, path), &spec).await, Verdict::Up, None);
    }
}
