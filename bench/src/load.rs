//! Load for the dashboard: requests over kept connections, and views that stay open.

use std::time::{Duration, Instant};

use anyhow::Context;
use reqwest::Client;
use serde_json::json;
use tokio::task::JoinSet;

use crate::measure;

/// How long a view may take to open.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks for this over so many connections, for so long. Prints as JSON how many answers came in a second, how long they
/// took in milliseconds, how long the first one is in bytes, as it comes over the wire to a browser, and the share of a core
/// that asking took.
pub(crate) async fn get(url: &str, connections: usize, seconds: u64) -> anyhow::Result<()> {
    let client = client()?;
    let first = client.get(url).send().await?.error_for_status()?.bytes().await?.len();
    let (begun, cpu) = (Instant::now(), measure::own_cpu()?);
    let mut asking = JoinSet::new();
    for _ in 0..connections {
        asking.spawn(ask(client.clone(), url.to_owned(), begun + Duration::from_secs(seconds)));
    }
    let mut times = Vec::new();
    while let Some(of_one) = asking.join_next().await {
        times.extend(of_one??);
    }
    let wall = begun.elapsed().as_secs_f64();
    let per_second = times.len() as f64 / wall;
    let of_core = measure::own_cpu()?.saturating_sub(cpu).as_secs_f64() / wall;
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    println!(
        "{}",
        json!({ "per_second": per_second, "p50_ms": at(50), "p95_ms": at(95), "bytes": first, "cores": of_core })
    );
    Ok(())
}

/// Milliseconds of each answer. There is at least one.
async fn ask(client: Client, url: String, until: Instant) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::new();
    while times.is_empty() || Instant::now() < until {
        let begun = Instant::now();
        client.get(&url).send().await?.error_for_status()?.bytes().await?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times)
}

/// Opens so many views of what goes on, tells when each has had its first part, and keeps them open until it is killed.
pub(crate) async fn views(url: &str, count: usize) -> anyhow::Result<()> {
    let client = client()?;
    let mut views = Vec::with_capacity(count);
    for _ in 0..count {
        let mut view = client.get(url).send().await?.error_for_status()?;
        let first = tokio::time::timeout(PATIENCE, view.chunk()).await.context("a view gets nothing")??;
        anyhow::ensure!(first.is_some(), "a view was closed");
        views.push(view);
    }
    println!("{}", measure::open_files()?);
    let mut reading = JoinSet::new();
    for mut view in views {
        reading.spawn(async move { while let Ok(Some(_)) = view.chunk().await {} });
    }
    reading.join_next().await;
    anyhow::bail!("a view was closed")
}

fn client() -> anyhow::Result<Client> {
    let compressed = [(reqwest::header::ACCEPT_ENCODING, reqwest::header::HeaderValue::from_static("gzip"))];
    Ok(Client::builder().no_proxy().default_headers(compressed.into_iter().collect()).build()?)
}
