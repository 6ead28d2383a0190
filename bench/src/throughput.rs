//! Many links on many hosts: linkbeat, whole or its engine alone, beside a loop that only fetches.

use std::path::Path;

use tokio::process::Command;

use crate::list::Shape;
use crate::measure::{self, Taken};

/// The loop is run at each of these; its best counts.
const CONCURRENCIES: [usize; 4] = [64, 128, 256, 512];

/// What runs beside the loop.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Contender {
    /// `linkbeat check`, with its database, queues and rules.
    Command,
    /// The engine alone: fetch and judge.
    Engine,
}

impl Contender {
    fn name(self) -> &'static str {
        match self {
            Self::Command => "linkbeat check, embedded, defaults",
            Self::Engine => "the engine alone, defaults",
        }
    }

    fn command(self, folder: &Path, list: &Path) -> anyhow::Result<Command> {
        match self {
            Self::Command => measure::linkbeat_check(folder, list),
            Self::Engine => measure::this_program(&["check"], list),
        }
    }
}

pub(crate) async fn run(contender: Contender, rounds: usize, shape: Shape) -> anyhow::Result<()> {
    let (_sites, port) = measure::serve().await?;
    let folder = tempfile::tempdir()?;
    let list = folder.path().join("links.txt");
    std::fs::write(&list, shape.healthy(port))?;
    let bare = |concurrency: usize| measure::this_program(&["loop", &concurrency.to_string()], &list);
    let mut best = (f64::MAX, CONCURRENCIES[0]);
    for concurrency in CONCURRENCIES {
        let taken = measure::measure(&mut bare(concurrency)?, &[0]).await?;
        if taken.wall.as_secs_f64() < best.0 {
            best = (taken.wall.as_secs_f64(), concurrency);
        }
    }
    let (mut loops, mut contenders) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        loops.push(measure::measure(&mut bare(best.1)?, &[0]).await?);
        contenders.push(measure::measure(&mut contender.command(folder.path(), &list)?, &[0]).await?);
    }
    println!(
        "{} links on {} loopback hosts, 10 KB pages, backlink at the end; {rounds} rounds, medians",
        shape.links(),
        shape.hosts
    );
    print_row(&format!("bare reqwest loop, best concurrency {}", best.1), &loops, shape.links());
    print_row(contender.name(), &contenders, shape.links());
    println!("speed / the loop's speed:  {}", ratios(&loops, &contenders, wall));
    println!("CPU / the loop's CPU:      {}", ratios(&contenders, &loops, cpu));
    Ok(())
}

fn wall(taken: &Taken) -> f64 {
    taken.wall.as_secs_f64()
}

fn cpu(taken: &Taken) -> f64 {
    taken.cpu.as_secs_f64()
}

fn median(taken: &[Taken], part: impl Fn(&Taken) -> f64) -> f64 {
    measure::median(taken.iter().map(part))
}

/// The median of the ratios within each pair, and their spread.
fn ratios(above: &[Taken], below: &[Taken], part: fn(&Taken) -> f64) -> String {
    let ratios: Vec<f64> = above.iter().zip(below).map(|(a, b)| part(a) / part(b)).collect();
    let least = ratios.iter().copied().fold(f64::MAX, f64::min);
    let most = ratios.iter().copied().fold(0.0, f64::max);
    format!("{:.2} (pair by pair {least:.2} to {most:.2})", measure::median(ratios))
}

fn print_row(what: &str, taken: &[Taken], links: usize) {
    #[expect(clippy::cast_precision_loss, reason = "a count of links, for display")]
    let links = links as f64;
    let wall = median(taken, wall);
    println!(
        "{what:40} {wall:6.2} s  {:7.0} links/s  {:6.0} µs CPU each  {:5.0} MiB",
        links / wall,
        median(taken, cpu) * 1e6 / links,
        median(taken, |taken| taken.memory),
    );
}
