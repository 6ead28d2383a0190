//! What blogs read.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use linkbeat_dashboard::Limits;
use linkbeat_shared::{LinkId, LinkUrl, NewLink, Verdict};
use linkbeat_store::{ChangeQuery, PageOf};
use quick_xml::events::Event;
use quick_xml::reader::Reader;
use serde_json::{Value, json};

use crate::known::{checked, links};
use crate::served::{Answer, HASH, Served};

/// How long feeds are kept here.
const KEPT: Duration = Duration::from_secs(3);

/// A name that is markup wherever it is not escaped.
const HOSTILE: &str = "</script><img src=x onerror=alert(1)>\"'&";

fn link(url: &str, name: &str, group: Option<&str>) -> NewLink {
    let mut link = NewLink::from_url(LinkUrl::parse(url).unwrap());
    link.name = Some(name.parse().unwrap());
    link.group = group.map(|group| group.parse().unwrap());
    link
}

/// Friends that are up, one that is down, one without the backlink, and a hostile one, all checked.
async fn street(settings: Value) -> (Served, Vec<LinkId>) {
    let limits = Limits { feeds: KEPT, ..Limits::default() };
    let served = Served::within(limits, settings).await;
    let mut hostile =
        link("https://me:s3cret@hostile.example/it's?a=1&b=%3Cb%3E", HOSTILE, Some("<b>Old & new</b>"));
    hostile.attributes.avatar = Some("javascript:alert(1)".parse().unwrap());
    hostile.attributes.description = Some(HOSTILE.parse().unwrap());
    let mut up = link("https://up.example/", "Up 中文", Some("Friends"));
    up.attributes.avatar = Some("https://me:s3cret@up.example/a.png?x=1&y=2".parse().unwrap());
    up.attributes.description = Some("A friend".parse().unwrap());
    up.page_url = Some(LinkUrl::parse("https://up.example/links").unwrap());
    let ids = links(
        &served.store,
        vec![
            up,
            hostile,
            link("https://down.example/", "Down", Some("Friends")),
            link("https://quiet.example/", "No backlink", None),
        ],
    )
    .await;
    let (down, quiet) = (ids[2], ids[3]);
    let verdict = |id: LinkId| match id {
        id if id == down => Verdict::Down,
        id if id == quiet => Verdict::NoBacklink,
        _ => Verdict::Up,
    };
    // Twice: what was hidden by the first run has failed twice then.
    checked(&served.store, verdict).await;
    checked(&served.store, verdict).await;
    (served, ids)
}

/// When the last check ended.
async fn latest(served: &Served) -> DateTime<Utc> {
    let links = served.store.links(None, 100).await.unwrap();
    links.iter().filter_map(|link| link.state.last_checked_at).max().unwrap()
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn read(answer: &Answer) -> Value {
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{answer:?}");
    assert!(!answer.body.contains('<'), "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

const ALL: [&str; 9] = [
    "/feed/",
    "/feed/links.json",
    "/feed/butterfly.json",
    "/feed/result.json",
    "/feed/link.json",
    "/feed/links.html",
    "/feed/changes.atom",
    "/feed/badge.svg",
    "/feed/badge.json",
];

#[tokio::test]
async fn a_feed_may_be_read_from_anywhere_and_is_sent_only_if_it_is_new() {
    let (served, ids) = street(json!({})).await;
    let of_link = ["svg", "json"].map(|kind| format!("/feed/links/{}/badge.{kind}", ids[0]));
    let all = ALL.into_iter().chain(of_link.iter().map(String::as_str));
    let mut tags = BTreeSet::new();
    for path in all {
        let answer = served.get(path).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("*")), "{path}");
        assert_eq!(answer.header("cache-control"), Some("public, max-age=300"), "{path}");
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("cross-origin"), "{path}");
        assert!(!answer.body.contains("s3cret"), "{path}: {}", answer.body);
        assert!(!answer.body.contains("javascript:"), "{path}: {}", answer.body);
        let tag = answer.header("etag").unwrap().to_owned();
        assert!(tag.starts_with('"') && tags.insert(tag.clone()), "{path}: {tag}");
        assert_eq!(served.get(path).await.header("etag"), Some(tag.as_str()), "{path}");
        for known in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
            let again = served.ask(&format!("GET {path}"), &[("if-none-match", &known)], "").await;
            assert_eq!((again.status, again.body.as_str()), (304, ""), "{path} {known}");
            assert_eq!(again.header("etag"), Some(tag.as_str()), "{path}");
            assert_eq!(again.header("access-control-allow-origin"), Some("*"), "{path}");
        }
        assert_eq!(served.ask(&format!("GET {path}"), &[("if-none-match", "\"x\"")], "").await.status, 200);
        let head = served.ask(&format!("HEAD {path}"), &[], "").await;
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        assert_eq!(served.ask(&format!("POST {path}"), &[], "").await.status, 405, "{path}");
    }
    assert_eq!(served.get("/feed/none.json").await.status, 404);
    assert_eq!(served.get("/feed/links.json?group=%20").await.status, 400);
    for id in ["x", "0198c5f0-7d2c-7cc1-a9f5-5f2c6c1b7e11"] {
        let answer = served.get(&format!("/feed/links/{id}/badge.svg")).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (404, Some("*")));
    }
}

