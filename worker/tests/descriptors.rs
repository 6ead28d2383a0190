//! Without descriptors nothing is judged. In a process of its own, because the limit is the process's.

use std::env;
use std::fs::File;
use std::net::Ipv4Addr;
use std::process::{Command, Output};

use linkbeat_shared::{LinkUrl, Verdict};
use linkbeat_worker::{Engine, Outcome, OwnFault, WorkerSettings};
use rlimit::Resource;

use crate::site::name_server::{NameServer, Says};
use crate::site::{Site, page};
use crate::{assert_judged, check_with, link, settings, within};

/// What the process without descriptors is told: the links to check, and its name server.
const LINKS: &str = "LINKBEAT_TEST_LINKS";
const RESOLVER: &str = "LINKBEAT_TEST_RESOLVER";
/// Enough for a runtime and an engine, few enough to be used up at once.
const LIMIT: u64 = 100;

#[tokio::test]
async fn without_descriptors_nothing_is_judged() {
    if env::var_os(LINKS).is_some() {
        return run_out().await;
    }
    let site = Site::answers(page("hello")).await;
    let names = NameServer::that(|_| Says::Addresses(vec![Ipv4Addr::LOCALHOST.into()])).await;
    let links = format!("{} {}", site.url("/"), site.url_at("site.test"));
    let resolver = names.address().to_string();
    let run = tokio::task::spawn_blocking(move || this_test_again(&links, &resolver));
    let Output { status, stdout, stderr } = run.await.unwrap();
    let said = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
    assert!(status.success() && said.contains("1 passed"), "{said}");
    assert_eq!(site.visits(), 2, "each link once, when there were descriptors again");
}

fn this_test_again(links: &str, resolver: &str) -> Output {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "descriptors::without_descriptors_nothing_is_judged"])
        .env(LINKS, links)
        .env(RESOLVER, resolver)
        .output()
        .unwrap()
}

async fn run_out() {
    rlimit::setrlimit(Resource::NOFILE, LIMIT, LIMIT).unwrap();
    let resolver = vec![env::var(RESOLVER).unwrap().parse().unwrap()];
    let engine = Engine::new(&WorkerSettings { resolver, ..settings() }).unwrap();
    assert!(engine.concurrency() < 100, "{}", engine.concurrency());
    let links: Vec<LinkUrl> =
        env::var(LINKS).unwrap().split(' ').map(|url| LinkUrl::parse(url).unwrap()).collect();
    let all: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    assert!(!all.is_empty());
    for url in &links {
        let outcome = engine.check(&link(url), &within(2_000)).await;
        assert_eq!(outcome, Outcome::OwnFault(OwnFault::Resources), "{url}");
    }
    drop(all);
    for url in &links {
        assert_judged(&check_with(&engine, url, &within(5_000)).await, Verdict::Up, None);
    }
}
