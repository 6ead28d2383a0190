//! Visitors who are not known have places of their own. Those who are known always find room beside them.

use std::time::Duration;

use linkbeat_dashboard::Limits;
use linkbeat_store::Scope;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::served::{HASH, Served};

/// A form whose body is still to come. It takes one of the places until then.
const FORM: &str = "POST /login HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\
                    content-type: application/x-www-form-urlencoded\r\n\r\n";
/// So many requests of strangers are carried out at once.
const PLACES: usize = 64;
/// Nothing here takes so long, however busy the machine is.
const LONG: Duration = Duration::from_secs(20);

/// The status of a live view. The view goes on as long as the stream is kept.
async fn view(served: &Served, header: &str) -> (String, TcpStream) {
    let head = format!("GET /live?part=counts HTTP/1.1\r\nhost: localhost\r\n{header}\r\n");
    let mut stream = served.open(&head).await;
    let mut status = [0; 12];
    timeout(LONG, stream.read_exact(&mut status)).await.unwrap().unwrap();
    (String::from_utf8_lossy(&status[9..]).into_owned(), stream)
}

#[tokio::test]
async fn strangers_have_a_quarter_of_the_live_views() {
    // Half of the connections are for views: eight. Two of them are for strangers.
    let settings = json!({ "password_hash": HASH, "open_read": true, "connections": 16 });
    let served = Served::with(settings).await;
    let token = format!("authorization: Bearer {}\r\n", served.token("r", Scope::Read).await);
    let (first, kept) = view(&served, "").await;
    let (second, _second) = view(&served, "").await;
    let (third, _) = view(&served, "").await;
    assert_eq!([first, second, third], ["200", "200", "503"]);
    let mut known = Vec::new();
    for _ in 0..6 {
        known.push(view(&served, &token).await);
    }
    assert!(known.iter().all(|(status, _)| status == "200"), "they have all other places");
    assert_eq!(view(&served, &token).await.0, "503", "no place is left");
    drop(kept);
    let begun = Instant::now();
    while view(&served, "").await.0 != "200" {
        assert!(begun.elapsed() < LONG, "the place of a view that ended is free again");
    }
}

#[tokio::test]
async fn the_login_and_what_it_shows_wait_behind_nobody() {
    let limits = Limits { body: LONG, ..Limits::default() };
    let served = Served::within(limits, json!({ "password_hash": HASH, "open_read": true })).await;
    let token = served.token("r", Scope::Read).await;
    let mut forms = Vec::new();
    for _ in 0..PLACES {
        forms.push(served.open(FORM).await);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let page = served.get("/login").await;
    let assets = page.body.split('"').filter(|text| text.starts_with("/assets/"));
    let assets: Vec<&str> = assets.map(|path| path.split('#').next().unwrap()).collect();
    assert!(assets.len() >= 2, "a style and a script: {}", page.body);
    let begun = Instant::now();
    for path in assets.iter().copied().chain(["/login", "/login?back=%2Flinks"]) {
        let answer = served.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
    }
    // A request that waits for a place does so for five seconds.
    assert!(begun.elapsed() < Duration::from_secs(4), "they did not wait: {:?}", begun.elapsed());
    let (stranger, known) = tokio::join!(served.get("/links"), served.get_with("/links", &token));
    assert_eq!((stranger.status, known.status), (503, 200), "pages wait, and those of the known do not");
}
