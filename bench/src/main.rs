//! Benchmarks: whole commands, side by side, in one run on one machine. They report and judge nothing.
//!
//! ```text
//! cargo build --release --workspace
//! target/release/linkbeat-bench slowest        a run takes as long as its slowest link, not the sum
//! target/release/linkbeat-bench throughput     linkbeat check beside a bare reqwest loop
//! ```

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod bare_loop;
mod measure;
mod server;
mod slowest;
mod throughput;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(about = "Benchmarks of linkbeat, side by side in one run")]
struct Cli {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// 24 links answering in 0.3-1.5 s and one that never answers, timeout 5 s
    Slowest {
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
    /// 20,000 links on 2,000 loopback hosts, 10 KB pages with the backlink at the end
    Throughput {
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        #[arg(long, default_value_t = 2_000)]
        hosts: usize,
        #[arg(long, default_value_t = 10)]
        links_per_host: usize,
    },
    /// The bare reqwest loop, as a process of its own
    #[command(hide = true)]
    Loop { list: PathBuf, concurrency: usize },
    /// The sites, as a process of their own
    #[command(hide = true)]
    Serve,
}

fn main() -> anyhow::Result<()> {
    // Tens of thousands of sockets, on both sides.
    rlimit::increase_nofile_limit(u64::MAX)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match Cli::parse().bench {
            Bench::Slowest { rounds } => slowest::run(rounds).await,
            Bench::Throughput { rounds, hosts, links_per_host } => {
                throughput::run(rounds, hosts, links_per_host).await
            }
            Bench::Loop { list, concurrency } => bare_loop::run(&list, concurrency).await,
            Bench::Serve => server::run().await,
        }
    })
}
