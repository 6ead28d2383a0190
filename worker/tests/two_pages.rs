//! Links whose backlink stands on another page: both pages are judged.

use std::time::{Duration, Instant};

use linkbeat_shared::{CheckSpec, FailedPage, JobLink, LinkUrl, Note, Phase, Reason, Verdict};
use linkbeat_worker::{Engine, WorkerSettings};

use crate::site::{Site, answer, nobody, own_address, page, redirect};
use crate::{
    asking_for, assert_judged, assert_took, check_link, engine, link, settings, within, without_retries,
};

const BACKLINK: &str = "<a href='https://me.example/'>me</a>";

fn with_page(home: &LinkUrl, links_page: &LinkUrl) -> JobLink {
    JobLink { page_url: Some(links_page.clone()), ..link(home) }
}

/// Asks for the backlink within this time, without further tries.
fn asked(ms: u64) -> CheckSpec {
    without_retries(CheckSpec { timeout: within(ms).timeout, ..asking_for("me\\.example") })
}

fn status(code: u16) -> Reason {
    Reason::Status { code }
}

/// A site that answers by path, at an address of its own: a host of its own.
async fn site() -> Site {
    Site::plays_at(own_address(), |mut visit, _| async move {
        let request = visit.request().await;
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        match path.as_str() {
            "/up" => visit.send(page("<title>Home</title>hello")).await,
            "/links" => visit.send(page(BACKLINK)).await,
            "/slow" => {
                tokio::time::sleep(Duration::from_millis(400)).await;
                visit.send(page(BACKLINK)).await;
            }
            "/hangs" => visit.wait_for_end().await,
            "/moved" => visit.send(redirect("302 Found", "/links")).await,
            "/wall" => visit.send(answer("403 Forbidden", &["cf-mitigated: challenge"], "")).await,
            "/500" => visit.send(answer("500 Broken", &[], "")).await,
            _ => visit.send(answer("404 Not Found", &[], "")).await,
        }
    })
    .await
}

#[tokio::test]
async fn the_result_names_the_page_that_failed() {
    let missing = Reason::BacklinkMissing { truncated: false };
    let (one, other, engine) = (site().await, site().await, engine());
    for (home, links_page, verdict, reason, failed) in [
        ("/up", "/links", Verdict::Up, None, None),
        ("/500", "/links", Verdict::Down, Some(status(500)), Some(FailedPage::Home)),
        ("/up", "/gone", Verdict::Down, Some(status(404)), Some(FailedPage::LinksPage)),
        ("/500", "/gone", Verdict::Down, Some(status(500)), Some(FailedPage::Both)),
        ("/up", "/up?", Verdict::Down, Some(status(404)), Some(FailedPage::LinksPage)),
        ("/links", "/up", Verdict::NoBacklink, Some(missing.clone()), Some(FailedPage::LinksPage)),
        ("/500", "/up", Verdict::Down, Some(status(500)), Some(FailedPage::Both)),
        ("/wall", "/links", Verdict::Blocked, Some(status(403)), Some(FailedPage::Home)),
        ("/up", "/wall", Verdict::Blocked, Some(status(403)), Some(FailedPage::LinksPage)),
        ("/wall", "/up", Verdict::NoBacklink, Some(missing), Some(FailedPage::Both)),
        ("/moved", "/moved", Verdict::Up, None, None),
    ] {
        for links_site in [&one, &other] {
            let link = with_page(&one.url(home), &links_site.url(links_page));
            let result = check_link(&engine, &link, &asked(5_000)).await;
            if link.page_url.as_ref() != Some(&link.url) {
                assert_eq!(result.details.failed, failed, "{home} and {links_page}");
            }
            assert_judged(&result, verdict, reason.clone());
        }
    }
}

#[tokio::test]
async fn a_home_page_that_nobody_serves_is_down_although_the_links_page_lives() {
    let site = site().await;
    let dead = LinkUrl::parse(&format!("http://{}/", nobody())).unwrap();
    let result = check_link(&engine(), &with_page(&dead, &site.url("/links")), &asked(5_000)).await;
    assert_eq!(result.verdict, Some(Verdict::Down));
    assert!(matches!(result.reason, Some(Reason::Connect { .. })), "{:?}", result.reason);
    assert_eq!((result.status, result.details.failed), (None, Some(FailedPage::Home)));
}

