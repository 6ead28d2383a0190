//! Statuses, lost connections, timeouts.

use std::time::{Duration, Instant};

use linkbeat_shared::{CheckSpec, ConnectKind, JobLink, LinkUrl, Phase, Reason, Verdict};
use tokio::net::{TcpSocket, TcpStream};

use crate::site::{Site, answer, nobody, page};
use crate::{
    asking_for, assert_judged, assert_took, check, check_with, engine, link, settings, within,
    without_retries,
};
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
async fn the_status_decides() {
    let site = Site::answers_by_path(|path| match path {
        "/wall" => answer("403 Forbidden", &["cf-mitigated: challenge"], ""),
        "/limit" => answer("429 Too Many Requests", &[], ""),
        path => answer(&format!("{} Something", &path[1..]), &[], "hello"),
    })
    .await;
    let engine = engine();
    let judged =
        async |path: &str| check_with(&engine, &site.url(path), &without_retries(within(5_000))).await;
    let up = judged("/200").await;
    assert_judged(&up, Verdict::Up, None);
    assert_eq!(up.status, Some(200));
    for code in [204, 206, 401, 403, 404, 500, 503] {
        let result = judged(&format!("/{code}")).await;
        assert_judged(&result, Verdict::Down, status(code));
        assert_eq!(result.status, Some(code));
    }
    assert_judged(&judged("/wall").await, Verdict::Blocked, status(403));
    assert_judged(&judged("/limit").await, Verdict::Blocked, status(429));
    let accepting = CheckSpec { accept: "204".parse().unwrap(), ..within(5_000) };
    assert_judged(&check_with(&engine, &site.url("/204"), &accepting).await, Verdict::Up, None);
}

#[tokio::test]
async fn odd_but_harmless_answers_are_up() {
    for odd in [
        "HTTP/1.0 200 OK\r\n\r\nuntil the end",
        "HTTP/1.1 200\r\n\r\n",
        "HTTP/1.1 200 OK\r\nName with spaces : x\r\nTwo\r\n lines\r\nContent-Length: 0\r\n\r\n",
    ] {
        let site = Site::answers(odd).await;
        assert_judged(&check(&site.url("/"), &within(5_000)).await, Verdict::Up, None);
    }
}

#[tokio::test]
async fn what_is_not_http_is_a_protocol_failure() {
    let endless = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    for garbage in ["SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", &endless] {
        let site = Site::answers(garbage).await;
        assert_judged(&check(&site.url("/"), &within(5_000)).await, Verdict::Down, Reason::Protocol);
    }
}

#[tokio::test]
async fn nobody_listens() {
    let url = LinkUrl::parse(&format!("http://{}/", nobody().await)).unwrap();
    assert_judged(&check(&url, &within(5_000)).await, Verdict::Down, connect(ConnectKind::Refused));
}

#[tokio::test]
async fn a_lost_connection_is_tried_again() {
    let site = Site::plays(|mut visit, number| async move {
        visit.request().await;
        match number {
            1 => visit.reset(),
            2 => {}
            _ => visit.send(page("hello")).await,
        }
    })
    .await;
    let twice = CheckSpec { retries: 2.try_into().unwrap(), ..within(5_000) };
    assert_judged(&check(&site.url("/"), &twice).await, Verdict::Up, None);
    assert_eq!(site.visits(), 3);
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
async fn a_timeout_names_what_was_waited_for() {
    // A listener whose queue is full does not answer further connections.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(0).unwrap();
    let _in_the_queue = TcpStream::connect(full.local_addr().unwrap()).await.unwrap();
    let no_connection = LinkUrl::parse(&format!("http://{}/", full.local_addr().unwrap())).unwrap();

    let silent = Site::plays(|mut visit, _| async move { visit.wait_for_end().await }).await;
    for (url, phase) in
        [(no_connection, Phase::Connect), (silent.https_url(), Phase::Tls), (silent.url("/"), Phase::Headers)]
    {
        let result = check(&url, &within(500)).await;
        assert_judged(&result, Verdict::Down, timeout(phase));
        assert_took(&result, SECOND / 2, SECOND / 2);
    }
}

#[tokio::test]
async fn dripping_headers_and_bodies_end_at_the_deadline() {
    async fn drip(mut visit: crate::site::Visit<TcpStream>, head: &'static str) {
        visit.request().await;
        visit.send(head).await;
        for _ in 0..100 {
            visit.send("x").await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let headers = Site::plays(|visit, _| drip(visit, "HTTP/1.1 200 OK\r\nX: ")).await;
    let result = check(&headers.url("/"), &within(500)).await;
    assert_judged(&result, Verdict::Down, timeout(Phase::Headers));
    assert_took(&result, SECOND / 2, SECOND / 2);

    let body = Site::plays(|visit, _| drip(visit, "HTTP/1.1 200 OK\r\n\r\n")).await;
    let asked = CheckSpec { timeout: within(500).timeout, ..asking_for("backlink") };
    let result = check(&body.url("/"), &asked).await;
    assert_judged(&result, Verdict::Down, timeout(Phase::Body));
    assert_eq!(result.status, Some(200));
    assert_took(&result, SECOND / 2, SECOND / 2);
    // Nobody asks for the body: the status alone decides, at once.
    let result = check(&body.url("/"), &within(500)).await;
    assert_judged(&result, Verdict::Up, None);
    assert!(result.elapsed_ms < 400, "{} ms", result.elapsed_ms);
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
