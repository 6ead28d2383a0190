//! Our own faults are never verdicts: without evidence nothing is judged.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use linkbeat_shared::{DnsKind, LinkUrl, Reason, Verdict};
use linkbeat_worker::{Engine, Outcome, OwnFault, WorkerSettings};
use tokio::task::JoinSet;

use crate::site::{Site, nobody, page};
use crate::{assert_judged, check_with, link, settings, within};
use linkbeat_testbed::resolver::{Question, Reply, Resolver};

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn named(name: &str) -> LinkUrl {
    LinkUrl::parse(&format!("http://{name}/")).unwrap()
}

fn asking(resolver: &Resolver, allowed: &[&str]) -> Arc<Engine> {
    let settings = WorkerSettings {
        resolver: vec![resolver.address()],
        allow_network: allowed.iter().map(|network| network.parse().unwrap()).collect(),
        ..WorkerSettings::default()
    };
    Arc::new(Engine::new(&settings).unwrap())
}

/// Checks many links at once.
async fn outcomes(engine: &Arc<Engine>, urls: Vec<LinkUrl>, ms: u64) -> Vec<Outcome> {
    let mut checks = JoinSet::new();
    for url in urls {
        let engine = Arc::clone(engine);
        checks.spawn(async move { engine.check(&link(&url), &within(ms)).await });
    }
    checks.join_all().await
}

