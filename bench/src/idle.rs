//! What a check costs in memory while it waits for a site, and what a bare reqwest client takes for as many.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::list::address;
use crate::{checks, measure};

/// Long enough to start them all and look.
const TIMEOUT_MS: u64 = 30_000;

/// `bare`: by reqwest alone.
pub(crate) async fn run(count: usize, bare: bool) -> anyhow::Result<()> {
    let (_sites, port) = measure::serve().await?;
    let url = |host| format!("http://{}:{port}/never", address(host));
    let answers = format!("http://127.0.0.1:{port}/");
    let (count, each) = if bare {
        let client = reqwest::Client::builder().no_proxy().build()?;
        client.get(answers).send().await?.bytes().await?;
        (count, memory_of_each(count, |host| ended(client.get(url(host)).send())).await?)
    } else {
        let (engine, spec) = (checks::engine_of(count)?, checks::spec(TIMEOUT_MS)?);
        // One that answers, so that what is made once does not count.
        checks::judged(engine.check(&checks::link(&answers)?, &spec).await)?;
        // Fewer, where fewer open files are allowed.
        let count = count.min(engine.concurrency());
        let check = |host| {
            let (engine, spec, link) = (Arc::clone(&engine), Arc::clone(&spec), checks::link(&url(host)));
            async move {
                if let Ok(link) = link {
                    engine.check(&link, &spec).await;
                }
            }
        };
        (count, memory_of_each(count, check).await?)
    };
    println!(
        "{count} {} hanging at once: {each:.1} KiB of memory each",
        if bare { "requests" } else { "checks" }
    );
    Ok(())
}

async fn ended(request: impl Future) {
    request.await;
}

/// KiB by which this process grows for each of so many tasks, when all of them have a connection and wait.
async fn memory_of_each<F>(count: usize, begin: impl Fn(usize) -> F) -> anyhow::Result<f64>
where
    F: Future<Output = ()> + Send + 'static,
{
    // The connection of the one that answered is kept for a moment.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let files = measure::open_files()?;
    let before = measure::resident()?;
    let mut hanging = JoinSet::new();
    for host in 0..count {
        hanging.spawn(begin(host));
    }
    while measure::open_files()? < files + count {
        tokio::time::sleep(Duration::from_millis(50)).await;
        anyhow::ensure!(hanging.try_join_next().is_none(), "one has ended");
    }
    // The last requests are on their way.
    tokio::time::sleep(Duration::from_secs(1)).await;
    #[expect(clippy::cast_precision_loss, reason = "a count of checks, for display")]
    Ok((measure::resident()? - before) / count as f64)
}
