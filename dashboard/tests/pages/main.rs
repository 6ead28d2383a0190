//! The pages over a real socket and a real database, as browsers ask for them. `tests/browser` looks at them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod served;

use linkbeat_shared::{Attributes, LinkName, LinkUrl, NewLink, Tag, Tags};
use linkbeat_store::{LinkChanges, LinkQuery};

use crate::served::Served;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

#[tokio::test]
async fn every_page_answers_with_and_without_links() {
    let served = Served::at("").await;
    let places = [
        "/",
        "/links",
        "/links/add",
        "/runs",
        "/changes",
        "/schedules",
        "/parked",
        "/settings",
        "/links/export",
    ];
    for place in places {
        assert_eq!(served.get(place).await.status, 200, "{place}");
    }
    let ids = served.import(&["https://a.example/", "https://b.example/"]).await;
    for place in places {
        assert_eq!(served.get(place).await.status, 200, "{place}");
    }
    for period in ["", "?period=day", "?period=week", "?period=year", "?period=ever"] {
        assert_eq!(served.get(&format!("/links/{}{period}", ids[0])).await.status, 200, "{period}");
    }
}

#[tokio::test]
async fn the_page_of_changes_leads_to_their_feed() {
    let served = Served::at("/x").await;
    let page = served.get("/x/changes").await;
    let feed = page.body.split('"').find(|part| part.ends_with("changes.atom")).unwrap();
    let answer = served.get(feed).await;
    assert_eq!(answer.status, 200, "{feed}");
    assert!(answer.header("content-type").unwrap().starts_with("application/atom+xml"));
}

#[tokio::test]
async fn reasons_to_filter_by_are_in_the_visitors_language() {
    let served = Served::at("").await;
    for (lang, word) in [("en", "time-out"), ("zh", "超时")] {
        let page = served.ask("GET /links?reason=timeout", &[("accept-language", lang)], "").await;
        let option = format!("<option value=\"timeout\" selected>{word}</option>");
        assert!(page.body.contains(&option), "{lang}: {}", page.body);
    }
}

#[tokio::test]
async fn problems_are_pages_in_the_visitors_language() {
    let served = Served::at("").await;
    let nobody = "/links/0198c5f0-7d2c-7cc1-a9f5-5f2c6c1b7e11";
    for (request, status) in [
        ("GET /nowhere", 404),
        ("GET /links/x", 404),
        (&format!("GET {nobody}"), 404),
        ("GET /runs/0198c5f0-7d2c-7cc1-a9f5-5f2c6c1b7e11", 404),
        ("GET /assets/1/nothing.js", 404),
        // There is no broker.
        ("GET /workers", 404),
        ("GET /parked/messages", 404),
        ("GET /links?after=nonsense", 400),
        ("GET /links/actions", 405),
        ("DELETE /links", 405),
        ("POST /preferences", 400),
        ("POST /schedules/nobody/pause", 400),
    ] {
        let answer = served.ask(request, &[("accept-language", "zh")], "").await;
        assert_eq!(answer.status, status, "{request}");
        assert!(answer.header("content-type").unwrap().starts_with("text/html"), "{request}");
        assert!(answer.body.contains("lang=\"zh-CN\"") && answer.body.contains("概览"), "{request}");
    }
    assert!(served.ask("DELETE /links", &[], "").await.header("allow").unwrap().contains("GET"));
}

#[tokio::test]
async fn assets_are_kept_for_good_by_what_is_in_them() {
    let served = Served::at("/x/y").await;
    let page = served.get("/x/y/").await;
    for name in ["linkbeat.css", "linkbeat.js", "icon.svg"] {
        let address = page.body.split('"').find(|part| part.ends_with(name)).unwrap();
        assert!(address.starts_with("/x/y/assets/"), "{address}");
        let asset = served.get(address).await;
        assert_eq!(asset.status, 200);
        assert!(asset.header("cache-control").unwrap().contains("immutable"));
        let tag = asset.header("etag").unwrap().to_owned();
        let again = served.ask(&format!("GET {address}"), &[("if-none-match", &tag)], "").await;
        assert_eq!((again.status, again.body.as_str()), (304, ""));
        let other = served.get(&format!("/x/y/assets/0000/{name}")).await;
        assert_eq!((other.status, other.header("cache-control")), (200, Some("no-cache")));
    }
}

