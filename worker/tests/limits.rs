//! How much happens at once.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use linkbeat_shared::{Phase, Reason, Verdict};
use linkbeat_worker::{Engine, WorkerSettings};
use tokio::task::JoinSet;

use crate::site::name_server::{NameServer, Says};
use crate::site::{Site, page, redirect, visited};
use crate::{assert_judged, assert_took, check_with, settings, within};

/// A site that keeps every visitor for a moment and remembers how many there were at most.
async fn crowded(most: &Arc<AtomicUsize>) -> Site {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::clone(most));
    Site::plays(move |mut visit, _| {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        async move {
            visit.request().await;
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(50)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            visit.send(page("hello")).await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_gets_no_more_requests_at_once_than_allowed_whatever_the_way() {
    let most = Arc::new(AtomicUsize::new(0));
    let host = crowded(&most).await;
    // Half of the visitors come by way of another host.
    let detour = Site::answers(redirect("302 Found", host.url("/").expose())).await;
    let names = NameServer::that(|_| Says::Addresses(vec![Ipv4Addr::LOCALHOST.into()])).await;
    let settings = WorkerSettings { per_host: 3, resolver: vec![names.address()], ..settings() };
    let engine = Arc::new(Engine::new(&settings).unwrap());
    let mut checks = JoinSet::new();
    for number in 0..24 {
        let engine = Arc::clone(&engine);
        let url = if number % 2 == 0 { host.url("/") } else { detour.url_at("detour.test") };
        checks.spawn(async move { check_with(&engine, &url, &within(5_000)).await });
    }
    while let Some(result) = checks.join_next().await {
        assert_judged(&result.unwrap(), Verdict::Up, None);
    }
    assert_eq!((most.load(Ordering::SeqCst), host.visits(), detour.visits()), (3, 24, 12));
}

#[tokio::test]
async fn a_redirect_to_a_busy_host_waits_no_longer_than_the_deadline() {
    let busy = Site::plays(|mut visit, _| async move { visit.wait_for_end().await }).await;
    let detour = Site::answers(redirect("302 Found", busy.url("/").expose())).await;
    let names = NameServer::that(|_| Says::Addresses(vec![Ipv4Addr::LOCALHOST.into()])).await;
    let settings = WorkerSettings { per_host: 1, resolver: vec![names.address()], ..settings() };
    let engine = Engine::new(&settings).unwrap();
    let (busy_url, detour_url) = (busy.url("/"), detour.url_at("detour.test"));
    let waits = async {
        visited(&busy, 1).await;
        check_with(&engine, &detour_url, &within(500)).await
    };
    let (occupies, late) = (within(2_000), Reason::Timeout { phase: Phase::Queue });
    let (_, waited) = tokio::join!(check_with(&engine, &busy_url, &occupies), waits);
    assert_judged(&waited, Verdict::Down, late);
    assert_took(&waited, Duration::from_millis(500), Duration::from_millis(500));
}
