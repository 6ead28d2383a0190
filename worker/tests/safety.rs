//! Unsafe addresses are refused, and nothing is sent to them.

use linkbeat_shared::{Reason, Verdict};
use linkbeat_worker::{Engine, WorkerSettings};

use crate::site::{Site, page, redirect};
use crate::{assert_judged, check_with, settings, within};

fn unsafe_address(address: &str) -> Reason {
    Reason::UnsafeAddress { address: Some(address.to_owned()) }
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
