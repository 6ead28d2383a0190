//! Importing, finding, editing and removing links.

use std::sync::Arc;
use std::time::{Duration, Instant};

use linkbeat_shared::{LinkId, LinkState, NewLink, Pin, Pinned, Reason, Verdict, Without};
use linkbeat_store::{LinkChanges, LinkSet, ListedLink, StillSo};

use crate::database::TestDatabase;
use crate::make::{self, ImportLinks, file_stored, link, name, record, stored, url};

cases![
    new_links_get_defaults,
    of_two_who_change_what_they_have_read_one_wins,
    an_import_again_changes_nothing,
    an_import_changes_what_it_says,
    repeats_within_an_import_are_one_link,
    repeats_far_apart_are_one_link,
    many_links_are_changed_at_once,
    credentials_do_not_make_another_link,
    a_url_without_its_user_keeps_the_whole_one,
    a_link_moves_with_its_history,
    a_pinned_link_is_told_from_others,
    very_long_urls_are_links_too,
    many_links_are_imported_in_seconds,
    importers_at_the_same_time_agree,
    pages_follow_the_ids,
    links_are_found_by_id_url_and_name,
    a_person_changes_a_link,
    removed_links_are_gone,
    a_dropped_import_holds_nothing,
];

async fn new_links_get_defaults(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let full = NewLink {
        name: Some(name("友链")),
        page_url: Some(url("https://b.example/links")),
        active: Some(false),
        shown: Some(false),
        backlink: Some(false),
        ..link("https://a.example/")
    };
    let imported = store.import_links(&[full, link("https://bücher.example/x?y#z")]).await.unwrap();
    assert_eq!((imported.added, imported.updated, imported.unchanged), (2, 0, 0));

    let links = store.links(None, 10).await.unwrap();
    let by_id = |id: LinkId| links.iter().find(|link| link.id == id).unwrap();
    let (full, plain) = (by_id(imported.ids[0]), by_id(imported.ids[1]));
    assert_eq!(full.name, name("友链"));
    assert_eq!(full.page_url, Some(url("https://b.example/links")));
    assert!(!full.active && !full.backlink);
    assert_eq!(full.state, LinkState::default());
    assert_eq!(plain.name, name("xn--bcher-kva.example"));
    assert_eq!(plain.url, url("https://bücher.example/x?y"));
    assert!(plain.active && plain.backlink && plain.page_url.is_none());
    assert_eq!(plain.state, LinkState { shown: true, ..LinkState::default() });
}

async fn an_import_again_changes_nothing(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let input = make::links(50);
    let first = store.import_links(&input).await.unwrap();
    let before = store.links(None, 100).await.unwrap();

    let again = store.import_links(&input).await.unwrap();

    assert_eq!((again.added, again.updated, again.unchanged), (0, 0, 50));
    assert_eq!(again.ids, first.ids);
    assert_eq!(store.links(None, 100).await.unwrap(), before);
}

async fn an_import_changes_what_it_says(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&[NewLink { name: Some(name("old")), ..link("https://a.example/") }]).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    record(&store, run, &plan.jobs, Verdict::Down).await;
    let before = stored(&store, "https://a.example/").await;
    assert!(!before.state.shown);

    let change = NewLink {
        name: Some(name("new")),
        page_url: Some(url("https://page.example/")),
        active: Some(false),
        shown: Some(true),
        backlink: Some(false),
        ..link("https://a.example/")
    };
    let imported = store.import_links(&[change]).await.unwrap();

    assert_eq!((imported.added, imported.updated, imported.unchanged), (0, 1, 0));
    let after = stored(&store, "https://a.example/").await;
    assert_eq!((after.name, after.page_url), (name("new"), Some(url("https://page.example/"))));
    assert!(!after.active && !after.backlink);
    // `shown` is for new links only; the state belongs to the checks.
    assert_eq!(after.state, before.state);
    // What an import does not say stays.
    store.import_links(&[link("https://a.example/")]).await.unwrap();
    assert_eq!(stored(&store, "https://a.example/").await.name, name("new"));
}

async fn repeats_within_an_import_are_one_link(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let named = |text, called| NewLink { name: Some(name(called)), ..link(text) };
    let input = [
        named("https://a.example/", "first"),
        named("https://b.example/", "other"),
        named("HTTPS://A.example", "second"),
    ];

    let imported = store.import_links(&input).await.unwrap();

    assert_eq!((imported.added, imported.updated, imported.unchanged), (2, 0, 0));
    let [first, other] = imported.ids[..] else { panic!("each link has one id: {:?}", imported.ids) };
    assert_eq!(stored(&store, "https://a.example/").await.id, first);
    assert_eq!(stored(&store, "https://b.example/").await.id, other);
    assert_eq!(stored(&store, "https://a.example/").await.name, name("first"));
}

