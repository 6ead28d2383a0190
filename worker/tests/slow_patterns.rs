//! Patterns that take long on some pages: the deadline holds, and nobody else waits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use linkbeat_shared::{BacklinkIn, BacklinkPattern, BodyKind, CheckResult, CheckSpec, Note, Reason, Verdict};
use linkbeat_worker::Engine;
use tokio::task::JoinSet;

use crate::lag::Lag;
use crate::site::{Site, page};
use crate::{asking_for, assert_judged, check_with, engine, within, without_retries};

/// Over it no search takes long, so that the machine's own speed does not matter.
const TIMEOUT: Duration = Duration::from_secs(2);
const TOO_SLOW: Reason = Reason::Body { kind: BodyKind::PatternTooSlow };

fn asked(pattern: &str, backlink_in: BacklinkIn) -> CheckSpec {
    let timeout = within(2_000).timeout;
    without_retries(CheckSpec { timeout, backlink_in, ..asking_for(pattern) })
}

async fn of_letters() -> Site {
    Site::answers_by_path(|path| match path {
        "/links" => {
            page("<a href='https://&#97;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/'>".repeat(30_000))
        }
        "/mixed" => page(mixed(1 << 20)),
        _ => page("a".repeat(2 << 20)),
    })
    .await
}

/// The letters a and b in no order, so that no automaton gets along with few states.
fn mixed(length: usize) -> String {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if state >> 31 == 0 { 'a' } else { 'b' }
    };
    (0..length).map(|_| next()).collect()
}

/// Pages and patterns, each hard for the other.
const HARD: [(&str, &str); 5] = [
    ("/", r"(?:a?){400}a{400}Z\b"),
    ("/", r"(?:a?){300}a{300}Z\b"),
    ("/mixed", r"[ab]*a[ab]{700}c\b"),
    ("/mixed", r"(?:[a-z]{1,9} ?){60}Z\b"),
    ("/links", r"(?:a?){400}a{400}Z\b"),
];

/// Checks all of them at once.
fn check_hard(engine: &Arc<Engine>, site: &Site) -> JoinSet<(&'static str, &'static str, CheckResult)> {
    let check = |(path, pattern): (&'static str, &'static str)| {
        let (engine, url) = (Arc::clone(engine), site.url(path));
        async move {
            let result = check_with(&engine, &url, &asked(pattern, BacklinkIn::Text)).await;
            (path, pattern, result)
        }
    };
    HARD.into_iter().map(check).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_search_ends_at_the_deadline_and_holds_up_nobody() {
    let (site, quick, engine) = (of_letters().await, Site::answers(page("hello")).await, Arc::new(engine()));
    // Automata are made once. Without optimization that takes a second.
    check_hard(&engine, &site).join_all().await;
    let mut slow = check_hard(&engine, &site);
    let (lag, began) = (Lag::watch(), Instant::now());
    while began.elapsed() < TIMEOUT {
        assert_judged(&check_with(&engine, &quick.url("/"), &within(2_000)).await, Verdict::Up, None);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(lag.worst() < TIMEOUT / 2, "the runtime hung for {:?}", lag.worst());
    while let Some(ended) = slow.join_next().await {
        let (path, pattern, result) = ended.unwrap();
        let took = Duration::from_millis(result.elapsed_ms.into());
        assert!(took < TIMEOUT + Duration::from_secs(2), "{pattern} on {path} took {took:?}");
        if pattern.contains("{700}") {
            assert_judged(&result, Verdict::Down, TOO_SLOW);
        } else {
            assert!(result.verdict != Some(Verdict::Up), "{pattern} on {path}: {result:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_in_time_counts_whatever_the_pattern() {
    let near = Site::answers(page(format!("{}Z.", "a".repeat(500)))).await;
    let slow = r"(?:a?){200}a{200}Z\b";
    for backlink_in in [BacklinkIn::Text, BacklinkIn::Anchor] {
        let result = check_with(&engine(), &near.url("/"), &asked(slow, backlink_in)).await;
        let verdict = if backlink_in == BacklinkIn::Text { Verdict::Up } else { Verdict::NoBacklink };
        assert_eq!(result.verdict, Some(verdict), "{:?}", result.reason);
    }
}

/// A site knows what is searched for. It can repeat that, in a link that does not count, as often as it likes.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_full_of_matches_is_read_in_bounded_time() {
    for (pattern, text) in [("me", "me"), (r"\bme\b", "me "), (r"x*", "x")] {
        let link = ["<a rel=nofollow>", &text.repeat(500)].concat();
        let site = Site::answers(page(link.repeat((1 << 20) / link.len()))).await;
        let result = check_with(&engine(), &site.url("/"), &asked(pattern, BacklinkIn::Text)).await;
        assert_judged(&result, Verdict::Up, None);
        assert!(pattern == "x*" || result.details.notes.contains(&Note::Nofollow), "{pattern}");
    }
}

#[test]
fn a_pattern_that_is_known_to_be_slow_is_not_accepted() {
    for slow in [r"(?:a?){400}a{400}Z\b", r"(?s)(?:.{0,99}x){9}y\b"] {
        assert!(BacklinkPattern::accept(slow).is_err(), "{slow}");
    }
}
