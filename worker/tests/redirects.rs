//! Redirects, hop by hop.

use linkbeat_shared::{Reason, RedirectKind, Verdict};

use crate::site::{Site, answer, page, redirect};
use crate::{asking_for, assert_judged, check, within};

fn nowhere(kind: RedirectKind) -> Reason {
    Reason::Redirect { kind }
}

#[tokio::test]
async fn the_final_answer_is_judged() {
    let other = Site::answers_by_path(|path| match path {
        "/last" => page("the backlink"),
        _ => answer("404 Not Found", &[], ""),
    })
    .await;
    let last = other.url("/last").to_string();
    let gone = other.url("/gone").to_string();
    let site = Site::answers_by_path(move |path| match path {
        "/" => redirect("301 Moved", "a/b"),
        "/a/b" => redirect("302 Found", "../c?d=1#e"),
        "/c?d=1" => redirect("303 See Other", "/f"),
        "/f" => redirect("307 Temporary Redirect", &last),
        "/gone" => redirect("308 Permanent Redirect", &gone),
        path => panic!("asked for {path}"),
    })
    .await;
    let result = check(&site.url("/"), &asking_for("the backlink")).await;
    assert_judged(&result, Verdict::Up, None);
    assert_eq!((site.visits(), other.visits()), (4, 1));
    let result = check(&site.url("/gone"), &within(5_000)).await;
    assert_judged(&result, Verdict::Down, Reason::Status { code: 404 });
}

#[tokio::test]
async fn chains_that_lead_nowhere_say_why() {
    let site = Site::answers_by_path(|path| match path {
        "/loop" => redirect("302 Found", "/pool"),
        "/pool" => redirect("302 Found", "/loop"),
        "/self" => redirect("302 Found", "/self"),
        "/none" => answer("302 Found", &[], ""),
        "/bad" => redirect("302 Found", "http://[::1"),
        "/mail" => redirect("302 Found", "mailto:me@example.com"),
        count => {
            let count: usize = count[1..].parse().unwrap();
            if count == 0 { page("arrived") } else { redirect("302 Found", &format!("/{}", count - 1)) }
        }
    })
    .await;
    for (path, kind) in [
        ("/loop", RedirectKind::Loop),
        ("/self", RedirectKind::Loop),
        ("/none", RedirectKind::NoLocation),
        ("/bad", RedirectKind::BadLocation),
        ("/mail", RedirectKind::BadLocation),
        ("/11", RedirectKind::TooMany),
    ] {
        assert_judged(&check(&site.url(path), &within(5_000)).await, Verdict::Down, nowhere(kind));
    }
    assert_judged(&check(&site.url("/10"), &within(5_000)).await, Verdict::Up, None);
}
