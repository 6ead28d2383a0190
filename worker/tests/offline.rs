//! Offline is our fault: nothing is judged.

use std::time::{Duration, Instant};

use hickory_resolver::proto::op::ResponseCode;
use linkbeat_shared::{DnsKind, LinkUrl, Phase, Reason, Verdict};
use linkbeat_worker::{Engine, Outcome, OwnFault, WorkerSettings};

use crate::site::name_server::{NameServer, Says};
use crate::site::{Site, nobody, page};
use crate::{assert_judged, check_with, link, settings, within};

fn named() -> LinkUrl {
    LinkUrl::parse("http://some.test/").unwrap()
}

#[tokio::test]
async fn without_a_name_server_nothing_is_judged() {
    let engine = Engine::new(&WorkerSettings { resolver: vec![nobody().await], ..settings() }).unwrap();
    let began = Instant::now();
    let outcome = engine.check(&link(&named()), &within(500)).await;
    assert_eq!(outcome, Outcome::OwnFault(OwnFault::Offline));
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_server_that_answers_is_evidence_enough() {
    let site = Site::answers(page("hello")).await;
    let engine = Engine::new(&WorkerSettings { resolver: vec![nobody().await], ..settings() }).unwrap();
    let (link, spec) = (link(&named()), within(2_000));
    let elsewhere = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        check_with(&engine, &site.url("/"), &spec).await
    };
    let (doubtful, up) = tokio::join!(engine.check(&link, &spec), elsewhere);
    assert_judged(&up, Verdict::Up, None);
    let Outcome::Judged(doubtful) = doubtful else { panic!("{doubtful:?}") };
    assert_judged(&doubtful, Verdict::Down, Reason::Timeout { phase: Phase::Dns });
}

#[tokio::test]
async fn a_name_server_that_fails_on_everything_is_no_evidence() {
    let ill = NameServer::that(|_| Says::Code(ResponseCode::ServFail)).await;
    let engine = Engine::new(&WorkerSettings { resolver: vec![ill.address()], ..settings() }).unwrap();
    let outcome = engine.check(&link(&named()), &within(500)).await;
    assert_eq!(outcome, Outcome::OwnFault(OwnFault::Offline));
    // An unknown name is an answer, and needs no evidence.
    let knows_nothing = NameServer::that(|_| Says::Code(ResponseCode::NXDomain)).await;
    let settings = WorkerSettings { resolver: vec![knows_nothing.address()], ..settings() };
    let result = check_with(&Engine::new(&settings).unwrap(), &named(), &within(500)).await;
    assert_judged(&result, Verdict::Down, Reason::Dns { kind: DnsKind::Nxdomain });
}
