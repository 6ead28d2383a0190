//! A link is explained on a page of its own.

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
