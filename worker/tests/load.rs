//! Under load: hundreds of checks that hang, each over at its own deadline, and nobody else delayed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use linkbeat_shared::{CheckResult, CheckSpec, LinkUrl, Phase, Reason, Verdict};
use linkbeat_worker::Engine;
use tokio::task::JoinSet;

use crate::lag::Lag;
use crate::site::{Site, own_address, page};
use crate::{asking_for, assert_judged, check_with, engine, within};

/// Sites that hang, a third of them in each phase.
const HANGING_SITES: usize = 60;
/// Links of each, as many as may be asked at once.
const LINKS_OF_EACH: usize = 8;
/// Links of a site that is well.
const HEALTHY_LINKS: usize = 40;
const DEADLINE: Duration = Duration::from_secs(2);
/// What a check may take beyond its deadline, besides what the machine is late.
const GRACE: Duration = Duration::from_millis(100);

async fn hanging(phase: Phase) -> (Site, LinkUrl) {
    let site = Site::plays_at(own_address(), move |mut visit, _| async move {
        if phase != Phase::Tls {
            visit.request().await;
        }
        match phase {
            Phase::Body => visit.send("HTTP/1.1 200 OK\r\n\r\n").await,
            Phase::Headers => visit.send("HTTP/1.1 200 OK\r\nX: ").await,
            _ => {}
        }
        visit.wait_for_end().await;
    })
    .await;
    let url = if phase == Phase::Tls { site.https_url() } else { site.url("/") };
    (site, url)
}

/// Checks each URL this often, all at once.
async fn all(engine: &Arc<Engine>, urls: &[LinkUrl], times: usize) -> Vec<CheckResult> {
    let mut checks = JoinSet::new();
    let deadline = within(u64::try_from(DEADLINE.as_millis()).unwrap()).timeout;
    for url in urls.iter().flat_map(|url| std::iter::repeat_n(url, times)) {
        let (engine, url) = (Arc::clone(engine), url.clone());
        let spec = CheckSpec { timeout: deadline, ..asking_for("me.example") };
        checks.spawn(async move { check_with(&engine, &url, &spec).await });
    }
    checks.join_all().await
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_that_hang_are_over_in_time_and_hold_up_nobody() {
    let mut sites = Vec::new();
    let mut urls = Vec::new();
    for number in 0..HANGING_SITES {
        let phase = [Phase::Tls, Phase::Headers, Phase::Body][number % 3];
        let (site, url) = hanging(phase).await;
        sites.push(site);
        urls.push(url);
    }
    let healthy = Site::plays_at(own_address(), |mut visit, _| async move {
        visit.request().await;
        visit.send(page("me.example")).await;
    })
    .await;
    let (engine, lag) = (Arc::new(engine()), Lag::watch());
    let lively = async {
        // Among the hanging ones, not before them.
        crate::site::visited(&sites[HANGING_SITES - 1], 1).await;
        let began = Instant::now();
        (all(&engine, &[healthy.url("/")], HEALTHY_LINKS).await, began.elapsed())
    };
    let (late, (up, waited)) = tokio::join!(all(&engine, &urls, LINKS_OF_EACH), lively);

    assert_eq!((late.len(), up.len()), (HANGING_SITES * LINKS_OF_EACH, HEALTHY_LINKS));
    for result in &late {
        let took = took(result);
        assert!(matches!(result.reason, Some(Reason::Timeout { .. })), "{:?}", result.reason);
        assert!(
            took >= DEADLINE && took <= DEADLINE + GRACE + lag.worst(),
            "{took:?}, lag {:?}",
            lag.worst()
        );
    }
    for result in &up {
        assert_judged(result, Verdict::Up, None);
    }
    // With the waits for their turns, which a result does not count.
    assert!(waited < DEADLINE / 2 + lag.worst(), "{waited:?}, lag {:?}", lag.worst());
}

fn took(result: &CheckResult) -> Duration {
    Duration::from_millis(result.elapsed_ms.into())
}
