//! The engine and the role `worker` over real sockets on loopback.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test ends at the first surprise")]

mod backlinks;
mod descriptors;
mod details;
mod explaining;
mod fairness;
mod gaps;
mod hostile;
mod http2;
mod jobs;
mod lag;
mod limits;
mod load;
mod memory;
mod names;
mod offline;
mod pages;
mod proxy;
mod resolving;
mod safety;
mod scarcity;
mod signs;
mod slow_patterns;
mod tls;
mod two_pages;
mod verdicts;

/// The fake servers, by short names.
mod site {
    pub(crate) use linkbeat_testbed::name_server;
    pub(crate) use linkbeat_testbed::site::*;
}

use std::time::Duration;

use linkbeat_shared::{
    BacklinkPattern, CheckResult, CheckSpec, JobLink, LinkId, LinkUrl, Reason, Retries, Timeout, Verdict,
};
use linkbeat_worker::{Engine, Outcome, WorkerSettings};

/// A worker that may dial loopback.
fn settings() -> WorkerSettings {
    WorkerSettings { allow_network: vec!["127.0.0.0/8".parse().unwrap()], ..WorkerSettings::default() }
}

fn engine() -> Engine {
    Engine::new(&settings()).unwrap()
}

/// The defaults, with this deadline.
fn within(ms: u64) -> CheckSpec {
    CheckSpec { timeout: Timeout::from_millis(ms).unwrap(), ..CheckSpec::default() }
}

/// The defaults, and this backlink.
fn asking_for(backlink: &str) -> CheckSpec {
    CheckSpec { backlink: Some(BacklinkPattern::parse(backlink).unwrap()), ..CheckSpec::default() }
}

fn without_retries(spec: CheckSpec) -> CheckSpec {
    CheckSpec { retries: Retries::try_from(0).unwrap(), ..spec }
}

fn link(url: &LinkUrl) -> JobLink {
    JobLink { id: LinkId::new(), url: url.clone(), page_url: None, backlink: true }
}

/// Checks a URL that must be judged.
async fn check_with(engine: &Engine, url: &LinkUrl, spec: &CheckSpec) -> CheckResult {
    check_link(engine, &link(url), spec).await
}

/// Checks one link that must be judged.
async fn check_link(engine: &Engine, link: &JobLink, spec: &CheckSpec) -> CheckResult {
    let url = &link.url;
    match engine.check(link, spec).await {
        Outcome::Judged(result) => {
            assert_eq!(result.link_id, link.id);
            result
        }
        Outcome::OwnFault(fault) => panic!("{url} was not judged: {fault:?}"),
    }
}

async fn check(url: &LinkUrl, spec: &CheckSpec) -> CheckResult {
    check_with(&engine(), url, spec).await
}

#[track_caller]
fn assert_judged(result: &CheckResult, verdict: Verdict, reason: impl Into<Option<Reason>>) {
    assert_eq!((result.verdict, result.reason.clone()), (Some(verdict), reason.into()));
}

/// The deadline, and 100 ms for what comes after it.
#[track_caller]
fn assert_took(result: &CheckResult, from: Duration, deadline: Duration) {
    let took = Duration::from_millis(result.elapsed_ms.into());
    assert!(took >= from && took <= deadline + Duration::from_millis(100), "took {took:?}");
}
