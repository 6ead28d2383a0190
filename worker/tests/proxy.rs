//! Over a proxy: it looks up the names and dials the sites.

use linkbeat_shared::{CheckResult, LinkUrl, Reason, Verdict};
use linkbeat_worker::{Engine, Outcome, OwnFault, WorkerSettings};

use crate::site::tls::Authority;
use crate::site::{Forward, Site, answer, nobody, page};
use crate::{assert_judged, check_with, link, settings, within};

/// Only what a proxy changes: nothing private may be dialled, and no name can be looked up.
async fn over(proxy: &Site) -> WorkerSettings {
    WorkerSettings {
        proxy: Some(proxy.url("/").expose().parse().unwrap()),
        resolver: vec![nobody().await],
        allow_network: Vec::new(),
        ..settings()
    }
}

async fn checked(settings: &WorkerSettings, url: &LinkUrl) -> CheckResult {
    check_with(&Engine::new(settings).unwrap(), url, &within(5_000)).await
}

#[tokio::test]
async fn names_are_the_proxys_to_look_up() {
    let proxy = Site::answers_by_path(|target| match target {
        "http://known-to-the-proxy.test/page" => page("hello"),
        _ => answer("502 Bad Gateway", &[], ""),
    })
    .await;
    let settings = over(&proxy).await;
    let known = LinkUrl::parse("http://known-to-the-proxy.test/page").unwrap();
    assert_judged(&checked(&settings, &known).await, Verdict::Up, None);
    let unknown = LinkUrl::parse("http://unknown.test/").unwrap();
    let bad_gateway = Reason::Status { code: 502 };
    assert_judged(&checked(&settings, &unknown).await, Verdict::Down, bad_gateway);
}

#[tokio::test]
async fn an_unsafe_address_in_a_url_is_not_asked_of_a_proxy() {
    let proxy = Site::answers(page("secret")).await;
    let settings = over(&proxy).await;
    for address in ["10.0.0.1", "127.0.0.1", "169.254.169.254"] {
        let url = LinkUrl::parse(&format!("http://{address}/")).unwrap();
        let refused = Reason::UnsafeAddress { address: Some(address.to_owned()) };
        assert_judged(&checked(&settings, &url).await, Verdict::Refused, refused);
    }
    assert_eq!(proxy.visits(), 0);
}

#[tokio::test]
async fn https_goes_through_a_tunnel_and_its_certificate_is_the_sites() {
    let authority = Authority::new("trusted");
    let identity = authority.vouches_for("secure.test", |_| {});
    let site = Site::plays_over_tls(identity, &[], |mut visit| async move {
        visit.request().await;
        visit.send(page("hello")).await;
    })
    .await;
    let behind = site.address();
    let proxy = Site::forwards(move |method, target| match (method, target) {
        ("CONNECT", "secure.test:443") => Forward::Tunnel(behind),
        _ => Forward::Close,
    })
    .await;
    let file = authority.file();
    let settings = WorkerSettings { extra_ca: Some(file.path().to_owned()), ..over(&proxy).await };
    let result = checked(&settings, &LinkUrl::parse("https://secure.test/").unwrap()).await;
    assert_judged(&result, Verdict::Up, None);
    assert_eq!(result.details.certificate.unwrap().issuer, "trusted");
    assert_eq!((proxy.visits(), site.visits()), (1, 1));
}

#[tokio::test]
async fn a_proxy_that_is_away_is_nothing_of_the_sites() {
    let url = LinkUrl::parse("http://some.test/").unwrap();
    for away in [format!("http://{}", nobody().await), "http://proxy.invalid:3128".to_owned()] {
        let settings = WorkerSettings { proxy: Some(away.parse().unwrap()), ..settings() };
        let outcome = Engine::new(&settings).unwrap().check(&link(&url), &within(5_000)).await;
        assert_eq!(outcome, Outcome::OwnFault(OwnFault::Offline), "{away}");
    }
}

#[tokio::test]
async fn a_proxy_that_will_not_have_us_is_nothing_of_the_sites() {
    let proxy = Site::answers(answer("407 Proxy Authentication Required", &[], "")).await;
    let url = LinkUrl::parse("http://some.test/").unwrap();
    let outcome = Engine::new(&over(&proxy).await).unwrap().check(&link(&url), &within(5_000)).await;
    assert_eq!(outcome, Outcome::OwnFault(OwnFault::Offline));
}
