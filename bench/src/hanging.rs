//! A run with one link in ten hanging takes its timeout and little more.

use anyhow::Context;
use serde_json::Value;

use crate::list::Shape;
use crate::measure;

pub(crate) async fn run(rounds: usize, shape: Shape) -> anyhow::Result<()> {
    let (_sites, port) = measure::serve().await?;
    let folder = tempfile::tempdir()?;
    let list = folder.path().join("links.txt");
    std::fs::write(&list, shape.one_in_ten_hanging(port))?;
    let (mut walls, mut memories) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        // 1: the links that never answer did not pass.
        let taken = measure::measure(&mut measure::linkbeat_check(folder.path(), &list)?, &[1]).await?;
        let report: Value = serde_json::from_slice(&std::fs::read(folder.path().join("report.json"))?)?;
        let count = |name: &str| report["data"][name].as_u64().context("the report lacks a count");
        let hanging = u64::try_from(shape.hosts * (shape.links_per_host / 10))?;
        let (up, down) = (count("up")?, count("down")?);
        anyhow::ensure!(
            down == hanging && up + down == u64::try_from(shape.links())?,
            "{up} up and {down} down, but {hanging} hang"
        );
        walls.push(taken.wall.as_secs_f64());
        memories.push(taken.memory);
    }
    println!(
        "{} links on {} loopback hosts, one in ten never answers, timeout 5 s, defaults; {rounds} rounds",
        shape.links(),
        shape.hosts
    );
    println!(
        "linkbeat check, whole command: median {:.2} s, slowest {:.2} s; memory {:.0} MiB",
        measure::median(walls.clone()),
        walls.iter().copied().fold(0.0, f64::max),
        measure::median(memories)
    );
    Ok(())
}
