//! The SQL views that dashboards read: `docs/sql-views.md`.

use std::sync::Arc;

use linkbeat_shared::Verdict;

use crate::database::{Kind, TestDatabase};
use crate::make::{self, ImportLinks, file_stored, record, results};

cases![links_are_viewed, runs_are_viewed, checks_are_viewed, details_are_viewed];

async fn value(database: &TestDatabase, query: &str) -> String {
    database.value(query).await.unwrap_or_else(|| panic!("NULL: {query}"))
}

async fn prepare(database: &TestDatabase) {
    let store = database.open().await;
    store.import_links(&make::links(3)).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    record(&store, run, &plan.jobs[..2], Verdict::Up).await;
    record(&store, run, &plan.jobs[2..], Verdict::Down).await;
    store.close_runs(1).await.unwrap();
}

async fn links_are_viewed(database: Arc<TestDatabase>) {
    prepare(&database).await;
    let hidden = "FROM linkbeat_links WHERE NOT shown";
    assert_eq!(value(&database, "SELECT count(*) FROM linkbeat_links WHERE shown").await, "2");
    assert_eq!(value(&database, &format!("SELECT url {hidden}")).await, "https://host-000002.example/");
    assert_eq!(value(&database, &format!("SELECT verdict {hidden}")).await, "down");
    assert_eq!(value(&database, &format!("SELECT hidden_reason_type {hidden}")).await, "status");
    assert_eq!(value(&database, &format!("SELECT reason ->> 'code' {hidden}")).await, "500");
    assert_eq!(value(&database, &format!("SELECT failed_in_a_row {hidden}")).await, "1");
    let checked_at = value(&database, &format!("SELECT last_checked_at {hidden}")).await;
    assert!(checked_at.starts_with("20") && checked_at.len() > 18, "{checked_at}");
}

async fn runs_are_viewed(database: Arc<TestDatabase>) {
    prepare(&database).await;
    for (column, expected) in [
        ("state", "finished"),
        ("links", "3"),
        ("done", "3"),
        ("checked", "3"),
        ("up", "2"),
        ("down", "1"),
        ("no_backlink", "0"),
        ("white_listed", "0"),
        ("to_not_show", "1"),
        ("to_show", "0"),
        ("missing", "0"),
        ("to_recheck", "0"),
    ] {
        assert_eq!(
            value(&database, &format!("SELECT {column} FROM linkbeat_runs")).await,
            expected,
            "{column}"
        );
    }
    let seconds: f64 = value(&database, "SELECT seconds FROM linkbeat_runs").await.parse().unwrap();
    assert!((0.0..60.0).contains(&seconds), "{seconds}");

    // A run without results, and one on the white list alone, have a row of their own.
    let store = database.open().await;
    store
        .remove_links(&store.links(None, 10).await.unwrap().iter().map(|link| link.id).collect::<Vec<_>>())
        .await
        .unwrap();
    file_stored(&store).await;
    let empty = "SELECT white_listed + checked + up FROM linkbeat_runs WHERE state = 'running'";
    assert_eq!(value(&database, empty).await, "0");
    assert_eq!(database.value("SELECT seconds FROM linkbeat_runs WHERE state = 'running'").await, None);
}

async fn checks_are_viewed(database: Arc<TestDatabase>) {
    prepare(&database).await;
    let hidden = "FROM linkbeat_checks WHERE change = 'hidden'";
    assert_eq!(value(&database, "SELECT count(*) FROM linkbeat_checks").await, "3");
    assert_eq!(value(&database, &format!("SELECT name {hidden}")).await, "host-000002.example");
    assert_eq!(value(&database, &format!("SELECT reason_type {hidden}")).await, "status");
    assert_eq!(value(&database, &format!("SELECT status {hidden}")).await, "500");
    let recent = match database.kind {
        Kind::Postgres => "checked_at > now() - interval '1 day'",
        Kind::Sqlite => "checked_at > strftime('%Y-%m-%dT%H:%M:%S', 'now', '-1 day')",
    };
    let query = format!("SELECT count(*) {hidden} AND {recent}");
    assert_eq!(value(&database, &query).await, "1");
}

async fn details_are_viewed(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(2)).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    let mut seen = results(run, &plan.jobs[0], Verdict::Up);
    seen.results[0].details = make::details();
    store.record(&[seen, results(run, &plan.jobs[1], Verdict::Up)], make::judge()).await.unwrap();
    let ends = match database.kind {
        // As a time: its text depends on the session's time zone.
        Kind::Postgres => "to_char(tls_expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
        Kind::Sqlite => "tls_expires_at",
    };
    for view in ["linkbeat_links", "linkbeat_checks"] {
        let known = format!("FROM {view} WHERE tls_issuer = 'Let''s Encrypt'");
        let of_seen = async |column: &str| value(&database, &format!("SELECT {column} {known}")).await;
        assert_eq!(of_seen("url").await, "https://host-000000.example/");
        assert_eq!(of_seen(ends).await, "2026-12-31T23:59:59.000000Z");
        assert_eq!(of_seen("redirects ->> 1").await, "http://b.example/中");
        assert_eq!(of_seen("notes ->> 0").await, "downgraded");
        let bare = "tls_issuer IS NULL AND tls_expires_at IS NULL AND redirects IS NULL AND notes IS NULL";
        assert_eq!(value(&database, &format!("SELECT count(*) FROM {view} WHERE {bare}")).await, "1");
    }
}
