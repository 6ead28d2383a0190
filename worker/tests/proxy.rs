//! Over a proxy: it looks up the names and dials the sites.

use std::net::SocketAddr;
use std::sync::Arc;

use linkbeat_shared::{CheckResult, ConnectKind, LinkUrl, Reason, TlsKind, Verdict};
use linkbeat_worker::{Engine, EnvironmentProxies, Outcome, OwnFault, WorkerSettings};
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::site::tls::Authority;
use crate::site::{Forward, Site, answer, nobody, page};
use crate::{asking_for, assert_judged, check_with, link, settings, within};

/// Only what a proxy changes: nothing private may be dialled, and no name can be looked up.
async fn over(proxy: &Site) -> WorkerSettings {
    WorkerSettings {
        proxy: Some(proxy.url("/").expose().parse().unwrap()),
        resolver: vec![nobody()],
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
    for away in [format!("http://{}", nobody()), "http://proxy.invalid:3128".to_owned()] {
        let settings = WorkerSettings { proxy: Some(away.parse().unwrap()), ..settings() };
        let outcome = Engine::new(&settings).unwrap().check(&link(&url), &within(5_000)).await;
        assert_eq!(outcome, Outcome::OwnFault(OwnFault::Proxy), "{away}");
    }
}

#[tokio::test]
async fn a_proxy_that_will_not_have_us_is_nothing_of_the_sites() {
    let proxy = Site::answers(answer("407 Proxy Authentication Required", &[], "")).await;
    let url = LinkUrl::parse("http://some.test/").unwrap();
    let outcome = Engine::new(&over(&proxy).await).unwrap().check(&link(&url), &within(5_000)).await;
    assert_eq!(outcome, Outcome::OwnFault(OwnFault::Proxy));
}

/// How a proxy takes CONNECT, by the target.
async fn tunnelling(play: impl Fn(&str) -> Tunnel + Send + Sync + 'static) -> Site {
    let play = Arc::new(play);
    Site::plays(move |mut visit, _| {
        let play = Arc::clone(&play);
        async move {
            let request = visit.request().await;
            match play(request.split(' ').nth(1).unwrap_or_default()) {
                Tunnel::Answer(status) => visit.send(answer(status, &[], "")).await,
                Tunnel::Raw(bytes) => visit.send(bytes).await,
                Tunnel::Hang => visit.wait_for_end().await,
                Tunnel::Close => {}
                Tunnel::To(there) => {
                    let mut there = TcpStream::connect(there).await.unwrap();
                    visit.send("HTTP/1.1 200 Connected\r\n\r\n").await;
                    let _ = copy_bidirectional(&mut visit.stream, &mut there).await;
                }
            }
        }
    })
    .await
}

#[derive(Clone, Copy)]
enum Tunnel {
    Answer(&'static str),
    Raw(&'static str),
    Hang,
    Close,
    To(SocketAddr),
}

fn secure(name: &str) -> LinkUrl {
    LinkUrl::parse(&format!("https://{name}.test/")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_is_ill_is_nothing_of_the_sites() {
    for (case, tunnel) in [
        ("407", Tunnel::Answer("407 Proxy Authentication Required")),
        ("502", Tunnel::Answer("502 Bad Gateway")),
        ("503", Tunnel::Answer("503 Service Unavailable")),
        ("504", Tunnel::Answer("504 Gateway Timeout")),
        ("401", Tunnel::Answer("401 Unauthorized")),
        ("403", Tunnel::Answer("403 Forbidden")),
        ("405", Tunnel::Answer("405 Method Not Allowed")),
        ("429", Tunnel::Answer("429 Too Many Requests")),
        ("511", Tunnel::Answer("511 Network Authentication Required")),
        ("a portal", Tunnel::Answer("302 Found")),
        ("garbage", Tunnel::Raw("\u{5}\u{0}garbage\r\n\r\n")),
        ("a page", Tunnel::Raw("<html>not a proxy</html>\n\n")),
        ("500", Tunnel::Answer("500 Internal Server Error")),
        ("no HTTP", Tunnel::Answer("")),
        ("hangs", Tunnel::Hang),
        ("closes", Tunnel::Close),
    ] {
        let proxy = tunnelling(move |_| tunnel).await;
        let engine = Arc::new(Engine::new(&over(&proxy).await).unwrap());
        for count in [1, 5] {
            let mut checks = JoinSet::new();
            for number in 0..count {
                let (engine, url) = (Arc::clone(&engine), secure(&format!("n{number}")));
                checks.spawn(async move { engine.check(&link(&url), &within(800)).await });
            }
            for outcome in checks.join_all().await {
                assert_eq!(outcome, Outcome::OwnFault(OwnFault::Proxy), "the proxy: {case}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_is_ill_is_nothing_of_the_sites_over_plain_http_either() {
    let hangs = Site::plays(|mut visit, _| async move { visit.wait_for_end().await }).await;
    let closes = Site::plays(|mut visit, _| async move { drop(visit.request().await) }).await;
    let error = "Proxy-Status: cache.test; error=destination_unavailable";
    let says_so = Site::answers(answer("503 Service Unavailable", &[error], "")).await;
    let squid =
        Site::answers(answer("503 Service Unavailable", &["X-Squid-Error: ERR_DNS_FAIL 0"], "")).await;
    for (case, proxy) in [("hangs", hangs), ("closes", closes), ("says so", says_so), ("squid", squid)] {
        let engine = Engine::new(&over(&proxy).await).unwrap();
        let url = LinkUrl::parse("http://some.test/").unwrap();
        let outcome = engine.check(&link(&url), &within(800)).await;
        assert_eq!(outcome, Outcome::OwnFault(OwnFault::Proxy), "the proxy: {case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_through_a_tunnel_is_the_sites() {
    let authority = Authority::new("trusted");
    let identity = authority.vouches_for("secure.test", |_| {});
    let site = Site::plays_over_tls(identity, &[], |mut visit| async move {
        visit.request().await;
        visit.send(answer("407 Proxy Authentication Required", &[], "")).await;
    })
    .await;
    let there = site.address();
    let proxy = tunnelling(move |_| Tunnel::To(there)).await;
    let file = authority.file();
    let settings = WorkerSettings { extra_ca: Some(file.path().to_owned()), ..over(&proxy).await };
    assert_judged(&checked(&settings, &secure("secure")).await, Verdict::Down, Reason::Status { code: 407 });
    let wrong_host = Reason::Tls { kind: TlsKind::WrongHost };
    assert_judged(&checked(&settings, &secure("other")).await, Verdict::Down, wrong_host);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_only_the_proxy_cannot_reach_is_down_beside_others_that_it_reaches() {
    let authority = Authority::new("trusted");
    let identity = authority.vouches_for("good.test", |_| {});
    let site = Site::plays_over_tls(identity, &[], |mut visit| async move {
        visit.request().await;
        visit.send(page("hello")).await;
    })
    .await;
    let there = site.address();
    let proxy = tunnelling(move |target| match target {
        "good.test:443" => Tunnel::To(there),
        "locked.test:443" => Tunnel::Answer("407 Proxy Authentication Required"),
        "forbidden.test:443" => Tunnel::Answer("403 Forbidden"),
        _ => Tunnel::Answer("503 Service Unavailable"),
    })
    .await;
    let file = authority.file();
    let settings = WorkerSettings { extra_ca: Some(file.path().to_owned()), ..over(&proxy).await };
    let engine = Engine::new(&settings).unwrap();
    assert_judged(&check_with(&engine, &secure("good"), &within(5_000)).await, Verdict::Up, None);
    let unreachable = Reason::Connect { kind: ConnectKind::Unreachable };
    assert_judged(&check_with(&engine, &secure("gone"), &within(5_000)).await, Verdict::Down, unreachable);
    for name in ["locked", "forbidden"] {
        let outcome = engine.check(&link(&secure(name)), &within(2_000)).await;
        assert_eq!(
            outcome,
            Outcome::OwnFault(OwnFault::Proxy),
            "{name}: the proxy will not, whatever the site is like"
        );
    }
}

#[tokio::test]
async fn the_proxies_of_the_environment_are_used_but_for_those_that_no_proxy_names() {
    let (proxy, direct) = (Site::answers(page("by proxy")).await, Site::answers(page("direct")).await);
    let variables = [
        ("HTTP_PROXY", format!("http://me:secret@{}", proxy.address())),
        ("no_proxy", "127.0.0.1".to_owned()),
    ];
    let read = |name: &str| Some(variables.iter().find(|(known, _)| *known == name)?.1.clone());
    let settings = WorkerSettings { environment: EnvironmentProxies::read(read).0, ..settings() };
    let engine = Engine::new(&settings).unwrap();
    let named = LinkUrl::parse("http://some.test/").unwrap();
    assert_judged(&check_with(&engine, &named, &asking_for("by proxy")).await, Verdict::Up, None);
    assert_judged(&check_with(&engine, &direct.url("/"), &asking_for("direct")).await, Verdict::Up, None);
    assert_eq!((proxy.visits(), direct.visits()), (1, 1));
}