#[tokio::test]
async fn no_page_reads_what_is_hidden_unless_the_feeds_are_public() {
    let (here, public) = (Served::with(json!({})).await, Served::with(json!({ "public_feeds": true })).await);
    for (served, allowed) in [(&here, None), (&public, Some("*"))] {
        let answer = served.get("/feed/links.json?hidden=1").await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, allowed));
    }
    let hidden = here.get("/feed/links.json?%68idden=1").await;
    assert_eq!(hidden.header("access-control-allow-origin"), None, "however it is written");
}

#[tokio::test]
async fn everybody_has_the_feeds_only_where_that_is_set() {
    let closed = Served::with(json!({ "password_hash": HASH })).await;
    let open = Served::with(json!({ "password_hash": HASH, "public_feeds": true, "base_path": "/x" })).await;
    for path in ALL {
        assert_eq!(closed.get(path).await.status, 401, "{path}");
        let answer = open.get(&format!("/x{path}")).await;
        assert_eq!(
            (answer.status, answer.header("cache-control")),
            (200, Some("public, max-age=300")),
            "{path}"
        );
    }
    assert_eq!(open.get("/x/").await.status, 401);
    assert_eq!(read(&open.get("/x/feed/").await)["changes"], "/x/feed/changes.atom");
    let read = closed.token("r", linkbeat_store::Scope::Read).await;
    let answer = closed.get_with("/feed/links.json", &read).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("private, max-age=300")));
}

#[tokio::test]
async fn links_come_by_group_and_the_hidden_ones_if_asked_for() {
    let (served, ids) = street(json!({})).await;
    let feed = read(&served.get("/feed/links.json?t=12345").await);
    let names = |feed: &Value| -> Vec<(Value, Vec<Value>)> {
        let groups = feed["groups"].as_array().unwrap().iter();
        let names = |group: &Value| {
            group["links"].as_array().unwrap().iter().map(|link| link["name"].clone()).collect()
        };
        groups.map(|group| (group["name"].clone(), names(group))).collect()
    };
    assert_eq!(
        names(&feed),
        [(json!("Friends"), vec![json!("Up 中文")]), (json!("<b>Old & new</b>"), vec![json!(HOSTILE)])]
    );
    let up = &feed["groups"][0]["links"][0];
    assert_eq!(
        up,
        &json!({
            "id": ids[0].to_string(), "name": "Up 中文", "url": "https://up.example/",
            "avatar": "https://up.example/a.png?x=1&y=2", "description": "A friend", "screenshot": null, "feed": null,
            "page_url": "https://up.example/links", "tags": [], "shown": true, "hidden_reason": null, "verdict": "up",
            "status": 200, "elapsed_ms": 1234, "links_back": true, "checked_at": time(latest(&served).await),
        })
    );
    let hidden = read(&served.get("/feed/links.json?hidden=1&lang=zh").await);
    assert_eq!((&hidden["total"], &hidden["truncated"]), (&json!(4), &json!(false)));
    let down = &hidden["groups"][0]["links"][1];
    assert_eq!((&down["shown"], &down["hidden_reason"]), (&json!(false), &json!("网页请求返回500")));
    let quiet = &hidden["groups"][2]["links"][0];
    assert_eq!(
        (&quiet["links_back"], &quiet["hidden_reason"]),
        (&json!(false), &json!("网站未设置本站外链"))
    );
    let one = read(&served.get("/feed/links.json?group=Friends&hidden=1").await);
    assert_eq!(names(&one), [(json!("Friends"), vec![json!("Up 中文"), json!("Down")])]);
}

