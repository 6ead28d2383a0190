//! What is compared with: reqwest and nothing else.

use std::path::Path;
use std::time::Duration;

use futures::StreamExt;

/// Fetches every URL of the list and reads its body; fails when one is not 200.
pub(crate) async fn run(list: &Path, concurrency: usize) -> anyhow::Result<()> {
    let list = std::fs::read_to_string(list)?;
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build()?;
    let failed = futures::stream::iter(list.lines().map(str::to_owned))
        .map(|url| {
            let client = client.clone();
            async move {
                let answer = client.get(url).send().await?.error_for_status()?;
                answer.bytes().await
            }
        })
        .buffer_unordered(concurrency)
        .filter(|body| std::future::ready(body.is_err()))
        .count()
        .await;
    anyhow::ensure!(failed == 0, "{failed} fetches failed");
    Ok(())
}
