//! What hanging servers cost the healthy ones beside them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use linkbeat_shared::{CheckSpec, Verdict};
use linkbeat_worker::{Engine, WorkerSettings};
use tokio::task::JoinSet;

use crate::list::address;
use crate::{checks, measure};

/// Longer than all of it takes.
const TIMEOUT_MS: u64 = 20_000;

pub(crate) async fn run(hanging: usize, healthy: usize) -> anyhow::Result<()> {
    let most = WorkerSettings::default().concurrency;
    anyhow::ensure!(hanging + healthy <= most, "a worker checks {most} links at once, so no more than that");
    let (_sites, port) = measure::serve().await?;
    let street = Street { port, hanging, healthy, files: measure::open_files()? };
    let spec = checks::spec(TIMEOUT_MS)?;
    println!("{hanging} hanging servers beside {healthy} healthy ones; p99 of the healthy ones' checks");
    // Connections, memory and code are warm for both.
    street.time(&checks::engine()?, &spec, 0).await?;
    let alone = street.time(&checks::engine()?, &spec, 0).await?;
    let beside = street.time(&checks::engine()?, &spec, hanging).await?;
    println!("without them {:.1} ms, with them {:.1} ms: ×{:.2}", alone, beside, beside / alone);
    Ok(())
}

struct Street {
    port: u16,
    hanging: usize,
    healthy: usize,
    /// Open before all checks.
    files: usize,
}

/// After this, connections that an earlier engine kept are closed.
const SETTLED: Duration = Duration::from_secs(2);

impl Street {
    /// The p99 in milliseconds of the time from handing a healthy link to the engine to its verdict, while
    /// `hanging` checks wait for sites that never answer.
    async fn time(&self, engine: &Arc<Engine>, spec: &Arc<CheckSpec>, hanging: usize) -> anyhow::Result<f64> {
        tokio::time::sleep(SETTLED).await;
        let mut waiting = JoinSet::new();
        for host in 0..hanging {
            let link = checks::link(&format!("http://{}:{}/never", address(host), self.port))?;
            let (engine, spec) = (Arc::clone(engine), Arc::clone(spec));
            waiting.spawn(async move { engine.check(&link, &spec).await });
        }
        while measure::open_files()? < self.files + hanging {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // The last requests are on their way.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut checked = JoinSet::new();
        for host in self.hanging..self.hanging + self.healthy {
            let link = checks::link(&format!("http://{}:{}/page", address(host), self.port))?;
            let (engine, spec) = (Arc::clone(engine), Arc::clone(spec));
            checked.spawn(async move {
                let start = Instant::now();
                (engine.check(&link, &spec).await, start.elapsed())
            });
        }
        let mut times = Vec::with_capacity(self.healthy);
        for (outcome, time) in checked.join_all().await {
            anyhow::ensure!(checks::judged(outcome)?.verdict == Some(Verdict::Up), "a healthy link failed");
            times.push(time.as_secs_f64() * 1_000.0);
        }
        anyhow::ensure!(waiting.len() == hanging && waiting.try_join_next().is_none(), "a hanging one ended");
        times.sort_by(f64::total_cmp);
        Ok(times[times.len() * 99 / 100])
    }
}