async fn repeats_far_apart_are_one_link(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let named = |called| NewLink { name: Some(name(called)), ..link("https://a.example/") };
    // An import handles fewer links at once than stand between these two.
    let mut input = vec![named("first")];
    input.extend(make::links(6_000));
    input.push(named("second"));

    let imported = store.import_links(&input).await.unwrap();

    assert_eq!((imported.added, imported.updated, imported.unchanged), (6_001, 0, 0));
    assert_eq!(imported.ids.len(), 6_001);
    assert_eq!(stored(&store, "https://a.example/").await.name, name("first"));

    input[0] = named("third");
    let again = store.import_links(&input).await.unwrap();
    assert_eq!((again.added, again.updated, again.unchanged), (0, 1, 6_000));
    assert_eq!(again.ids, imported.ids);
    assert_eq!(stored(&store, "https://a.example/").await.name, name("third"));
}

async fn many_links_are_changed_at_once(database: Arc<TestDatabase>) {
    let store = database.open().await;
    // More than an import compares at once, so the input is read a second time for what changes.
    store.import_links(&make::links(5_000)).await.unwrap();
    let mut input = make::links(6_000);
    for (n, link) in input.iter_mut().enumerate().filter(|(n, _)| n % 2 == 0) {
        link.name = Some(name(&format!("link {n}")));
    }
    let imported = store.import_links(&input).await.unwrap();
    assert_eq!((imported.added, imported.updated, imported.unchanged), (1_000, 2_500, 2_500));
    let again = store.import_links(&input).await.unwrap();
    assert_eq!((again.ids, again.unchanged), (imported.ids, 6_000));
    assert_eq!(stored(&store, "https://host-004998.example/").await.name, name("link 4998"));
    assert_eq!(stored(&store, "https://host-004999.example/").await.name, name("host-004999.example"));
}

async fn credentials_do_not_make_another_link(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let first = store.import_links(&[link("https://me:old@a.example/")]).await.unwrap();
    let second = store.import_links(&[link("https://me:new@a.example/")]).await.unwrap();
    assert_eq!(first.ids, second.ids);
    assert_eq!(stored(&store, "https://a.example/").await.url.expose(), "https://me:new@a.example/");
    let shown = database.value("SELECT url FROM linkbeat_links").await.unwrap();
    assert_eq!(shown, "https://a.example/");
}

async fn a_url_without_its_user_keeps_the_whole_one(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let whole = NewLink {
        page_url: Some(url("https://me:old@page.example/links")),
        ..link("https://me:old@a.example/")
    };
    store.import_links(&[whole]).await.unwrap();
    let redacted = |name: &str, page: &str| NewLink {
        name: Some(make::name(name)),
        page_url: Some(url(page)),
        ..link("https://a.example/")
    };
    store.import_links(&[redacted("again", "https://page.example/links")]).await.unwrap();
    let kept = stored(&store, "https://a.example/").await;
    assert_eq!((kept.name, kept.url.expose()), (name("again"), "https://me:old@a.example/"));
    assert_eq!(kept.page_url.unwrap().expose(), "https://me:old@page.example/links");
    store.import_links(&[redacted("moved", "https://page.example/friends")]).await.unwrap();
    let page = stored(&store, "https://a.example/").await.page_url.unwrap();
    assert_eq!(page.expose(), "https://page.example/friends", "another page is another page");
    let by_hand = LinkChanges { url: Some(url("https://a.example/")), ..LinkChanges::default() };
    let changed = store.set_link(kept.id, &by_hand).await.unwrap().unwrap();
    assert_eq!(changed.url.expose(), "https://a.example/", "a person may take it away");
}

async fn a_link_moves_with_its_history(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let ids = store.import_links(&[link("http://a.example/"), link("http://b.example/")]).await.unwrap().ids;
    let (run, plan) = file_stored(&store).await;
    record(&store, run, &plan.jobs, Verdict::Down).await;
    let before = stored(&store, "http://a.example/").await;
    let to = |text| LinkChanges { url: Some(url(text)), ..LinkChanges::default() };
    let moved = store.set_link(ids[0], &to("https://c.example/")).await.unwrap().unwrap();
    assert_eq!(
        (moved.id, &moved.state, moved.url.key().as_str()),
        (ids[0], &before.state, "https://c.example/")
    );
    assert!(store.find_links("http://a.example/").await.unwrap().is_empty());
    assert_eq!(store.import_links(&[link("https://c.example/")]).await.unwrap().unchanged, 1);
    let host = database.value("SELECT host FROM linkbeat_links WHERE url = 'https://c.example/'").await;
    assert_eq!(host.as_deref(), Some("c.example"));
    assert!(store.set_link(ids[0], &to("http://b.example/")).await.is_err(), "another link has this URL");
}