#[tokio::test]
async fn a_page_needs_no_style_or_script_inside_it() {
    let served = Served::at("").await;
    let ids = served.import(&["https://a.example/"]).await;
    for place in ["/", "/links", "/runs", "/schedules", &format!("/links/{}", ids[0])] {
        let page = served.get(place).await;
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"), "{policy}");
        for banned in [" style=", "<style", " onclick=", " onload=", "javascript:", "http://", "<script>"] {
            assert!(!page.body.contains(banned), "{place}: {banned}");
        }
        assert_eq!(page.body.matches("<script").count(), 1, "{place}");
    }
}

#[tokio::test]
async fn what_strangers_write_is_text() {
    let served = Served::at("").await;
    let hostile = "\"><script>alert(1)</script>";
    let link = NewLink {
        name: Some(LinkName::parse(hostile).unwrap()),
        group: Some(hostile.parse().unwrap()),
        ..NewLink::from_url("https://a.example/?<script>\"".parse().unwrap())
    };
    let id = served.store.import(vec![link].into()).await.unwrap().ids[0];
    let query = "/links?text=%22%3E%3Cscript%3E&host=%22%3E%3Cscript%3E&group=%22%3E%3Cscript%3E";
    for place in ["/links", query, &format!("/links/{id}"), "/nowhere?%22%3E%3Cscript%3E"] {
        let page = served.get(place).await;
        assert!(!page.body.contains("<script>"), "{place}");
    }
    assert!(served.get("/links").await.body.contains("&#60;script&#62;alert(1)"));
}

#[tokio::test]
async fn forms_come_back_and_ask_before_they_take_away() {
    let served = Served::at("/x/y").await;
    let ids = served.import(&["https://a.example/", "https://b.example/", "https://c.example/"]).await;
    let act = async |body: &str| served.ask("POST /x/y/links/actions", &[FORM], body).await;
    let paused = act(&format!("action=pause&id={}&back=%2Flinks%3Fhost%3Da.example", ids[0])).await;
    assert_eq!(paused.status, 303);
    assert_eq!(paused.header("location"), Some("/x/y/links?host=a.example&told=paused&number=1"));
    assert!(served.get(paused.header("location").unwrap()).await.body.contains("Paused: 1."));

    let until = format!("action=pause&id={}&until=2999-01-01", ids[1]);
    assert!(act(&until).await.body.contains("2999-01-01"), "more than ten years are no pause");
    let until = act(&format!("action=pause&id={}&until=3d&back=%2Flinks%2F{}", ids[1], ids[1])).await;
    assert_eq!(until.status, 303);
    let page = served.get(until.header("location").unwrap()).await.body;
    assert!(page.contains("It is paused until 2") && page.contains("value=\"resume\""), "{page}");
    let list = served.get("/x/y/links?active=false&host=b.example").await.body;
    assert!(list.contains("<span class=\"mark\">paused until <time datetime=\"2"), "{list}");
    let many = act("action=pause&scope=all&filter-host=c.example&until=2d").await;
    assert!(many.body.contains("name=\"until\" value=\"2d\""), "{}", many.body);
    act("action=pause&scope=all&filter-host=c.example&until=2d&sure=yes").await;
    assert!(served.get("/x/y/links?host=c.example").await.body.contains("paused until <time"));
    act(&format!("action=resume&id={}", ids[1])).await;
    assert!(!served.get("/x/y/links?host=b.example").await.body.contains("paused until <time"));

    let everything = "action=remove&scope=all&filter-host=b.example";
    let asked = act(everything).await;
    assert_eq!(asked.status, 200);
    assert!(asked.body.contains("name=\"filter-host\" value=\"b.example\"") && served.count().await == 3);
    let removed = act(&format!("{everything}&sure=yes")).await;
    assert_eq!(removed.header("location"), Some("/x/y/links?told=removed&number=1"));
    assert_eq!(served.count().await, 2);

    for (body, what) in [
        ("action=remove&sure=yes", "nothing chosen"),
        ("action=dance&id=x", "no such action"),
        ("action=group&scope=all&sure=yes", "no group"),
        ("action=pause&id=%00", "NUL"),
    ] {
        assert_eq!(act(body).await.status, 400, "{what}");
    }
    let away = act(&format!("action=pause&id={}&back=%2F%2Fevil.example", ids[0])).await;
    assert_eq!(away.header("location"), Some("/x/y/links?told=paused&number=1"));
    assert_eq!(served.count().await, 2);
}

