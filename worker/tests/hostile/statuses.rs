//! Statuses, walls and rate limits.

use linkbeat_shared::Reason;

use super::row::Row;
use super::street::{answering, playing};
use crate::site::{Site, answer, page};

fn status(code: u16) -> Reason {
    Reason::Status { code }
}

async fn saying(line: &str, headers: &[&str]) -> Site {
    answering(answer(line, headers, "")).await
}

pub(super) async fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for code in [204, 206, 400, 401, 403, 404, 410, 418, 451, 500, 503] {
        let site = saying(&format!("{code} Something"), &[]).await;
        rows.push(Row::new(format!("status {code}"), site).down(status(code)));
    }
    for code in [204, 206, 404] {
        let site = saying(&format!("{code} Something"), &[]).await;
        rows.push(Row::new(format!("status {code}, accepted"), site).accepting("200,204,206,400-499"));
    }
    for (wall, line, headers, code) in [
        ("Cloudflare", "403 Forbidden", &["cf-mitigated: challenge"][..], 403),
        ("Cloudflare, busy", "503 Busy", &["cf-mitigated: challenge"], 503),
        ("a rate limit", "429 Too Many Requests", &["Retry-After: 3600"], 429),
        ("LinkedIn", "999 Request denied", &[], 999),
        ("AWS WAF", "405 Not Allowed", &["x-amzn-waf-action: captcha"], 405),
    ] {
        rows.push(Row::new(format!("wall: {wall}"), saying(line, headers).await).blocked(code));
    }
    let late = saying("503 Busy", &["Retry-After: 3600"]).await;
    rows.extend([
        Row::new("503, better in a second", busy_at_first("503 Busy").await),
        Row::new("429, better in a second", busy_at_first("429 Too Many Requests").await),
        Row::new("503, better in an hour", late).down(status(503)),
        Row::new("a page made by JavaScript alone", by_javascript().await),
        Row::new("a page that refreshes itself away", refreshing().await),
        Row::new("a soft 404", answering(page("<h1>404 Not Found</h1>")).await),
    ]);
    rows
}

async fn busy_at_first(line: &'static str) -> Site {
    playing(move |mut visit, number| async move {
        visit.request().await;
        visit.send(if number == 1 { answer(line, &["Retry-After: 1"], "") } else { page("hello") }).await;
    })
    .await
}

async fn by_javascript() -> Site {
    answering(page("<!doctype html><div id=root></div><script src=app.js></script>")).await
}

async fn refreshing() -> Site {
    answering(page("<meta http-equiv=refresh content='0; url=https://parked.example/'>")).await
}
