//! Links are chosen and sorted by the database.

use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use linkbeat_shared::{Attributes, LinkId, NewLink, Tag, Tags, Verdict};
use linkbeat_store::{
    Cursor, HistoryRules, LinkOrder, LinkQuery, LinkSort, ListedLink, Page, PageOf, SharedStore, SortLinksBy,
};

use crate::database::TestDatabase;
use crate::make::{self, ImportLinks, file_stored, link, record};

cases![links_are_chosen_by_what_is_known_of_them, links_are_sorted_by_what_is_asked_for];

fn any() -> LinkQuery {
    LinkQuery::default()
}

/// Three links: a is up, b is down, c was never checked. Their names sort the other way round.
async fn three(database: &TestDatabase) -> (SharedStore, Vec<LinkId>) {
    let store = database.open().await;
    let said = |url: &str, called: &str, group: &str, tag: &str, active: bool| {
        let tags: std::collections::BTreeSet<Tag> = [tag.parse().unwrap(), "all".parse().unwrap()].into();
        NewLink {
            name: Some(make::name(called)),
            group: Some(group.parse().unwrap()),
            active: Some(active),
            attributes: Attributes { tags: Some(Tags::try_from(tags).unwrap()), ..Attributes::default() },
            ..link(url)
        }
    };
    let links = [
        said("https://a.example/", "Z", "friends", "art", true),
        said("https://b.example/", "Y", "friends", "tech", true),
        said("https://c.example/", "X", "others", "tech", false),
    ];
    let ids = store.import_links(&links).await.unwrap().ids;
    let (run, plan) = file_stored(&store).await;
    for job in &plan.jobs {
        let verdict = if job.links == [ids[0]] { Verdict::Up } else { Verdict::Down };
        record(&store, run, std::slice::from_ref(job), verdict).await;
    }
    store.close_runs(10).await.unwrap();
    while store.roll_up(&HistoryRules::default(), Duration::ZERO).await.unwrap() {}
    (store, ids)
}

async fn links_are_chosen_by_what_is_known_of_them(database: Arc<TestDatabase>) {
    let (store, ids) = three(&database).await;
    let hour_ago = Utc::now() - TimeDelta::hours(1);
    for (query, wanted) in [
        (any(), &ids[..]),
        (LinkQuery { shown: Some(false), ..any() }, &ids[1..2]),
        (LinkQuery { verdict: Some(Verdict::Up), ..any() }, &ids[..1]),
        (LinkQuery { reason: Some("status".to_owned()), ..any() }, &ids[1..2]),
        (LinkQuery { reason: Some("timeout".to_owned()), ..any() }, &[]),
        (LinkQuery { group: Some("friends".parse().unwrap()), ..any() }, &ids[..2]),
        (LinkQuery { tag: Some("tech".parse().unwrap()), ..any() }, &ids[1..]),
        (LinkQuery { tag: Some("te".parse().unwrap()), ..any() }, &[]),
        (LinkQuery { host: Some("C.example".to_owned()), ..any() }, &ids[2..]),
        (LinkQuery { verdict_since: Some(hour_ago), ..any() }, &ids[..2]),
        (LinkQuery { verdict_since: Some(Utc::now() + TimeDelta::hours(1)), ..any() }, &[]),
        (LinkQuery { reached_below: Some(10_000), ..any() }, &ids[1..2]),
        (LinkQuery { reached_below: Some(0), ..any() }, &[]),
        (LinkQuery { tag: Some("all".parse().unwrap()), shown: Some(true), ..any() }, &[ids[0], ids[2]]),
    ] {
        assert_eq!(store.link_ids(&query).await.unwrap(), wanted, "{query:?}");
    }
}

async fn links_are_sorted_by_what_is_asked_for(database: Arc<TestDatabase>) {
    let (store, ids) = three(&database).await;
    let [a, b, c] = ids[..] else { panic!("three") };
    for (order, wanted) in [
        (LinkOrder::Id, [a, b, c]),
        (LinkOrder::Name, [c, b, a]),
        (LinkOrder::Host, [a, b, c]),
        (LinkOrder::Verdict, [b, a, c]),
        (LinkOrder::Reason, [b, a, c]),
        (LinkOrder::Reachable, [b, a, c]),
    ] {
        let query = LinkQuery { order, ..any() };
        let found = store.link_ids(&query).await.unwrap();
        assert_eq!(found, wanted, "{order:?}");
        let links = store.links_of(&found).await.unwrap();
        assert_eq!(links.iter().map(|link| link.id).collect::<Vec<_>>(), wanted);
    }
    // The same, kept with the links by whoever rolls up.
    let browse = async |reverse: bool, after: Option<Cursor>| {
        let sort = LinkSort { by: SortLinksBy::Reachable, reverse };
        let page = PageOf { after, limit: 2 };
        store.browse_links(&LinkQuery::default(), sort, &page).await.unwrap()
    };
    let first = browse(false, None).await;
    let second = browse(false, first.next.clone()).await;
    let of = |page: &Page<ListedLink>| page.items.iter().map(|listed| listed.link.id).collect::<Vec<_>>();
    assert_eq!((of(&first), of(&second)), (vec![b, a], vec![c]));
    let shares: Vec<_> =
        first.items.iter().map(|listed| listed.reachable.map(|share| share.hundredths())).collect();
    assert_eq!((shares, second.items[0].reachable), (vec![Some(0), Some(10_000)], None));
    assert_eq!(of(&browse(true, None).await), [c, a]);
    for (below, wanted) in [(0, vec![]), (1, vec![b]), (10_000, vec![b]), (20_000, vec![a, b])] {
        let query = LinkQuery { reached_below: Some(below), ..LinkQuery::default() };
        let mut found = store.matching_ids(&query, None, 10).await.unwrap();
        found.sort_unstable_by_key(|id| ids.iter().position(|one| one == id));
        assert_eq!(found, wanted, "{below}");
    }
    let since = store.link_ids(&LinkQuery { order: LinkOrder::Since, ..any() }).await.unwrap();
    assert_eq!(since[2], c, "it was never checked");
    store.remove_links(&[b]).await.unwrap();
    assert_eq!(store.links_of(&ids).await.unwrap().len(), 2, "b is gone");
}
