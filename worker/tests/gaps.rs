//! Time in which this process did not run is never a verdict.

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use linkbeat_shared::{CheckSpec, LinkUrl, Phase, Reason, Verdict};
use linkbeat_worker::{Engine, Outcome, OwnFault, WorkerSettings};
use tokio::runtime::Builder;

use crate::site::name_server::{NameServer, Says};
use crate::site::{Site, answer, page, redirect, target};
use crate::{asking_for, assert_judged, link, settings, within, without_retries};

const BACKLINK: &str = "<a href='https://me.example/'>me</a>";
/// How long a link may take.
const TIMEOUT_MS: u64 = 1_000;
/// Into a check: after this its site has been asked.
const INTO_IT: Duration = Duration::from_millis(200);
/// More than a link may take.
const LONG: Duration = Duration::from_millis(1_500);

/// Checks a link in a runtime of one thread, which nothing else can use during these pauses.
fn check_during(
    pauses: Vec<(Duration, Duration)>,
    settings: WorkerSettings,
    url: LinkUrl,
    spec: CheckSpec,
) -> thread::JoinHandle<Outcome> {
    thread::spawn(move || {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async move {
            let engine = Engine::new(&settings).unwrap();
            let hog = tokio::spawn(async move {
                for (run, pause) in pauses {
                    tokio::time::sleep(run).await;
                    thread::sleep(pause);
                }
            });
            let outcome = engine.check(&link(&url), &spec).await;
            hog.abort();
            outcome
        })
    })
}

async fn ended(check: thread::JoinHandle<Outcome>) -> Outcome {
    tokio::task::spawn_blocking(|| check.join().unwrap()).await.unwrap()
}

async fn judged(check: thread::JoinHandle<Outcome>) -> linkbeat_shared::CheckResult {
    match ended(check).await {
        Outcome::Judged(result) => result,
        Outcome::OwnFault(fault) => panic!("not judged: {fault:?}"),
    }
}

/// Its first visitor is told `first` and then, after a while, nothing more. The others get the page.
async fn gives_up_on_the_first(first: &'static str, resets: bool) -> Site {
    Site::plays(move |mut visit, number| async move {
        let asked = visit.request().await;
        if number > 1 || asked.is_empty() {
            return visit.send(page(BACKLINK)).await;
        }
        visit.send(first).await;
        tokio::time::sleep(INTO_IT * 2).await;
        if resets {
            visit.reset();
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_in_any_phase_is_not_the_sites_fault() {
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf of";
    let impatient = Site::plays(|mut visit, number| async move {
        visit.request().await;
        tokio::time::sleep(INTO_IT * 2).await;
        let silent = answer("408 Request Timeout", &[], "");
        visit.send(if number == 1 { silent } else { page(BACKLINK) }).await;
    })
    .await;
    let overloaded = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let slow = Site::plays(|mut visit, _| async move {
        let asked = visit.request().await;
        tokio::time::sleep(INTO_IT * 2).await;
        let answer = if target(&asked) == "/" { redirect("302 Found", "/end") } else { page(BACKLINK) };
        visit.send(answer).await;
    })
    .await;
    let late = NameServer::that(|_| {
        Says::After(INTO_IT * 2, Box::new(Says::Addresses(vec![Ipv4Addr::LOCALHOST.into()])))
    })
    .await;
    let by_name = WorkerSettings { resolver: vec![late.address()], ..settings() };
    let quick = Site::answers(page(BACKLINK)).await;
    let sites = [
        ("headers, closed", gives_up_on_the_first("", false).await),
        ("headers, reset", gives_up_on_the_first("", true).await),
        ("half a head", gives_up_on_the_first("HTTP/1.1 200 OK\r\nServer: x", false).await),
        ("body", gives_up_on_the_first(half, false).await),
        ("body, reset", gives_up_on_the_first(half, true).await),
        ("it says that we are slow", impatient),
        ("two answers", slow),
    ];
    let spec =
        || without_retries(CheckSpec { timeout: within(TIMEOUT_MS).timeout, ..asking_for("me.example") });
    let paused = vec![(INTO_IT, LONG)];
    let mut checks: Vec<_> = sites
        .iter()
        .map(|(what, site)| (*what, check_during(paused.clone(), settings(), site.url("/"), spec())))
        .collect();
    checks.push(("name", check_during(paused, by_name, quick.url_at("site.test"), spec())));
    // Between two tries: the pause before the second one is 100 ms long.
    let busy = gives_up_on_the_first(overloaded, false).await;
    let with_retries = CheckSpec { timeout: within(TIMEOUT_MS).timeout, ..asking_for("me.example") };
    let between = vec![(Duration::from_millis(50), LONG)];
    checks.push(("between tries", check_during(between, settings(), busy.url("/"), with_retries)));
    for (what, check) in checks {
        let result = judged(check).await;
        assert_eq!((result.verdict, &result.reason), (Some(Verdict::Up), &None), "{what}");
    }
    for (what, site) in &sites {
        assert!(site.visits() > 1, "{what}: the first visitor was given up");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn short_pauses_add_up_and_one_shorter_than_the_timeout_counts() {
    let slow = || {
        Site::plays(|mut visit, number| async move {
            visit.request().await;
            // Within the time of a link, but not within what is left of it beside the pauses.
            tokio::time::sleep(Duration::from_millis(if number == 1 { 1_200 } else { 300 })).await;
            visit.send(page(BACKLINK)).await;
        })
    };
    let (one, other) = (slow().await, slow().await);
    let spec = || without_retries(within(TIMEOUT_MS));
    let short = vec![(Duration::from_millis(100), Duration::from_millis(300)); 3];
    let shorter = vec![(INTO_IT, Duration::from_millis(700))];
    for (site, pauses) in [(&one, short), (&other, shorter)] {
        let result = judged(check_during(pauses, settings(), site.url("/"), spec())).await;
        assert_judged(&result, Verdict::Up, None);
        assert_eq!(site.visits(), 2, "taken again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_site_said_stands_and_what_it_does_without_a_pause_is_its_own() {
    let gone = Site::answers(answer("404 Not Found", &[], "")).await;
    let hangs = Site::plays(|mut visit, _| async move { visit.wait_for_end().await }).await;
    let up = Site::answers(page("hello")).await;
    let spec = || without_retries(within(TIMEOUT_MS));
    let late = Reason::Timeout { phase: Phase::Headers };
    let at_once = INTO_IT / 20;
    for (site, run, verdict, reason, visits) in [
        (&gone, at_once, Verdict::Down, Some(Reason::Status { code: 404 }), 1..=2),
        (&hangs, INTO_IT, Verdict::Down, Some(late), 2..=2),
        (&up, at_once, Verdict::Up, None, 1..=2),
    ] {
        let result = judged(check_during(vec![(run, LONG)], settings(), site.url("/"), spec())).await;
        assert_judged(&result, verdict, reason);
        assert!(visits.contains(&site.visits()), "{verdict}: {}", site.visits());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_hardly_runs_judges_nothing() {
    let hangs = Site::plays(|mut visit, _| async move { visit.wait_for_end().await }).await;
    let pauses = vec![(INTO_IT, Duration::from_millis(600)); 30];
    let check = check_during(pauses, settings(), hangs.url("/"), without_retries(within(TIMEOUT_MS)));
    assert_eq!(ended(check).await, Outcome::OwnFault(OwnFault::Stalled));
    assert_eq!(hangs.visits(), 4, "not for ever");
}