#[tokio::test]
async fn a_link_is_edited_or_its_fields_say_what_is_wrong() {
    let served = Served::at("/x/y").await;
    let ids = served.import(&["https://u:secret@a.example/", "https://b.example/"]).await;
    let page = format!("/x/y/links/{}", ids[0]);
    assert!(served.get(&page).await.body.contains(&format!("href=\"{page}/edit\"")));
    let form = served.get(&format!("{page}/edit")).await.body;
    assert!(form.contains("value=\"https://a.example/\"") && !form.contains("secret"), "{form}");
    let edit = async |body: &str| served.ask(&format!("POST {page}/edit"), &[FORM], body).await;

    let all = "name=%E5%B0%8F%E6%98%8E&url=https%3A%2F%2Fa.example%2F&page_url=https%3A%2F%2Fa.example%2Flinks\
               &group=Friends&tags=art%2C+tech&description=About+trains";
    let edited = edit(all).await;
    assert_eq!(edited.status, 303, "{}", edited.body);
    assert!(served.get(edited.header("location").unwrap()).await.body.contains("Changed: 1."));
    let link = served.store.listed_link(ids[0]).await.unwrap().unwrap().link;
    assert_eq!((link.name.as_str(), link.group.as_ref().unwrap().as_str()), ("小明", "Friends"));
    assert_eq!(link.url.expose(), "https://u:secret@a.example/", "its user stays");
    assert_eq!(link.page_url.unwrap().to_string(), "https://a.example/links");
    assert_eq!(link.attributes.tags.unwrap().iter().count(), 2);
    assert_eq!(link.attributes.description.unwrap().as_str(), "About trains");

    let moved = edit("name=A&url=https%3A%2F%2Fnew.example%2F").await;
    assert_eq!(moved.status, 303);
    let link = served.store.listed_link(ids[0]).await.unwrap().unwrap().link;
    assert_eq!((link.id, link.url.to_string()), (ids[0], "https://new.example/".to_owned()));
    assert!(link.group.is_none() && link.page_url.is_none() && link.attributes.description.is_none());
    assert!(link.attributes.tags.is_none_or(|tags| tags.is_empty()));

    let long = "x".repeat(201);
    for (body, field, told) in [
        ("name=&url=https%3A%2F%2Fnew.example%2F", "name", "needed"),
        ("name=A&url=", "url", "needed"),
        ("name=A&url=new.example", "url", "whole address"),
        ("name=A&url=javascript%3Aalert(1)", "url", "whole address"),
        ("name=A&url=https%3A%2F%2Fb.example%2F", "url", "b.example"),
        ("name=A&url=https%3A%2F%2Fnew.example%2F&page_url=x", "page_url", "whole address"),
        (&format!("name=A&url=https%3A%2F%2Fnew.example%2F&group={long}"), "group", "200"),
        (&format!("name=A&url=https%3A%2F%2Fnew.example%2F&tags=a,{long}"), "tags", "50"),
        ("name=A&url=https%3A%2F%2Fnew.example%2F&description=a%07b", "description", "no text"),
    ] {
        let refused = edit(body).await;
        assert_eq!(refused.status, 422, "{body}");
        let at = format!("id=\"{field}-problem\">");
        let problem = refused.body.split(&at).nth(1).unwrap_or_else(|| panic!("{body}: {}", refused.body));
        assert!(problem.split("</p>").next().unwrap().contains(told), "{body}: {problem}");
        assert!(refused.body.contains("role=\"alert\"") && refused.body.contains("aria-invalid=\"true\""));
    }
    let kept = served.store.listed_link(ids[0]).await.unwrap().unwrap().link;
    assert_eq!((kept.name.as_str(), kept.url.to_string()), ("A", "https://new.example/".to_owned()));
    let nobody = "/x/y/links/0198c5f0-7d2c-7cc1-a9f5-5f2c6c1b7e11/edit";
    assert_eq!(served.get(nobody).await.status, 404);
}