#[tokio::test]
async fn without_a_name_server_nothing_is_judged() {
    let engine = Engine::new(&WorkerSettings { resolver: vec![nobody()], ..settings() }).unwrap();
    let began = Instant::now();
    let outcome = engine.check(&link(&named("some.test")), &within(500)).await;
    assert_eq!(outcome, Outcome::OwnFault(OwnFault::Offline));
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

/// What a name server says when the way to the others is gone, and whose fault that is.
type Ill = (&'static str, fn(&Question) -> Option<Reply>, OwnFault);

const ILL: [Ill; 8] = [
    (
        "fails on names and has the root from its cache",
        |it| root_or(it, Reply::code(ResponseCode::ServFail)),
        OwnFault::Offline,
    ),
    ("fails on everything", |_| Some(Reply::code(ResponseCode::ServFail)), OwnFault::Offline),
    ("refuses everything", |_| Some(Reply::code(ResponseCode::Refused)), OwnFault::Offline),
    ("denies everything", |_| Some(Reply::code(ResponseCode::NXDomain)), OwnFault::Offline),
    (
        "denies everything but the root",
        |it| root_or(it, Reply::code(ResponseCode::NXDomain)),
        OwnFault::Offline,
    ),
    ("has nothing for any name", |it| root_or(it, Reply::code(ResponseCode::NoError)), OwnFault::Offline),
    ("has the router's address for all", |it| root_or(it, at(it, "192.168.1.1")), OwnFault::Intercepted),
    ("has a fake address for all", |it| root_or(it, at(it, "198.18.0.7")), OwnFault::Intercepted),
];

fn root_or(question: &Question, reply: Reply) -> Option<Reply> {
    Some(if question.name.is_empty() { Reply::root() } else { reply })
}

fn at(question: &Question, address: &str) -> Reply {
    Reply::addresses(question, &[address.parse().unwrap()])
}

/// One link and many, each beside a site of this machine that answers: that one is no evidence.
#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_can_be_resolved_nothing_is_judged() {
    let site = Site::answers(page("hello")).await;
    for (case, ill, fault) in ILL {
        let resolver = Resolver::that(ill).await;
        for count in [1, 30] {
            let engine = asking(&resolver, &["127.0.0.0/8"]);
            let urls = (0..count).map(|number| named(&format!("n{number}.test"))).collect();
            let local = async {
                assert_judged(&check_with(&engine, &site.url("/"), &within(900)).await, Verdict::Up, None);
            };
            let (outcomes, ()) = tokio::join!(outcomes(&engine, urls, 900), local);
            for outcome in outcomes {
                assert_eq!(outcome, Outcome::OwnFault(fault), "the name server {case}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_public_address_can_be_reached_nothing_is_judged() {
    // Nobody has these addresses, and no machine has a way to them.
    let resolver = Resolver::that(|question| {
        root_or(
            question,
            match question.name.strip_prefix('n') {
                Some(number) => at(question, &format!("2e00::{number}").replace(".test", "")),
                None => at(question, "127.0.0.1"),
            },
        )
    })
    .await;
    let site = Site::answers(page("hello")).await;
    let engine = asking(&resolver, &["127.0.0.0/8"]);
    let urls = (1..30).map(|number| named(&format!("n{number}.test"))).collect();
    let local = async {
        assert_judged(
            &check_with(&engine, &site.url_at("local.test"), &within(900)).await,
            Verdict::Up,
            None,
        );
    };
    let (outcomes, ()) = tokio::join!(outcomes(&engine, urls, 900), local);
    for outcome in outcomes {
        assert_eq!(outcome, Outcome::OwnFault(OwnFault::Offline));
    }
}

/// Knows `up….test`, fails on some names, and denies the others as a zone does.
fn healthy(question: &Question) -> Option<Reply> {
    let name = question.name.as_str();
    root_or(
        question,
        match name {
            "failing.test" => Reply::code(ResponseCode::ServFail),
            "refused.test" => Reply::code(ResponseCode::Refused),
            "silent.test" => return None,
            "empty.test" => Reply::addresses(question, &[]),
            "inside.test" => at(question, "10.0.0.1"),
            "stripped.test" => Reply::code(ResponseCode::NXDomain),
            _ if name.starts_with("up") => Reply::addresses(question, &[HOME]),
            _ => Reply::denied("."),
        },
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_dead_link_is_judged_where_the_name_servers_are_well() {
    let resolver = Resolver::that(healthy).await;
    let dns = |kind| Reason::Dns { kind };
    for (name, verdict, reason) in [
        ("gone.test", Verdict::Down, dns(DnsKind::Nxdomain)),
        ("stripped.test", Verdict::Down, dns(DnsKind::Nxdomain)),
        ("empty.test", Verdict::Down, dns(DnsKind::NoAddress)),
        ("failing.test", Verdict::Down, dns(DnsKind::Servfail)),
        ("refused.test", Verdict::Down, dns(DnsKind::Refused)),
        ("inside.test", Verdict::Refused, Reason::UnsafeAddress { address: Some("10.0.0.1".to_owned()) }),
    ] {
        let engine = asking(&resolver, &["127.0.0.0/8"]);
        let began = Instant::now();
        assert_judged(&check_with(&engine, &named(name), &within(2_000)).await, verdict, reason);
        assert!(began.elapsed() < Duration::from_secs(2), "{name} took {:?}", began.elapsed());
    }
}

/// As systemd-resolved answers: without naming the zone that denies.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_server_that_leaves_out_the_zone_is_believed_if_it_knows_top_level_domains() {
    let resolver = Resolver::that(|question| {
        Some(match (question.family, question.name.contains('.')) {
            (RecordType::NS, false) => Reply::root(),
            _ => Reply::code(ResponseCode::NXDomain),
        })
    })
    .await;
    let engine = asking(&resolver, &[]);
    let nxdomain = Reason::Dns { kind: DnsKind::Nxdomain };
    assert_judged(&check_with(&engine, &named("gone.test"), &within(2_000)).await, Verdict::Down, nxdomain);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_names_that_were_answered_are_evidence_if_they_are_most() {
    // Stripped of zones, so that only other names can show that it is well.
    let resolver = Resolver::that(|question| {
        root_or(
            question,
            match question.name.as_str() {
                name if name.starts_with("up") => Reply::addresses(question, &[HOME]),
                _ => Reply::code(ResponseCode::NXDomain),
            },
        )
    })
    .await;
    let site = Site::answers(page("hello")).await;
    let some = async |up: usize, gone: usize| {
        let engine = asking(&resolver, &["127.0.0.0/8"]);
        let up = (0..up).map(|number| site.url_at(&format!("up{number}.test")));
        let urls = up.chain((0..gone).map(|number| named(&format!("gone{number}.test")))).collect();
        let outcomes = outcomes(&engine, urls, 1_000).await;
        outcomes.iter().filter(|outcome| matches!(outcome, Outcome::OwnFault(_))).count()
    };
    assert_eq!(some(5, 2).await, 0);
    assert_eq!(some(1, 1).await, 1, "a single local site is no evidence");
    assert_eq!(some(2, 10).await, 10, "neither are few among many");
}

#[tokio::test]
async fn families_that_fail_apart_are_no_evidence_of_each_other() {
    // IPv6 works as far as names go; what is asked for has IPv4 only.
    let resolver = Resolver::that(|question| match question.family {
        RecordType::A => Some(Reply::code(ResponseCode::ServFail)),
        _ => Some(Reply::addresses(question, &[])),
    })
    .await;
    let engine = asking(&resolver, &[]);
    let outcome = engine.check(&link(&named("some.test")), &within(500)).await;
    assert_eq!(outcome, Outcome::OwnFault(OwnFault::Offline));
}
