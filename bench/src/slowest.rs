//! A run takes about as long as its slowest link, never the sum.

use std::fmt::Write;

use crate::measure;

pub(crate) async fn run(rounds: usize) -> anyhow::Result<()> {
    let (_sites, port) = measure::serve().await?;
    let folder = tempfile::tempdir()?;
    let list = folder.path().join("links.txt");
    let mut urls = String::new();
    for n in 0..24u32 {
        // 0.3 s to 1.5 s, evenly.
        writeln!(urls, "http://127.0.1.{}:{port}/after/{}", n + 1, 300 + n * 1_200 / 23)?;
    }
    writeln!(urls, "http://127.0.1.25:{port}/never")?;
    std::fs::write(&list, urls)?;
    let mut walls = Vec::new();
    for _ in 0..rounds {
        // 1: the link that never answers did not pass.
        let taken = measure::measure(&mut measure::linkbeat_check(folder.path(), &list)?, &[1]).await?;
        walls.push(taken.wall.as_secs_f64());
    }
    println!("24 links of 0.3-1.5 s and one that never answers, timeout 5 s, {rounds} rounds");
    println!(
        "linkbeat check, whole command: median {:.3} s, slowest {:.3} s",
        measure::median(walls.clone()),
        walls.iter().copied().fold(0.0, f64::max)
    );
    println!("the task it replaces:          5.473 s concurrent, 33.148 s one by one (its own report)");
    Ok(())
}
