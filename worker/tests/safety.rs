//! Unsafe addresses are refused, and nothing is sent to them.

use std::net::{IpAddr, Ipv4Addr};

use linkbeat_shared::{LinkUrl, Reason, Verdict};
use linkbeat_worker::{Engine, WorkerSettings};

use crate::site::name_server::{NameServer, Says};
use crate::site::{Site, page, redirect};
use crate::{assert_judged, check_with, settings, within};

fn unsafe_address(address: &str) -> Reason {
    Reason::UnsafeAddress { address: Some(address.to_owned()) }
}

#[tokio::test]
async fn by_default_nothing_private_is_dialled() {
    let site = Site::answers(page("secret")).await;
    let engine = Engine::new(&WorkerSettings::default()).unwrap();
    let port = site.address().port();
    for (host, address) in [
        ("127.0.0.1", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("localhost", "127.0.0.1"),
        ("[::1]", "::1"),
        ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1"),
        ("[64:ff9b::7f00:1]", "64:ff9b::7f00:1"),
        ("169.254.169.254", "169.254.169.254"),
    ] {
        let url = LinkUrl::parse(&format!("http://{host}:{port}/")).unwrap();
        let result = check_with(&engine, &url, &within(5_000)).await;
        assert_judged(&result, Verdict::Refused, unsafe_address(address));
    }
    assert_eq!(site.visits(), 0);
}

#[tokio::test]
async fn a_redirect_cannot_lead_inside() {
    let inside = Site::answers(page("secret")).await;
    // The operator opened one address only; the redirect leads to another.
    let target = format!("http://127.0.0.2:{}/", inside.address().port());
    let site = Site::answers(redirect("302 Found", &target)).await;
    let settings = WorkerSettings { allow_network: vec!["127.0.0.1/32".parse().unwrap()], ..settings() };
    let engine = Engine::new(&settings).unwrap();
    let result = check_with(&engine, &site.url("/"), &within(5_000)).await;
    assert_judged(&result, Verdict::Refused, unsafe_address("127.0.0.2"));
    assert_eq!((site.visits(), inside.visits()), (1, 0));
}

#[tokio::test]
async fn a_name_leads_only_to_its_safe_addresses() {
    let site = Site::answers(page("hello")).await;
    let inside: IpAddr = Ipv4Addr::new(10, 0, 0, 1).into();
    let names = NameServer::that(move |name| match name {
        "mixed.test" => Says::Addresses(vec![inside, Ipv4Addr::LOCALHOST.into()]),
        _ => Says::Addresses(vec![inside]),
    })
    .await;
    let engine = Engine::new(&WorkerSettings { resolver: vec![names.address()], ..settings() }).unwrap();
    let result = check_with(&engine, &site.url_at("inside.test"), &within(5_000)).await;
    assert_judged(&result, Verdict::Refused, unsafe_address("10.0.0.1"));
    let result = check_with(&engine, &site.url_at("mixed.test"), &within(5_000)).await;
    assert_judged(&result, Verdict::Up, None);
}
