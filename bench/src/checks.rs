//! The engine alone, used as a worker uses it: a task per check, with the defaults.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use linkbeat_shared::{BacklinkPattern, CheckResult, CheckSpec, JobLink, LinkId, LinkUrl, Timeout, Verdict};
use linkbeat_worker::{Engine, Outcome, WorkerSettings};
use tokio::task::JoinSet;

/// About as many checks as a worker has in hand while sites answer at once.
const AT_ONCE: usize = 512;

/// An engine with the defaults of a worker that may talk to loopback.
pub(crate) fn engine() -> anyhow::Result<Arc<Engine>> {
    engine_of(WorkerSettings::default().concurrency)
}

/// The same for so many checks at once.
pub(crate) fn engine_of(concurrency: usize) -> anyhow::Result<Arc<Engine>> {
    let allow_network = vec!["127.0.0.0/8".parse()?];
    let settings = WorkerSettings { allow_network, concurrency, ..WorkerSettings::default() };
    Ok(Arc::new(Engine::new(&settings)?))
}

/// What each link is checked for: the backlink at the end of the pages, within this many milliseconds.
pub(crate) fn spec(timeout_ms: u64) -> anyhow::Result<Arc<CheckSpec>> {
    Ok(Arc::new(CheckSpec {
        backlink: Some(BacklinkPattern::parse(r"https://my\.blog\.example/")?),
        timeout: Timeout::from_millis(timeout_ms)?,
        ..CheckSpec::default()
    }))
}

/// One link of a job.
pub(crate) fn link(url: &str) -> anyhow::Result<JobLink> {
    Ok(JobLink { id: LinkId::new(), url: LinkUrl::parse(url)?, page_url: None, backlink: true })
}

/// What a check found.
pub(crate) fn judged(outcome: Outcome) -> anyhow::Result<CheckResult> {
    match outcome {
        Outcome::Judged(result) => Ok(result),
        Outcome::OwnFault(fault) => anyhow::bail!("a check was not possible: {}", fault.as_str()),
    }
}

/// Checks every link of a list; fails when one is not up.
pub(crate) async fn run(list: &Path) -> anyhow::Result<()> {
    let (engine, spec) = (engine()?, spec(5_000)?);
    let mut checks = JoinSet::new();
    for url in std::fs::read_to_string(list)?.lines() {
        if checks.len() >= AT_ONCE {
            up(checks.join_next().await)?;
        }
        let (engine, spec, link) = (Arc::clone(&engine), Arc::clone(&spec), link(url)?);
        checks.spawn(async move { engine.check(&link, &spec).await });
    }
    while let Some(ended) = checks.join_next().await {
        up(Some(ended))?;
    }
    Ok(())
}

fn up(ended: Option<Result<Outcome, tokio::task::JoinError>>) -> anyhow::Result<()> {
    let result = judged(ended.context("no check is under way")??)?;
    anyhow::ensure!(result.verdict == Some(Verdict::Up), "a link was not up: {:?}", result.reason);
    Ok(())
}