#[tokio::test]
async fn an_edit_takes_back_nothing_of_others() {
    let served = Served::at("/x/y").await;
    let id = served.import(&["https://u:secret@a.example/"]).await[0];
    let tags = Tags::try_from(std::collections::BTreeSet::from(["red, green".parse::<Tag>().unwrap()]));
    let tagged = Attributes { tags: tags.ok(), ..Attributes::default() };
    let changes = LinkChanges { attributes: tagged, ..LinkChanges::default() };
    served.store.set_link(id, &changes).await.unwrap().unwrap();
    let page = format!("/x/y/links/{id}/edit");
    let was = async || {
        let form = served.get(&page).await.body;
        let was = form.split("name=\"was\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        was.replace('+', "%2B").replace("&#43;", "%2B").replace(':', "%3A")
    };
    let save = async |was: &str, name: &str| {
        let body = format!("was={was}&name={name}&url=https%3A%2F%2Fa.example%2F&tags=red%2C+green");
        served.ask(&format!("POST {page}"), &[FORM], &body).await.status
    };
    assert_eq!(save(&was().await, "First").await, 303);
    let link = served.store.listed_link(id).await.unwrap().unwrap().link;
    assert_eq!((link.name.as_str(), link.attributes.tags.unwrap().iter().count()), ("First", 1), "one tag");

    let early = was().await;
    let moved = LinkUrl::parse("https://me:pw@new.example/").unwrap();
    let changes = LinkChanges { url: Some(moved), ..LinkChanges::default() };
    served.store.set_link(id, &changes).await.unwrap().unwrap();
    assert_eq!(save(&early, "Late").await, 409);
    let link = served.store.listed_link(id).await.unwrap().unwrap().link;
    assert_eq!((link.name.as_str(), link.url.expose()), ("First", "https://me:pw@new.example/"));
}

#[tokio::test]
async fn language_and_theme_are_kept_in_cookies_of_the_base_path() {
    let served = Served::at("/x/y").await;
    let body = "lang=zh&back=%2Fruns";
    let chosen = served.ask("POST /x/y/preferences", &[FORM], body).await;
    assert_eq!((chosen.status, chosen.header("location")), (303, Some("/x/y/runs")));
    let cookie = chosen.header("set-cookie").unwrap();
    assert!(
        cookie.starts_with("linkbeat_lang=zh; Path=/x/y/;") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    let page = served.ask("GET /x/y/", &[("cookie", "linkbeat_lang=zh; linkbeat_theme=dark")], "").await;
    assert!(page.body.contains("lang=\"zh-CN\" data-theme=\"dark\""));
    let nonsense = served.ask("POST /x/y/preferences", &[FORM], "lang=xx%0D%0Aset-cookie&theme=pink").await;
    assert_eq!((nonsense.status, nonsense.header("set-cookie")), (303, None));
}

#[tokio::test]
async fn what_is_exported_is_what_the_filter_leaves() {
    let served = Served::at("").await;
    served.import(&["https://a.example/?x=1,2", "https://b.example/"]).await;
    let all = served.get("/links/export").await;
    assert!(all.header("content-disposition").unwrap().contains("links.csv"));
    assert_eq!(all.body.matches("example").count() / 2, 2, "{}", all.body);
    assert!(all.body.contains("a.example,\"https://a.example/?x=1,2\",,true,true,true"), "{}", all.body);
    let one = served.get("/links/export?host=b.example").await;
    assert!(one.body.contains("https://b.example/") && !one.body.contains("a.example"), "{}", one.body);
}

#[tokio::test]
async fn the_stream_sends_parts_and_ends_when_the_dashboard_does() {
    let served = Served::at("").await;
    served.import(&["https://a.example/"]).await;
    let mut stream = served.stream("/live?part=counts&part=nothing").await;
    let head = stream.until("id: counts").await.to_ascii_lowercase();
    assert!(head.contains("text/event-stream") && head.contains("x-accel-buffering: no"), "{head}");
    served.import(&["https://b.example/"]).await;
    stream.until("<span class=\"value\">2</span>").await;
    served.stop();
    stream.until_end().await;
}

impl Served {
    async fn count(&self) -> usize {
        self.store.matching_ids(&LinkQuery::default(), None, 100).await.unwrap().len()
    }
}