#[tokio::test]
async fn butterfly_gets_values_that_are_no_markup() {
    let (served, _) = street(json!({})).await;
    let groups = read(&served.get("/feed/butterfly.json").await);
    let escaped = "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;";
    assert_eq!(
        groups,
        json!([
            { "class_name": "Friends", "class_desc": "", "link_list": [{
                "name": "Up 中文", "link": "https://up.example/", "avatar": "https://up.example/a.png?x=1&amp;y=2",
                "descr": "A friend", "siteshot": "",
            }]},
            { "class_name": "&lt;b&gt;Old &amp; new&lt;/b&gt;", "class_desc": "", "link_list": [{
                "name": escaped, "link": "https://hostile.example/it&#39;s?a=1&amp;b=%3Cb%3E", "avatar": "",
                "descr": escaped, "siteshot": "",
            }]},
        ])
    );
    let with_hidden = read(&served.get("/feed/butterfly.json?hidden=1&lang=zh").await);
    let last = &with_hidden[2];
    assert_eq!(last["class_name"], "失联");
    assert_eq!(last["link_list"][0]["descr"], "网页请求返回500");
    // The theme calls functions of texts on it.
    assert!(with_hidden.as_array().unwrap().iter().all(|group| group["class_name"].is_string()));
}

#[tokio::test]
async fn check_flink_and_friend_circle_lite_get_their_shapes() {
    let (served, _) = street(json!({})).await;
    let result = read(&served.get("/feed/result.json?hidden=1").await);
    let shanghai =
        (latest(&served).await + Duration::from_secs(28_800)).format("%Y-%m-%d %H:%M:%S").to_string();
    assert_eq!(result["timestamp"], shanghai);
    let counts = ["accessible_count", "inaccessible_count", "total_count", "has_author_link_count"];
    assert_eq!(counts.map(|count| result[count].as_u64().unwrap()), [3, 1, 4, 2]);
    assert_eq!(
        result["link_status"][0],
        json!({
            "name": "Up 中文", "link": "https://up.example/", "latency": 1.23, "fail_count": 0,
            "has_author_link": true, "linkpage": "https://up.example/links",
        })
    );
    assert_eq!(
        result["link_status"][2],
        json!({
            "name": "Down", "link": "https://down.example/", "latency": -1.0, "fail_count": 2,
            "has_author_link": false, "linkpage": "", "hidden_reason": "the page answered 500",
        })
    );
    // Their pages write it into HTML as it is.
    let escaped = "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;";
    assert_eq!(result["link_status"][1]["name"], escaped);
    assert_eq!(result["link_status"][1]["link"], "https://hostile.example/it's?a=1&b=%3Cb%3E");
    assert_eq!(read(&served.get("/feed/result.json").await)["total_count"], 2);

    let circle = read(&served.get("/feed/link.json?hidden=1").await);
    assert_eq!(circle["link_data"][1]["name"], escaped);
    assert_eq!(circle["link_data"][0]["avatar"], "https://up.example/a.png?x=1&amp;y=2");
    let numbers = &circle["statistical_data"];
    assert_eq!((&numbers["link_total_num"], &numbers["link_reachable_num"]), (&json!(4), &json!(3)));
    assert_eq!(numbers["link_last_checked_time"], shanghai);
    let down = &circle["link_data"][2];
    assert_eq!((&down["reachable"], &down["has_backlink"]), (&json!(false), &json!(null)));
    assert_eq!(
        (&down["unreachable_days"], down["unreachable_since"].as_str().unwrap().len()),
        (&json!(0), 19)
    );
    let quiet = &circle["link_data"][3];
    assert_eq!((&quiet["reachable"], &quiet["has_backlink"]), (&json!(true), &json!(false)));
}