#[tokio::test]
async fn the_same_page_is_fetched_once() {
    let site = site().await;
    let result =
        check_link(&engine(), &with_page(&site.url("/links"), &site.url("/links#top")), &asked(5_000)).await;
    assert_judged(&result, Verdict::Up, None);
    assert_eq!(site.visits(), 1);
}

#[tokio::test]
async fn both_pages_share_one_deadline_and_are_fetched_at_once() {
    let (site, other, engine) = (site().await, site().await, engine());
    for links_site in [&site, &other] {
        let link = with_page(&site.url("/slow"), &links_site.url("/slow?2"));
        let link = JobLink { page_url: Some(links_site.url("/slow")), url: site.url("/slow"), ..link };
        if link.page_url.as_ref() == Some(&link.url) {
            continue;
        }
        let began = Instant::now();
        assert_judged(&check_link(&engine, &link, &asked(5_000)).await, Verdict::Up, None);
        assert!(began.elapsed() < Duration::from_millis(750), "one after the other: {:?}", began.elapsed());
    }
    let late = Reason::Timeout { phase: Phase::Headers };
    for (home, links_page, failed) in [
        ("/hangs", "/links", FailedPage::Home),
        ("/up", "/hangs", FailedPage::LinksPage),
        ("/hangs", "/hangs?", FailedPage::Both),
    ] {
        let link = with_page(&site.url(home), &other.url(links_page.trim_end_matches('?')));
        let result = check_link(&engine, &link, &asked(500)).await;
        assert_judged(&result, Verdict::Down, late.clone());
        assert_eq!(result.details.failed, Some(failed), "{home} and {links_page}");
        assert_took(&result, Duration::from_millis(500), Duration::from_millis(500));
    }
}

#[tokio::test]
async fn one_request_at_a_time_is_kept_to_and_names_what_is_known() {
    let (site, other) = (site().await, site().await);
    for settings in
        [WorkerSettings { per_host: 1, ..settings() }, WorkerSettings { concurrency: 1, ..settings() }]
    {
        let engine = Engine::new(&settings).unwrap();
        let link = with_page(&site.url("/up"), &site.url("/links"));
        assert_judged(&check_link(&engine, &link, &asked(5_000)).await, Verdict::Up, None);
        let link = with_page(&site.url("/up"), &other.url("/links"));
        assert_judged(&check_link(&engine, &link, &asked(5_000)).await, Verdict::Up, None);
        let link = with_page(&site.url("/up"), &site.url("/hangs"));
        let result = check_link(&engine, &link, &asked(300)).await;
        assert_judged(&result, Verdict::Down, Reason::Timeout { phase: Phase::Headers });
        assert_eq!(result.details.failed, Some(FailedPage::LinksPage));
    }
}

#[tokio::test]
async fn many_links_over_two_hosts_never_wait_for_each_other() {
    let (one, other) = (site().await, site().await);
    let settings = WorkerSettings { per_host: 1, concurrency: 3, ..settings() };
    let engine = Engine::new(&settings).unwrap();
    let spec = asked(5_000);
    let checks = (0..40).map(|number| {
        let (home, links_page) = if number % 2 == 0 { (&one, &other) } else { (&other, &one) };
        let link = with_page(&home.url("/up"), &links_page.url("/links"));
        let (engine, spec) = (&engine, &spec);
        async move { check_link(engine, &link, spec).await }
    });
    let all = futures::future::join_all(checks);
    for result in tokio::time::timeout(crate::site::PATIENCE, all).await.expect("no lock") {
        assert_judged(&result, Verdict::Up, None);
    }
}

#[tokio::test]
async fn redirects_and_title_are_those_of_the_page_that_is_told() {
    let site = site().await;
    let result =
        check_link(&engine(), &with_page(&site.url("/up"), &site.url("/moved")), &asked(5_000)).await;
    assert_judged(&result, Verdict::Up, None);
    assert!(result.details.redirects.is_empty(), "the home page's");
    assert_eq!(result.details.title.as_deref(), Some("Home"));
    let result =
        check_link(&engine(), &with_page(&site.url("/moved"), &site.url("/up")), &asked(5_000)).await;
    assert_eq!((result.status, result.details.redirects.len()), (Some(200), 0), "the links page's");
    assert!(!result.details.notes.contains(&Note::MovedDomain));
}
