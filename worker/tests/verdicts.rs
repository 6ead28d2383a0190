//! Retries, kept connections and limits, where the table of the hostile site does not reach.

use std::time::{Duration, Instant};

use linkbeat_shared::{ConnectKind, JobLink, Phase, Reason, Verdict};

use crate::site::{Site, answer, page};
use crate::{assert_judged, assert_took, check, check_with, engine, link, settings, within, without_retries};
use linkbeat_worker::{Engine, Outcome, WorkerSettings};

const SECOND: Duration = Duration::from_secs(1);

fn status(code: u16) -> Reason {
    Reason::Status { code }
}

fn timeout(phase: Phase) -> Reason {
    Reason::Timeout { phase }
}

fn connect(kind: ConnectKind) -> Reason {
    Reason::Connect { kind }
}

#[tokio::test]
async fn connections_lost_for_good_say_how() {
    let reset = Site::plays(|mut visit, _| async move {
        visit.request().await;
        visit.reset();
    })
    .await;
    let result = check(&reset.url("/"), &within(5_000)).await;
    assert_judged(&result, Verdict::Down, connect(ConnectKind::Reset));
    assert_eq!(reset.visits(), 2, "one retry by default");
    let closed = Site::plays(|mut visit, _| async move {
        visit.request().await;
    })
    .await;
    let result = check(&closed.url("/"), &without_retries(within(5_000))).await;
    assert_judged(&result, Verdict::Down, connect(ConnectKind::Closed));
    assert_eq!(closed.visits(), 1);
}

#[tokio::test]
async fn an_overloaded_server_is_asked_again_when_it_says() {
    let site = Site::plays(|mut visit, number| async move {
        visit.request().await;
        visit
            .send(if number == 1 { answer("503 Busy", &["Retry-After: 1"], "") } else { page("hello") })
            .await;
    })
    .await;
    let result = check(&site.url("/"), &within(5_000)).await;
    assert_judged(&result, Verdict::Up, None);
    assert_took(&result, SECOND, 2 * SECOND);
}

#[tokio::test]
async fn a_retry_that_the_deadline_cuts_off_leaves_the_first_finding() {
    let site = Site::plays(|mut visit, number| async move {
        visit.request().await;
        if number == 1 {
            visit.send(answer("502 Bad Gateway", &[], "")).await;
        }
        visit.wait_for_end().await;
    })
    .await;
    let result = check(&site.url("/"), &within(500)).await;
    assert_judged(&result, Verdict::Down, status(502));
    assert_took(&result, SECOND / 2, SECOND / 2);
    assert_eq!(site.visits(), 2);
}

#[tokio::test]
async fn a_kept_connection_that_the_server_closed_says_nothing() {
    // Each connection serves one request, promises more, and is closed when the next one comes.
    let site = Site::plays(|mut visit, _| async move {
        visit.request().await;
        visit.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        visit.request().await;
        visit.reset();
    })
    .await;
    let engine = engine();
    for _ in 0..3 {
        let result = check_with(&engine, &site.url("/"), &without_retries(within(5_000))).await;
        assert_judged(&result, Verdict::Up, None);
    }
}

#[tokio::test]
async fn the_operator_limits_the_deadline() {
    let silent = Site::plays(|mut visit, _| async move { visit.wait_for_end().await }).await;
    let settings = WorkerSettings { max_timeout: within(300).timeout, ..settings() };
    let engine = Engine::new(&settings).unwrap();
    let result = check_with(&engine, &silent.url("/"), &within(60_000)).await;
    assert_judged(&result, Verdict::Down, timeout(Phase::Headers));
    assert_took(&result, Duration::from_millis(300), Duration::from_millis(300));
}

#[tokio::test]
async fn one_dead_link_does_not_delay_the_others() {
    let silent = Site::plays(|mut visit, _| async move { visit.wait_for_end().await }).await;
    let lively = Site::answers(page("hello")).await;
    let engine = engine();
    let began = Instant::now();
    let dead: JobLink = link(&silent.url("/"));
    let spec = within(1_000);
    let alive = async {
        for _ in 0..5 {
            assert_judged(&check_with(&engine, &lively.url("/"), &spec).await, Verdict::Up, None);
        }
        assert!(began.elapsed() < SECOND / 2, "{:?}", began.elapsed());
    };
    let (outcome, ()) = tokio::join!(engine.check(&dead, &spec), alive);
    assert!(matches!(outcome, Outcome::Judged(result) if result.reason == Some(timeout(Phase::Headers))));
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    for (settings, word) in [
        (WorkerSettings { concurrency: 0, ..settings() }, "concurrency"),
        (WorkerSettings { per_host: 0, ..settings() }, "per_host"),
        (WorkerSettings { user_agent: "a\nb".into(), ..settings() }, "user agent"),
        (WorkerSettings { extra_ca: Some("/nonexistent.pem".into()), ..settings() }, "/nonexistent.pem"),
    ] {
        let error = Engine::new(&settings).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}
