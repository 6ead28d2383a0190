//! The SQL views that dashboards read: `docs/sql-views.md`.

use std::sync::Arc;

use linkbeat_shared::{FailedPage, Lang, Reason, Verdict};
use serde_json::{Value, json};

use crate::database::{Kind, TestDatabase};
use crate::make::{self, ImportLinks, file_stored, record, results};

cases![
    links_are_viewed,
    runs_are_viewed,
    checks_are_viewed,
    details_are_viewed,
    reasons_are_viewed_as_texts,
    links_pages_are_viewed_without_userinfo,
];

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

/// Every reason that there is, by the schema of reports.
fn reasons() -> Vec<Reason> {
    let schema: Value =
        serde_json::from_str(include_str!("../../../docs/messages/linkbeat.report-1.json")).unwrap();
    let of = |name: &str| schema["$defs"][name]["oneOf"].as_array().unwrap().clone();
    let mut all = Vec::new();
    for reason in of("Reason") {
        let fields = reason["properties"].as_object().unwrap();
        let kind = fields.iter().find_map(|(name, field)| {
            Some((name, field["$ref"].as_str()?.trim_start_matches("#/$defs/").to_owned()))
        });
        let values = match kind {
            Some((name, kinds)) => {
                of(&kinds).iter().map(|kind| (name.clone(), kind["const"].clone())).collect()
            }
            None => vec![
                ("code".to_owned(), json!(404)),
                ("truncated".to_owned(), json!(true)),
                ("address".to_owned(), json!("10.0.0.1")),
                ("address".to_owned(), Value::Null),
            ],
        };
        for (name, value) in values {
            let mut document = json!({ "type": fields["type"]["const"], "code": 500, "truncated": false });
            document[name] = value;
            all.push(serde_json::from_value(document).unwrap());
        }
    }
    assert!(all.contains(&Reason::Other) && all.len() > 50, "{all:?}");
    all
}

/// In SQL as in reports.
async fn reasons_are_viewed_as_texts(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    let pages = [(None, "NULL"), (Some(FailedPage::Both), r#"'{"failed":"both"}'"#)];
    let mut failed = pages.iter().cycle();
    for reason in reasons() {
        let (page, details) = failed.next().unwrap();
        let document = serde_json::to_string(&reason).unwrap();
        database
            .execute(&format!(
                "UPDATE links SET reason = '{document}', hidden_reason = '{document}', details = {details}"
            ))
            .await;
        let seen =
            async |column: &str| value(&database, &format!("SELECT {column} FROM linkbeat_links")).await;
        assert_eq!(seen("reason_text").await, Lang::En.reason_of(&reason, *page), "{document}");
        assert_eq!(seen("reason_text_zh").await, Lang::Zh.reason_of(&reason, *page));
        assert_eq!(seen("hidden_reason_text").await, Lang::En.reason(&reason));
        assert_eq!(seen("hidden_reason_text_zh").await, Lang::Zh.reason(&reason));
    }
    for reason in [FailedPage::Home, FailedPage::LinksPage] {
        let word = serde_json::to_value(reason).unwrap();
        let of_page = json!({ "failed": word });
        database
            .execute(&format!("UPDATE links SET reason = '{{\"type\":\"protocol\"}}', details = '{of_page}'"))
            .await;
        let seen = value(&database, "SELECT reason_text FROM linkbeat_links").await;
        assert_eq!(seen, Lang::En.reason_of(&Reason::Protocol, Some(reason)));
    }
    database.execute("UPDATE links SET reason = NULL").await;
    assert_eq!(database.value("SELECT reason_text FROM linkbeat_links").await, None);
    let (run, plan) = file_stored(&store).await;
    record(&store, run, &plan.jobs, Verdict::Down).await;
    for view in ["linkbeat_checks", "linkbeat_changes"] {
        assert_eq!(
            value(&database, &format!("SELECT reason_text FROM {view}")).await,
            "the page answered 500"
        );
        assert_eq!(value(&database, &format!("SELECT reason_text_zh FROM {view}")).await, "网页请求返回500");
    }
}

async fn links_pages_are_viewed_without_userinfo(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    for (stored, seen) in [
        ("https://me:secret@a.example/links", "https://a.example/links"),
        ("https://me@a.example/", "https://a.example/"),
        ("http://a.example:81/x@y?z=@#@", "http://a.example:81/x@y?z=@#@"),
        ("http://a.example/", "http://a.example/"),
    ] {
        database.execute(&format!("UPDATE links SET page_url = '{stored}'")).await;
        assert_eq!(value(&database, "SELECT page_url FROM linkbeat_links").await, seen);
    }
    database.execute("UPDATE links SET page_url = NULL").await;
    assert_eq!(database.value("SELECT page_url FROM linkbeat_links").await, None);
}
