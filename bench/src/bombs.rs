//! What hostile answers cost in memory: one alone, and thousands at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use linkbeat_shared::{CheckResult, Verdict};
use tokio::task::JoinSet;

use crate::list::address;
use crate::{checks, measure};

/// How long the bombs at once may take, in milliseconds.
const TIMEOUT_MS: u64 = 5_000;
/// Healthy links that are checked beside them, one after the other.
const HEALTHY: usize = 200;

/// Path of the bomb, what it is.
const BOMBS: [(&str, &str); 3] =
    [("bomb", "a gzip bomb of 1 GiB"), ("endless", "an endless body"), ("headers", "endless headers")];

/// The same for those that are checked at once.
const CROWDS: [(&str, &str); 2] = [
    ("unfolds", "13 bytes that unfold into 2 MiB, then silence"),
    ("heads", "95 headers of 4 KiB, then silence"),
];

/// Each bomb in a process of its own, so that one's memory cannot hide another's.
pub(crate) async fn run(links: usize) -> anyhow::Result<()> {
    let (_sites, port) = measure::serve().await?;
    for (path, what) in BOMBS {
        let url = format!("http://127.0.0.1:{port}/{path}");
        let mut one = tokio::process::Command::new(std::env::current_exe()?);
        let output = one.args(["bomb", &url]).output().await?;
        anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        println!("{what:22} {}", String::from_utf8_lossy(&output.stdout).trim_end());
    }
    for (path, what) in CROWDS {
        let mut all = tokio::process::Command::new(std::env::current_exe()?);
        let output = all.args(["crowd", path, &port.to_string(), &links.to_string()]).output().await?;
        anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        println!("{links} × {what}: {}", String::from_utf8_lossy(&output.stdout).trim_end());
    }
    Ok(())
}

/// Checks so many hosts that answer alike, and healthy ones beside them. Tells this process's largest memory.
pub(crate) async fn crowd(path: &str, port: u16, links: usize) -> anyhow::Result<()> {
    let (engine, spec) = (checks::engine()?, checks::spec(TIMEOUT_MS)?);
    let began = Instant::now();
    let mut crowd = JoinSet::new();
    for host in 0..links {
        let link = checks::link(&format!("http://{}:{port}/{path}", address(host)))?;
        let (engine, spec) = (Arc::clone(&engine), Arc::clone(&spec));
        crowd.spawn(async move { engine.check(&link, &spec).await });
    }
    let mut longest = Duration::ZERO;
    for host in links..links + HEALTHY {
        let link = checks::link(&format!("http://{}:{port}/page", address(host)))?;
        let began = Instant::now();
        let result = checks::judged(engine.check(&link, &spec).await)?;
        anyhow::ensure!(result.verdict == Some(Verdict::Up), "a healthy link: {:?}", result.reason);
        longest = longest.max(began.elapsed());
    }
    let mut reasons = BTreeMap::<String, usize>::new();
    while let Some(outcome) = crowd.join_next().await {
        *reasons.entry(format!("{:?}", checks::judged(outcome?)?.reason)).or_default() += 1;
    }
    let memory = measure::peak_resident()? / 1_024.0;
    println!(
        "{memory:.0} MiB in all, {:.1} s; a healthy link took {} ms at most; {reasons:?}",
        began.elapsed().as_secs_f64(),
        longest.as_millis()
    );
    Ok(())
}

/// Checks one URL and tells by how much the process's largest memory grew.
pub(crate) async fn one(url: &str) -> anyhow::Result<()> {
    let (engine, spec) = (checks::engine()?, checks::spec(5_000)?);
    // One that answers, so that what is made once does not count.
    let page = url.rsplit_once('/').map_or(url, |(site, _)| site);
    checks::judged(engine.check(&checks::link(page)?, &spec).await)?;
    let before = measure::peak_resident()?;
    let CheckResult { verdict, reason, elapsed_ms, .. } =
        checks::judged(engine.check(&checks::link(url)?, &spec).await)?;
    let grown = (measure::peak_resident()? - before) / 1_024.0;
    println!("memory grew by {grown:.1} MiB in {elapsed_ms} ms: {verdict:?}, {reason:?}");
    Ok(())
}
