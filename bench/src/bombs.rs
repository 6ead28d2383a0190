//! What a hostile answer costs in memory.

use linkbeat_shared::CheckResult;

use crate::{checks, measure};

/// Path of the bomb, what it is.
const BOMBS: [(&str, &str); 3] =
    [("bomb", "a gzip bomb of 1 GiB"), ("endless", "an endless body"), ("headers", "endless headers")];

/// Each bomb in a process of its own, so that one's memory cannot hide another's.
pub(crate) async fn run() -> anyhow::Result<()> {
    let (_sites, port) = measure::serve().await?;
    for (path, what) in BOMBS {
        let url = format!("http://127.0.0.1:{port}/{path}");
        let mut one = tokio::process::Command::new(std::env::current_exe()?);
        let output = one.args(["bomb", &url]).output().await?;
        anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        println!("{what:22} {}", String::from_utf8_lossy(&output.stdout).trim_end());
    }
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
