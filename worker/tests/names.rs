//! How often names are looked up.

use std::net::Ipv4Addr;
use std::sync::Arc;

use linkbeat_shared::Verdict;
use linkbeat_worker::{Engine, WorkerSettings};
use tokio::task::JoinSet;

use crate::site::name_server::{NameServer, Says};
use crate::site::{Site, page};
use crate::{assert_judged, check_with, settings, within};

async fn name_server() -> NameServer {
    NameServer::that(|name| match name {
        "alias.test" => Says::Alias("site.test."),
        _ => Says::Addresses(vec![Ipv4Addr::LOCALHOST.into()]),
    })
    .await
}

fn asking(names: &NameServer) -> Engine {
    Engine::new(&WorkerSettings { resolver: vec![names.address()], ..settings() }).unwrap()
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

#[tokio::test]
async fn those_who_look_up_the_same_name_at_once_share_the_query() {
    let names = name_server().await;
    let (engine, site) = (Arc::new(asking(&names)), Site::answers(page("hello")).await);
    let mut checks = JoinSet::new();
    for _ in 0..8 {
        let (engine, url) = (Arc::clone(&engine), site.url_at("site.test"));
        checks.spawn(async move { check_with(&engine, &url, &within(5_000)).await });
    }
    for result in checks.join_all().await {
        assert_judged(&result, Verdict::Up, None);
    }
    assert_eq!(names.queries(), 2, "one for each address family");
}