async fn a_pinned_link_is_told_from_others(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let pin = |to| Pin { to, note: Some("a friend's wish".parse().unwrap()) };
    let new = NewLink { pin: Some(pin(Pinned::Hidden)), ..link("https://a.example/") };
    let id = store.import_links(&[new]).await.unwrap().ids[0];
    let imported = stored(&store, "https://a.example/").await;
    assert_eq!((imported.pin.as_ref(), imported.state.shown), (Some(&pin(Pinned::Hidden)), false));
    assert_eq!(database.value("SELECT pin FROM linkbeat_links").await.as_deref(), Some("hidden"));

    let set = |pin| LinkChanges { pin: Some(pin), ..LinkChanges::default() };
    let changed = store.set_link(id, &set(Some(pin(Pinned::Shown)))).await.unwrap().unwrap();
    assert_eq!((changed.pin, changed.state.shown), (Some(pin(Pinned::Shown)), true));
    assert_eq!(database.value("SELECT change FROM linkbeat_changes").await.as_deref(), Some("shown"));
    let free = store.set_link(id, &set(None)).await.unwrap().unwrap();
    assert_eq!((free.pin, free.state.shown), (None, true), "it stays as it is until the next check");
    store.set_link(id, &set(Some(pin(Pinned::Hidden)))).await.unwrap();
    let shown = LinkChanges { shown: Some(true), ..LinkChanges::default() };
    let shown = store.set_link(id, &shown).await.unwrap().unwrap();
    assert_eq!((shown.pin, shown.state.shown), (None, true), "shown until the next check, which decides");
}

async fn very_long_urls_are_links_too(database: Arc<TestDatabase>) {
    let store = database.open().await;
    // Not compressible: PostgreSQL shortens repetitive text before it measures it.
    let noise: String = (0..120_u32)
        .map(|n| uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, &n.to_be_bytes()).to_string())
        .collect();
    let text = format!("https://a.example/{noise}");
    let imported = store.import_links(&[link(&text)]).await.unwrap();
    assert_eq!(stored(&store, &text).await.id, imported.ids[0]);
    assert_eq!(store.import_links(&[link(&text)]).await.unwrap().unchanged, 1);
}

async fn many_links_are_imported_in_seconds(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let input = make::links(20_000);
    let started = Instant::now();
    let imported = store.import_links(&input).await.unwrap();
    let again = store.import_links(&input).await.unwrap();
    assert_eq!((imported.added, again.unchanged), (20_000, 20_000));
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

async fn importers_at_the_same_time_agree(database: Arc<TestDatabase>) {
    let input = Arc::new(make::links(300));
    let mut importers = Vec::new();
    for n in 0..4 {
        let (store, input) = (database.open().await, input.clone());
        importers.push(tokio::spawn(async move {
            let mut input = input.to_vec();
            if n % 2 == 1 {
                input.reverse();
            }
            let mut imported = store.import_links(&input).await.unwrap();
            if n % 2 == 1 {
                imported.ids.reverse();
            }
            imported
        }));
    }
    let mut all = Vec::new();
    for importer in importers {
        all.push(importer.await.unwrap());
    }
    assert_eq!(all.iter().map(|imported| imported.added).sum::<u64>(), 300);
    assert!(all.iter().all(|imported| imported.ids == all[0].ids));
}

async fn pages_follow_the_ids(database: Arc<TestDatabase>) {
    let store = database.open().await;
    store.import_links(&make::links(25)).await.unwrap();
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = store.links(after, 10).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 10);
        after = Some(last.id);
        seen.extend(page.into_iter().map(|link| link.id));
    }
    assert_eq!(seen.len(), 25);
    assert!(seen.is_sorted());
}

