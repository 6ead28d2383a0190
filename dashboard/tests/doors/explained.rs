//! A link is explained on a page of its own, which is sent piece by piece.

use linkbeat_shared::{LinkUrl, NewLink};
use linkbeat_store::Scope;
use serde_json::json;

use crate::known::links;
use crate::served::{HASH, Served};

#[tokio::test]
async fn the_steps_stand_on_the_page_and_only_a_form_asks_for_them() {
    let closed = Served::with(json!({ "password_hash": HASH, "base_path": "/x" })).await;
    let link = NewLink::from_url(LinkUrl::parse("https://a.example/").unwrap());
    let id = links(&closed.store, vec![link]).await[0];
    let path = format!("/x/links/{id}/explain");
    let (read, write) = (closed.token("r", Scope::Read).await, closed.token("w", Scope::Write).await);
    let asked = closed.get_with(&path, &read).await;
    assert_eq!(asked.status, 200);
    assert!(
        asked.body.contains(&format!("action=\"{path}\"")) && !asked.body.contains("a step"),
        "{}",
        asked.body
    );
    let posted = async |token: &str| {
        closed.ask(&format!("POST {path}"), &[("authorization", &format!("Bearer {token}"))], "").await
    };
    assert_eq!(posted(&read).await.status, 403);
    let told = posted(&write).await;
    assert_eq!(told.status, 200);
    assert!(told.body.contains("&lt;b&gt;a step") && !told.body.contains("<b>"), "{}", told.body);
    assert!(told.body.find("a step").unwrap() < told.body.find("</main>").unwrap(), "{}", told.body);
}

#[tokio::test]
async fn pages_are_compressed_but_not_one_that_is_sent_piece_by_piece() {
    let open = Served::with(json!({})).await;
    let link = NewLink::from_url(LinkUrl::parse("https://a.example/").unwrap());
    let id = links(&open.store, vec![link]).await[0];
    let ask = async |request: &str, takes: &str| open.ask(request, &[("accept-encoding", takes)], "").await;
    let page = ask("GET /links", "identity").await;
    assert_eq!(page.header("content-encoding"), None);
    let style = page.body.split('"').find(|word| word.ends_with(".css")).unwrap();
    for path in ["/links", style] {
        let (plain, packed) = (open.get(path).await, ask(&format!("GET {path}"), "gzip, br").await);
        assert_eq!((packed.status, packed.header("content-encoding")), (200, Some("gzip")), "{path}");
        assert_eq!(packed.header("vary"), Some("accept-encoding"), "{path}");
        assert!(packed.body.len() < plain.body.len(), "{path}");
        assert_eq!(packed.header("content-security-policy"), plain.header("content-security-policy"));
    }
    let steps = ask(&format!("POST /links/{id}/explain"), "gzip").await;
    assert_eq!((steps.status, steps.header("content-encoding")), (200, None));
    assert!(steps.body.contains("a step"), "{}", steps.body);
}
