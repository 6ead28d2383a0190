//! The table of changes, and since when links are as they are.

use std::sync::Arc;

use linkbeat_shared::{Attributes, NewLink, Verdict, Without};
use linkbeat_store::LinkChanges;

use crate::consistent;
use crate::database::TestDatabase;
use crate::make::{self, ImportLinks, file_stored, link, record};

cases![
    each_change_is_kept_once,
    a_person_changes_links_too,
    an_older_run_changes_nothing,
    lists_say_more_of_a_link,
];

/// All changes, the oldest first, as `was_shown shown former_verdict verdict by`.
async fn changes(database: &TestDatabase) -> Vec<String> {
    let yes = |column| format!("CASE WHEN {column} THEN 'shown' ELSE 'hidden' END");
    let row = format!(
        "{} || ' ' || {} || ' ' || coalesce(former_verdict, '-') || ' ' || coalesce(verdict, '-') || ' ' ||
         CASE WHEN run_id IS NULL THEN 'person' ELSE 'run' END",
        yes("was_shown"),
        yes("shown")
    );
    let mut all = Vec::new();
    while let Some(change) =
        database.value(&format!("SELECT {row} FROM changes ORDER BY id LIMIT 1 OFFSET {}", all.len())).await
    {
        all.push(change);
    }
    all
}

async fn each_change_is_kept_once(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    for verdict in [Verdict::Up, Verdict::Up, Verdict::Down, Verdict::Blocked, Verdict::Blocked, Verdict::Up]
    {
        let (run, plan) = file_stored(&store).await;
        for _ in 0..2 {
            record(&store, run, &plan.jobs, verdict).await;
        }
    }
    let expected = [
        "shown shown - up run",
        "shown hidden up down run",
        "hidden hidden down blocked run",
        "hidden shown blocked up run",
    ];
    assert_eq!(changes(&database).await, expected);
    consistent::assert(&database).await;
    let view = "SELECT count(*) FROM linkbeat_changes WHERE name = 'host-000000.example' AND url LIKE 'https://host%'";
    assert_eq!(database.value(view).await.as_deref(), Some("4"));
    let reason = "SELECT reason_type FROM linkbeat_changes WHERE change = 'hidden'";
    assert_eq!(database.value(reason).await.as_deref(), Some("status"));
}

async fn a_person_changes_links_too(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let ids = store.import_links(&make::links(1)).await.unwrap().ids;
    for shown in [true, false, false, true] {
        let by_hand = LinkChanges { shown: Some(shown), ..LinkChanges::default() };
        store.set_link(ids[0], &by_hand).await.unwrap();
    }
    assert_eq!(changes(&database).await, ["shown hidden - - person", "hidden shown - - person"]);
    store.remove_links(&ids).await.unwrap();
    let view = "SELECT count(*) FROM linkbeat_changes WHERE run_id IS NULL AND name = 'host-000000.example'";
    assert_eq!(database.value(view).await.as_deref(), Some("2"), "changes outlive their link");
}

async fn an_older_run_changes_nothing(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(1)).await.unwrap();
    let (older, older_plan) = file_stored(&store).await;
    let (newer, newer_plan) = file_stored(&store).await;
    record(&store, newer, &newer_plan.jobs, Verdict::Up).await;
    record(&store, older, &older_plan.jobs, Verdict::Down).await;
    assert_eq!(changes(&database).await, ["shown shown - up run"]);
    consistent::assert(&database).await;
}

async fn lists_say_more_of_a_link(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let said = |avatar: &str, feed: Option<&str>| Attributes {
        avatar: Some(avatar.parse().unwrap()),
        feed: feed.map(|feed| feed.parse().unwrap()),
        ..Attributes::default()
    };
    let named = |group: Option<&str>, attributes| NewLink {
        group: group.map(|group| group.parse().unwrap()),
        attributes,
        ..link("https://a.example/")
    };
    let id =
        store.import_links(&[named(Some("friends"), said("/a.png", Some("/feed")))]).await.unwrap().ids[0];
    let again = store.import_links(&[link("https://a.example/")]).await.unwrap();
    assert_eq!(again.unchanged, 1, "what an import does not name is kept");
    let again = store.import_links(&[named(None, said("/b.png", None))]).await.unwrap();
    assert_eq!(again.updated, 1);
    let stored = make::stored(&store, "https://a.example/").await;
    assert_eq!(stored.group.unwrap().as_str(), "friends");
    assert_eq!(stored.attributes, said("/b.png", Some("/feed")));
    let without = Without { avatar: true, group: true, ..Without::default() };
    let again = store.import_links(&[NewLink { without, ..link("https://a.example/") }]).await.unwrap();
    assert_eq!(again.updated, 1);
    let stored = make::stored(&store, "https://a.example/").await;
    assert_eq!((stored.group, stored.attributes.avatar), (None, None), "what an import takes away is gone");
    assert_eq!(stored.attributes.feed.unwrap().as_str(), "/feed");
    let by_hand = LinkChanges {
        group: Some("others".parse().unwrap()),
        attributes: said("/c.png", None),
        ..LinkChanges::default()
    };
    let set = store.set_link(id, &by_hand).await.unwrap().unwrap();
    assert_eq!((set.group.unwrap().as_str(), &set.attributes), ("others", &said("/c.png", Some("/feed"))));
    let view = "SELECT group_name || ' ' || avatar || ' ' || feed FROM linkbeat_links";
    assert_eq!(database.value(view).await.as_deref(), Some("others /c.png /feed"));
}
