//! What a check costs in memory while it waits for a site.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::list::address;
use crate::{checks, measure};

/// Long enough to start them all and look.
const TIMEOUT_MS: u64 = 20_000;

pub(crate) async fn run(wanted: usize) -> anyhow::Result<()> {
    let (_sites, port) = measure::serve().await?;
    let files = measure::open_files()?;
    let (engine, spec) = (checks::engine()?, checks::spec(TIMEOUT_MS)?);
    let count = wanted.min(engine.concurrency());
    // One that answers, so that what is made once does not count.
    checks::judged(engine.check(&checks::link(&format!("http://127.0.0.1:{port}/"))?, &spec).await)?;
    let before = measure::resident()?;
    let mut hanging = JoinSet::new();
    for host in 0..count {
        let link = checks::link(&format!("http://{}:{port}/never", address(host)))?;
        let (engine, spec) = (Arc::clone(&engine), Arc::clone(&spec));
        hanging.spawn(async move { engine.check(&link, &spec).await });
    }
    while measure::open_files()? < files + count {
        tokio::time::sleep(Duration::from_millis(50)).await;
        anyhow::ensure!(hanging.len() == count && hanging.try_join_next().is_none(), "a check has ended");
    }
    // The last requests are on their way.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let after = measure::resident()?;
    #[expect(clippy::cast_precision_loss, reason = "a count of checks, for display")]
    let each = (after - before) / count as f64;
    println!("{count} checks hanging at once: {each:.1} KiB of memory each");
    Ok(())
}