/// The texts and the attributes of a document that is well-formed.
fn parsed(xml: &str) -> (BTreeSet<String>, Vec<String>) {
    let mut reader = Reader::from_str(xml);
    let (mut elements, mut values) = (BTreeSet::new(), Vec::new());
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) | Event::Empty(tag) => {
                elements.insert(tag.name().as_ref().to_owned());
                for attribute in tag.attributes() {
                    let value = attribute.unwrap().value;
                    values.push(quick_xml::escape::unescape(&value).unwrap().into_owned());
                }
            }
            Event::Eof => return (elements, values),
            _ => {}
        }
    }
}

#[tokio::test]
async fn two_hundred_readers_at_once_cost_what_one_costs() {
    let (served, ids) = street(json!({})).await;
    let calls = || served.store.activity().tally().begun;
    let of_link = format!("/feed/links/{}/badge.svg", ids[0]);
    for path in
        ALL.into_iter().chain([of_link.as_str(), "/feed/links.json?hidden=1", "/feed/links.json?lang=zh"])
    {
        let before = calls();
        let answers = futures::future::join_all((0..200).map(|_| served.get(path))).await;
        assert!(
            answers.iter().all(|answer| answer.body == answers[0].body && answer.status == 200),
            "{path}"
        );
        // The totals rest only for as long as a multiple of what they took.
        let most = if path.contains("/feed/badge") { 40 } else { 1 };
        assert!(calls() - before <= most, "{path}: {} calls of the database", calls() - before);
        let tag = answers[0].header("etag").unwrap().to_owned();
        let before = calls();
        let again = served.ask(&format!("GET {path}"), &[("if-none-match", &tag)], "").await;
        assert_eq!(again.status, 304, "{path}");
        assert!(path.contains("/feed/badge") || calls() == before, "{path}: from memory");
    }
    assert_ne!(
        served.get("/feed/links.json?lang=zh").await.body,
        served.get("/feed/links.json?hidden=1").await.body
    );
}

#[tokio::test]
async fn what_is_changed_here_is_told_at_once() {
    let (served, ids) = street(json!({})).await;
    let names = |feed: &Answer| feed.body.matches("\"name\":\"Up").count();
    assert_eq!(names(&served.get("/feed/links.json").await), 1);
    let json = [("content-type", "application/json")];
    let hide = format!("{{\"action\":\"hide\",\"ids\":[\"{}\"]}}", ids[0]);
    assert_eq!(served.ask("POST /api/v1/links/actions", &json, &hide).await.status, 200);
    assert_eq!(names(&served.get("/feed/links.json").await), 0);
}

