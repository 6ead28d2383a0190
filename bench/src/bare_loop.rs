//! What is compared with: reqwest and a regular expression, and nothing else.

use std::path::Path;
use std::time::Duration;

use futures::StreamExt;
use regex::bytes::Regex;

/// Fetches every URL of the list, reads its body and searches the pattern, where there is one. Prints how many passed
/// and how many did not; fails when one did not.
pub(crate) async fn run(list: &Path, concurrency: usize, backlink: Option<&Regex>) -> anyhow::Result<()> {
    let list = std::fs::read_to_string(list)?;
    // Idle connections are bounded: ten links of one host, asked at once, would keep ten of them for each host.
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(5))
        .pool_max_idle_per_host(4)
        .build()?;
    let all = list.lines().count();
    let failed = futures::stream::iter(list.lines().map(str::to_owned))
        .map(|url| {
            let client = client.clone();
            async move {
                let answer = client.get(url).send().await?.error_for_status()?;
                let body = answer.bytes().await?;
                reqwest::Result::Ok(backlink.is_none_or(|pattern| pattern.is_match(&body)))
            }
        })
        .buffer_unordered(concurrency)
        .filter(|passed| std::future::ready(!matches!(passed, Ok(true))))
        .count()
        .await;
    println!("{} {failed}", all - failed);
    anyhow::ensure!(failed == 0, "{failed} fetches failed");
    Ok(())
}
