//! Many links on many hosts: linkbeat with its database and rules beside a loop that only fetches.

use std::fmt::Write;

use tokio::process::Command;

use crate::measure::{self, Taken};

/// The loop is run at each of these; its best counts.
const CONCURRENCIES: [usize; 4] = [64, 128, 256, 512];

pub(crate) async fn run(rounds: usize, hosts: usize, links_per_host: usize) -> anyhow::Result<()> {
    let (_sites, port) = measure::serve().await?;
    let folder = tempfile::tempdir()?;
    let list = folder.path().join("links.txt");
    std::fs::write(&list, urls(hosts, links_per_host, port)?)?;
    let bare = |concurrency: usize| {
        let mut command = Command::new(std::env::current_exe().unwrap_or_default());
        command.arg("loop").arg(&list).arg(concurrency.to_string());
        command
    };
    let mut best = (f64::MAX, CONCURRENCIES[0]);
    for concurrency in CONCURRENCIES {
        let taken = measure::measure(&mut bare(concurrency), &[0]).await?;
        if taken.wall.as_secs_f64() < best.0 {
            best = (taken.wall.as_secs_f64(), concurrency);
        }
    }
    let (mut loops, mut checks) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        loops.push(measure::measure(&mut bare(best.1), &[0]).await?);
        checks.push(measure::measure(&mut measure::linkbeat_check(folder.path(), &list)?, &[0]).await?);
    }
    let links = hosts * links_per_host;
    println!(
        "{links} links on {hosts} loopback hosts, 10 KB pages, backlink at the end; {rounds} rounds, medians"
    );
    #[expect(clippy::cast_precision_loss, reason = "a count of links, for display")]
    let links = links as f64;
    print_row(&format!("bare reqwest loop, best concurrency {}", best.1), &loops, links);
    print_row("linkbeat check, embedded, defaults", &checks, links);
    println!(
        "speed of linkbeat / speed of the loop: {:.2} (pair by pair: {})",
        median(&loops, wall) / median(&checks, wall),
        pairs(&loops, &checks)
    );
    Ok(())
}

fn urls(hosts: usize, links_per_host: usize, port: u16) -> anyhow::Result<String> {
    let mut urls = String::new();
    for host in 0..hosts {
        for link in 0..links_per_host {
            writeln!(urls, "http://127.1.{}.{}:{port}/page/{link}", host / 250, host % 250 + 1)?;
        }
    }
    Ok(urls)
}

fn wall(taken: &Taken) -> f64 {
    taken.wall.as_secs_f64()
}

fn median(taken: &[Taken], part: impl Fn(&Taken) -> f64) -> f64 {
    measure::median(taken.iter().map(part))
}

fn pairs(loops: &[Taken], checks: &[Taken]) -> String {
    let ratios: Vec<_> = loops.iter().zip(checks).map(|(a, b)| format!("{:.2}", wall(a) / wall(b))).collect();
    ratios.join(" ")
}

fn print_row(what: &str, taken: &[Taken], links: f64) {
    let wall = median(taken, wall);
    println!(
        "{what:40} {wall:6.2} s  {:7.0} links/s  {:6.0} µs CPU each  {:5.0} MiB",
        links / wall,
        median(taken, |taken| taken.cpu.as_secs_f64()) * 1e6 / links,
        median(taken, |taken| taken.memory),
    );
}
