//! Live views end with the right to look.

use std::time::Duration;

use linkbeat_dashboard::Limits;
use linkbeat_store::Scope;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::served::{HASH, Served};

const HEARTBEAT: Duration = Duration::from_millis(300);

async fn closed() -> Served {
    let limits = Limits { heartbeat: HEARTBEAT, ..Limits::default() };
    Served::within(limits, json!({ "password_hash": HASH })).await
}

async fn view(served: &Served, header: &str) -> TcpStream {
    let mut stream = served
        .open(&format!(
            "GET /live?part=counts HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{header}\r\n\r\n"
        ))
        .await;
    let mut head = [0; 12];
    timeout(20 * HEARTBEAT, stream.read_exact(&mut head)).await.unwrap().unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    stream
}

async fn ends(stream: &mut TcpStream) -> bool {
    let mut piece = [0; 4_096];
    timeout(20 * HEARTBEAT, async { while let Ok(1..) = stream.read(&mut piece).await {} }).await.is_ok()
}

#[tokio::test]
async fn a_view_ends_at_the_logout_and_others_go_on() {
    let served = closed().await;
    let (_, cookie) = served.log_in("/login", "correct horse").await;
    let (_, other) = served.log_in("/login", "correct horse").await;
    let mut ours = view(&served, &format!("cookie: {cookie}")).await;
    let mut theirs = view(&served, &format!("cookie: {other}")).await;
    sleep(3 * HEARTBEAT).await;
    assert_eq!(served.ask("POST /logout", &[("cookie", &cookie)], "").await.status, 303);
    assert!(ends(&mut ours).await);
    let mut piece = [0; 4_096];
    let going_on =
        timeout(3 * HEARTBEAT, async { while theirs.read(&mut piece).await.unwrap() > 0 {} }).await;
    assert!(going_on.is_err(), "somebody else goes on looking");
}

#[tokio::test]
async fn a_view_ends_with_its_token_or_its_session() {
    let served = closed().await;
    let token = served.token("r", Scope::Read).await;
    let (_, cookie) = served.log_in("/login", &token).await;
    let mut by_token = view(&served, &format!("authorization: Bearer {token}")).await;
    let mut by_session = view(&served, &format!("cookie: {cookie}")).await;
    assert!(served.store.remove_token("r").await.unwrap());
    assert!(ends(&mut by_token).await);
    assert!(ends(&mut by_session).await);
}

#[tokio::test]
async fn many_views_of_one_person_ask_the_database_no_more_than_one() {
    let served = closed().await;
    let (_, cookie) = served.log_in("/login", "correct horse").await;
    let mut views = Vec::new();
    for _ in 0..100 {
        views.push(view(&served, &format!("cookie: {cookie}")).await);
    }
    sleep(2 * HEARTBEAT).await;
    let before = served.store.activity().tally().begun;
    let begun = tokio::time::Instant::now();
    sleep(6 * HEARTBEAT).await;
    let calls = served.store.activity().tally().begun - before;
    // The poller makes some four calls a second. Each view alone would make one each heartbeat: 600.
    let most = 40 + 10 * begun.elapsed().as_secs();
    assert!(calls <= most, "{calls} calls");
}
