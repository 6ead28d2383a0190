//! Look-ups, each kind of failure with its own kind of reason.

use std::net::Ipv4Addr;

use hickory_resolver::proto::op::ResponseCode;
use linkbeat_shared::{BadUrlKind, DnsKind, LinkUrl, Phase, Reason, Verdict};
use linkbeat_worker::{Engine, WorkerSettings};

use crate::site::name_server::{NameServer, Says};
use crate::site::{Site, page};
use crate::{assert_judged, check_with, settings, within};

/// The root answers, so we are online; the rest by name.
async fn name_server() -> NameServer {
    NameServer::that(|name| match name {
        "nxdomain.test" => Says::Code(ResponseCode::NXDomain),
        "servfail.test" => Says::Code(ResponseCode::ServFail),
        "refused.test" => Says::Code(ResponseCode::Refused),
        "empty.test" => Says::Addresses(Vec::new()),
        "silent.test" => Says::Silence,
        "alias.test" => Says::Alias("site.test."),
        "to.test" => Says::Alias("fro.test."),
        "fro.test" => Says::Alias("to.test."),
        _ => Says::Addresses(vec![Ipv4Addr::LOCALHOST.into()]),
    })
    .await
}

fn asking(names: &NameServer) -> Engine {
    Engine::new(&WorkerSettings { resolver: vec![names.address()], ..settings() }).unwrap()
}

fn url(host: &str) -> LinkUrl {
    LinkUrl::parse(&format!("http://{host}/")).unwrap()
}

#[tokio::test]
async fn each_failed_look_up_says_why() {
    let names = name_server().await;
    let engine = asking(&names);
    for (host, kind) in [
        ("nxdomain.test", DnsKind::Nxdomain),
        ("servfail.test", DnsKind::Servfail),
        ("refused.test", DnsKind::Refused),
        ("empty.test", DnsKind::NoAddress),
        ("silent.test", DnsKind::Timeout),
        ("to.test", DnsKind::CnameLoop),
    ] {
        let result = check_with(&engine, &url(host), &within(5_000)).await;
        assert_judged(&result, Verdict::Down, Reason::Dns { kind });
    }
    let result = check_with(&engine, &url("silent.test"), &within(500)).await;
    assert_judged(&result, Verdict::Down, Reason::Timeout { phase: Phase::Dns });
    let too_long = url(&format!("{}.test", "x".repeat(64)));
    let result = check_with(&engine, &too_long, &within(5_000)).await;
    assert_judged(&result, Verdict::Refused, Reason::BadUrl { kind: BadUrlKind::Host });
}

#[tokio::test]
async fn a_name_is_looked_up_once_while_its_answer_is_valid() {
    let names = name_server().await;
    let engine = asking(&names);
    let site = Site::answers(page("hello")).await;
    for _ in 0..3 {
        let result = check_with(&engine, &site.url_at("site.test"), &within(5_000)).await;
        assert_judged(&result, Verdict::Up, None);
    }
    assert_eq!(names.queries(), 2, "one for each address family");
    let result = check_with(&engine, &site.url_at("alias.test"), &within(5_000)).await;
    assert_judged(&result, Verdict::Up, None);
}