#[tokio::test]
async fn changes_are_an_atom_feed_whose_ids_never_change() {
    let (served, _) = street(json!({})).await;
    let feed = served.get("/feed/changes.atom").await;
    assert_eq!(feed.header("content-type"), Some("application/atom+xml; charset=utf-8"));
    let (elements, values) = parsed(&feed.body);
    let known = ["author", "content", "entry", "feed", "generator", "id", "link", "name", "title", "updated"];
    assert_eq!(elements, known.map(str::to_owned).into(), "{}", feed.body);
    assert!(values.contains(&"https://hostile.example/it's?a=1&b=%3Cb%3E".to_owned()), "{values:?}");
    let ids = |text: &str| -> Vec<String> {
        text.split("<id>").skip(1).map(|rest| rest.split("</id>").next().unwrap().to_owned()).collect()
    };
    let first = ids(&feed.body);
    // One for each link, whose first verdict is a change, and the feed's own.
    assert_eq!((first.len(), first.iter().collect::<BTreeSet<_>>().len()), (5, 5), "{}", feed.body);
    for id in &first {
        assert!(id.strip_prefix("urn:uuid:").unwrap().parse::<uuid::Uuid>().is_ok(), "{id}");
    }
    let page = PageOf { after: None, limit: 1 };
    let newest = served.store.browse_changes(&ChangeQuery::default(), &page).await.unwrap().items.remove(0);
    let updated = format!("<updated>{}</updated>", time(newest.at));
    assert!(feed.body.matches(&updated).count() >= 2, "of the feed and of the entry: {}", feed.body);
    checked(&served.store, |_| Verdict::Up).await;
    assert_eq!(served.get("/feed/changes.atom").await.body, feed.body, "it is kept for a moment");
    let later = loop {
        let later = served.get("/feed/changes.atom").await;
        if later.body != feed.body {
            break later;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(later.body.contains(": shown again</title>"), "{}", later.body);
    let second = ids(&later.body);
    assert!(first.iter().all(|id| second.contains(id)) && second.len() == 7, "{second:?}");
    let empty = Served::with(json!({})).await.get("/feed/changes.atom").await;
    assert!(parsed(&empty.body).0.contains("updated"));
}

#[tokio::test]
async fn badges_say_how_it_stands_and_hold_nothing_foreign() {
    let (served, ids) = street(json!({})).await;
    let all = read(&served.get("/feed/badge.json").await);
    assert_eq!(
        all,
        json!({
            "schemaVersion": 1, "label": "links", "message": "2/4 up", "color": "red", "isError": true,
            "cacheSeconds": 300,
        })
    );
    for (index, message, colour) in
        [(0, "up", "brightgreen"), (2, "down", "red"), (3, "no backlink", "yellow")]
    {
        let badge = read(&served.get(&format!("/feed/links/{}/badge.json", ids[index])).await);
        assert_eq!((&badge["message"], &badge["color"]), (&json!(message), &json!(colour)));
    }
    let hostile = served.get(&format!("/feed/links/{}/badge.svg?lang=zh", ids[1])).await;
    assert_eq!(hostile.header("content-type"), Some("image/svg+xml"));
    assert!(hostile.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    let (elements, values) = parsed(&hostile.body);
    assert_eq!(elements, ["g", "rect", "svg", "text", "title"].map(str::to_owned).into());
    assert!(values.contains(&format!("{HOSTILE}: 正常")), "{values:?}");
    let label = served.get("/feed/badge.svg?label=%3Cscript%3E").await;
    assert!(!label.body.contains("<script>"));
    let long = served.get(&format!("/feed/badge.svg?label={}", "a".repeat(5_000))).await;
    assert!(long.body.len() < 2_000, "{}", long.body.len());
}

#[tokio::test]
async fn a_piece_of_html_holds_nothing_foreign() {
    let (served, _) = street(json!({})).await;
    let piece = served.get("/feed/links.html?hidden=1").await;
    assert_eq!(piece.header("content-type"), Some("text/html; charset=utf-8"));
    for harm in ["<script", "onerror=alert(1)>", "<b>", "style=", "javascript:"] {
        assert!(!piece.body.contains(harm), "{harm}: {}", piece.body);
    }
    for part in [
        "<h2>Friends</h2>",
        "<a href=\"https://up.example/\" rel=\"noopener\">",
        "<bdi>Up 中文</bdi>",
        "<section class=\"linkbeat-group linkbeat-hidden\">",
        "the page answered 500",
    ] {
        assert!(piece.body.contains(part), "{part}: {}", piece.body);
    }
}

#[tokio::test]
async fn a_feed_is_bounded() {
    let served = Served::with(json!({})).await;
    let many = (0..5_200).map(|n| link(&format!("https://host-{n}.example/"), "a", None)).collect();
    links(&served.store, many).await;
    let feed = read(&served.get("/feed/links.json").await);
    assert_eq!((&feed["total"], &feed["truncated"]), (&json!(5_000), &json!(true)));
}
