//! Benchmarks: whole commands, side by side, in one run on one machine. They report and judge nothing.
//!
//! ```text
//! cargo build --release --workspace
//! target/release/linkbeat-bench slowest        a run takes as long as its slowest link, not the sum
//! target/release/linkbeat-bench throughput     linkbeat check beside a bare reqwest loop
//! target/release/linkbeat-bench engine         its engine alone beside that loop
//! target/release/linkbeat-bench hanging        a run with one link in ten hanging
//! target/release/linkbeat-bench idle           the memory of a check that waits
//! target/release/linkbeat-bench fairness       healthy servers beside hanging ones
//! target/release/linkbeat-bench flood          small requests beside one app's flood, in a whole fleet
//! target/release/linkbeat-bench bombs          the memory that a hostile answer costs
//! target/release/linkbeat-bench history        a year of history: bytes, reading, rolling up, cleaning up
//! ```
//!
//! `bench/run` measures linkbeat beside other programs, and uses some commands of this one.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod bare_loop;
mod bare_servers;
mod bombs;
mod checks;
mod fairness;
mod flood;
mod hanging;
mod history;
mod idle;
mod list;
mod load;
mod measure;
mod server;
mod slowest;
mod throughput;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::list::Shape;
use crate::throughput::Contender;

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
        #[command(flatten)]
        shape: Shape,
    },
    /// The same list, fetched and judged by the engine alone
    Engine {
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        #[command(flatten)]
        shape: Shape,
    },
    /// The same list with one link in ten hanging, timeout 5 s
    Hanging {
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        #[command(flatten)]
        shape: Shape,
    },
    /// Memory of checks that hang at once
    Idle {
        #[arg(long, default_value_t = 10_000)]
        checks: usize,
        /// Not checks, but requests of a bare reqwest client
        #[arg(long)]
        bare: bool,
    },
    /// Healthy servers' latency beside hanging ones
    Fairness {
        #[arg(long, default_value_t = 5_000)]
        hanging: usize,
        #[arg(long, default_value_t = 1_000)]
        healthy: usize,
    },
    /// A gzip bomb, an endless body, endless headers; and thousands of answers that want much memory, at once
    Bombs {
        #[arg(long, default_value_t = 6_144)]
        links: usize,
    },
    /// Small requests of one app beside the flood of another: RabbitMQ, PostgreSQL, all roles
    Flood {
        #[command(flatten)]
        servers: flood::Servers,
        /// Small requests
        #[arg(long, default_value_t = 200)]
        requests: usize,
        /// What the links of the flood ask for: `never` hangs, `page` answers
        #[arg(long, default_value = "never")]
        page: String,
    },
    /// A year of history: bytes on disk, reading a year of one link, CPU of rolling up, and recording while partitions
    /// are dropped
    History {
        #[command(flatten)]
        args: history::HistoryArgs,
    },
    /// One of them, as a process of its own
    #[command(hide = true)]
    Bomb { url: String },
    /// Many of them at once, as a process of its own
    #[command(hide = true)]
    Crowd { path: String, port: u16, links: usize },
    /// The bare reqwest loop, as a process of its own
    #[command(hide = true)]
    Loop {
        #[arg(long)]
        backlink: Option<regex::bytes::Regex>,
        concurrency: usize,
        list: PathBuf,
    },
    /// Messages through RabbitMQ, by lapin alone
    #[command(hide = true)]
    Messages { url: String, count: usize },
    /// Rows into PostgreSQL, by tokio-postgres alone
    #[command(hide = true)]
    Rows { url: String, count: usize },
    /// Checks of the links that a database holds, so many of them
    #[command(hide = true)]
    Fill { url: String, checks: u64 },
    /// Requests to a dashboard
    #[command(hide = true)]
    Get { url: String, connections: usize, seconds: u64 },
    /// Open views of a dashboard
    #[command(hide = true)]
    Views { url: String, count: usize },
    /// The engine alone, as a process of its own
    #[command(hide = true)]
    Check { list: PathBuf },
    /// The sites, as a process of their own
    #[command(hide = true)]
    Serve,
}

/// linkbeat's own, for whatever is measured beside it too.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> anyhow::Result<()> {
    // Tens of thousands of sockets, on both sides.
    rlimit::increase_nofile_limit(u64::MAX)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match Cli::parse().bench {
            Bench::Slowest { rounds } => slowest::run(rounds).await,
            Bench::Throughput { rounds, shape } => throughput::run(Contender::Command, rounds, shape).await,
            Bench::Engine { rounds, shape } => throughput::run(Contender::Engine, rounds, shape).await,
            Bench::Hanging { rounds, shape } => hanging::run(rounds, shape).await,
            Bench::Idle { checks, bare } => idle::run(checks, bare).await,
            Bench::Fairness { hanging, healthy } => fairness::run(hanging, healthy).await,
            Bench::Bombs { links } => bombs::run(links).await,
            Bench::Crowd { path, port, links } => bombs::crowd(&path, port, links).await,
            Bench::Flood { servers, requests, page } => flood::run(servers, requests, &page).await,
            Bench::History { args } => Box::pin(history::run(args)).await,
            Bench::Bomb { url } => bombs::one(&url).await,
            Bench::Loop { backlink, concurrency, list } => {
                bare_loop::run(&list, concurrency, backlink.as_ref()).await
            }
            Bench::Messages { url, count } => bare_servers::messages(&url, count).await,
            Bench::Rows { url, count } => bare_servers::rows(&url, count).await,
            Bench::Fill { url, checks } => history::fill(&url, checks).await,
            Bench::Get { url, connections, seconds } => load::get(&url, connections, seconds).await,
            Bench::Views { url, count } => load::views(&url, count).await,
            Bench::Check { list } => checks::run(&list).await,
            Bench::Serve => server::run().await,
        }
    })
}