async fn links_are_found_by_id_url_and_name(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let named = |text, called| NewLink { name: Some(name(called)), ..link(text) };
    let input = [
        named("https://a.example/", "same"),
        named("https://b.example/", "same"),
        named("https://c.example/", "C"),
    ];
    let ids = store.import_links(&input).await.unwrap().ids;
    let found = async |wanted: &str| -> Vec<LinkId> {
        store.find_links(wanted).await.unwrap().into_iter().map(|link| link.id).collect()
    };
    assert_eq!(found(&ids[2].to_string()).await, [ids[2]]);
    assert_eq!(found("HTTPS://B.example:443#top").await, [ids[1]]);
    let mut same = vec![ids[0], ids[1]];
    same.sort_unstable();
    assert_eq!(found("same").await, same);
    for nothing in ["", "c", "sam", "https://d.example/", "00000000-0000-0000-0000-000000000000"] {
        assert!(found(nothing).await.is_empty(), "{nothing}");
    }
}

async fn a_person_changes_a_link(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let id = store.import_links(&[link("https://a.example/")]).await.unwrap().ids[0];
    let (run, plan) = file_stored(&store).await;
    record(&store, run, &plan.jobs, Verdict::Down).await;

    let changes = LinkChanges {
        name: Some(name("by hand")),
        page_url: Some(url("https://page.example/")),
        active: Some(false),
        shown: Some(true),
        backlink: Some(false),
        ..LinkChanges::default()
    };
    let changed = store.set_link(id, &changes).await.unwrap().unwrap();

    assert_eq!(changed, stored(&store, "https://a.example/").await);
    assert_eq!((&changed.name, &changed.page_url), (&name("by hand"), &Some(url("https://page.example/"))));
    assert!(!changed.active && !changed.backlink);
    let state = &changed.state;
    assert!(state.shown && state.hidden_reason.is_none());
    assert_eq!((state.passed_in_a_row, state.failed_in_a_row), (0, 0));
    // What the last check found stays.
    assert_eq!((state.verdict, &state.reason), (Some(Verdict::Down), &Some(Reason::Status { code: 500 })));

    let without = Without { page_url: true, ..Without::default() };
    let back = LinkChanges { without, ..LinkChanges::default() };
    let changed = store.set_link(id, &back).await.unwrap().unwrap();
    assert_eq!((changed.page_url, changed.name), (None, name("by hand")));
    assert_eq!(store.set_link(LinkId::new(), &changes).await.unwrap(), None);
}

async fn removed_links_are_gone(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let ids = store.import_links(&make::links(3)).await.unwrap().ids;
    assert_eq!(store.remove_links(&[ids[0], ids[2], ids[0], LinkId::new()]).await.unwrap(), 2);
    assert_eq!(store.links(None, 10).await.unwrap().len(), 1);
    // The same URL is a new link from now on.
    let again = store.import_links(&make::links(1)).await.unwrap();
    assert_eq!(again.added, 1);
    assert_ne!(again.ids[0], ids[0]);
}

async fn a_dropped_import_holds_nothing(database: Arc<TestDatabase>) {
    let (store, other) = (database.open().await, database.open().await);
    let input = make::links(20_000);
    for after in [1, 20, 100] {
        let dropped = tokio::time::timeout(Duration::from_millis(after), store.import_links(&input)).await;
        assert!(dropped.is_err(), "the import was over before it could be dropped");
        let another = [link("https://another.example/")];
        let next = tokio::time::timeout(Duration::from_secs(20), other.import_links(&another));
        next.await.unwrap().unwrap();
    }
}

async fn of_two_who_change_what_they_have_read_one_wins(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let id = store.import_links(&[link("https://a.example/")]).await.unwrap().ids[0];
    for round in 0..10 {
        let read = store.listed_link(id).await.unwrap().unwrap().link.name;
        let still = || -> StillSo {
            let read = read.clone();
            Arc::new(move |stored: &ListedLink| stored.link.name == read)
        };
        let to = |text: String| LinkChanges { name: Some(name(&text)), ..LinkChanges::default() };
        let (first, second) = (to(format!("A{round}")), to(format!("B{round}")));
        let (first, second) =
            tokio::join!(store.set_link_if(id, &first, still()), store.set_link_if(id, &second, still()));
        let now = store.listed_link(id).await.unwrap().unwrap().link.name;
        match (first.unwrap(), second.unwrap()) {
            (LinkSet::Set(set), LinkSet::Another) | (LinkSet::Another, LinkSet::Set(set)) => {
                assert_eq!(set.link.name, now);
            }
            other => panic!("{other:?}"),
        }
    }
    let gone = store.set_link_if(LinkId::new(), &LinkChanges::default(), Arc::new(|_| true)).await.unwrap();
    assert_eq!(gone, LinkSet::Gone);
}
