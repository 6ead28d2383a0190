//! The JSON API, over real sockets and a real database.

#![expect(clippy::unwrap_used, reason = "a test ends where it meets what it does not expect")]
#![allow(dead_code, reason = "other tests use more of what is served")]

#[path = "../doors/known.rs"]
mod known;
#[path = "../doors/served.rs"]
mod served;

mod schemathesis;
mod seeded;

use serde_json::{Value, json};

use served::{Answer, Served};

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Served {
    async fn api(&self, request: &str, body: Value) -> Answer {
        let (method, path) = request.split_once(' ').unwrap();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.ask(&format!("{method} /api/v1{path}"), &[("content-type", "application/json")], &body).await
    }

    async fn add(&self, url: &str) -> Value {
        let added = self.api("POST /links", json!({ "url": url })).await;
        assert_eq!(added.status, 201, "{added:?}");
        added.json()
    }
}

async fn open() -> Served {
    Served::with(json!({})).await
}

#[tokio::test]
async fn every_error_is_a_problem() {
    let served = open().await;
    for (request, body, status) in [
        ("GET /nothing", Value::Null, 404),
        ("GET /links/0190a1b2-0000-7000-8000-000000000001", Value::Null, 404),
        ("GET /links/x", Value::Null, 404),
        ("DELETE /links", Value::Null, 405),
        ("TRACE /runs", Value::Null, 405),
        ("GET /links?limit=0", Value::Null, 422),
        ("GET /links?limit=99999999999999999999", Value::Null, 422),
        ("GET /links?verdict=bad", Value::Null, 422),
        ("GET /links?unknown=1", Value::Null, 400),
        ("GET /links?text=%00", Value::Null, 400),
        ("GET /links?text=%FF", Value::Null, 400),
        ("GET /links?after=i.00000000000000000000000000000000&sort=name", Value::Null, 404),
        ("GET /links?after=nonsense", Value::Null, 404),
        ("GET /health?x=1", Value::Null, 400),
        ("POST /links", json!({ "url": "nope" }), 422),
        ("POST /links", json!({ "name": "no URL" }), 422),
        ("POST /links", json!({ "url": "https://a.example/", "name": "a\u{0}b" }), 422),
        ("POST /links", json!({ "url": "https://a.example/", "extra": 1 }), 422),
        ("POST /runs", json!({ "timeout_ms": 0 }), 422),
        ("POST /runs", json!({ "schema": "linkbeat.request/1" }), 422),
        ("POST /links/actions", json!({ "action": "hide" }), 422),
        ("POST /links/actions", json!({ "action": "group", "filter": {} }), 422),
        ("POST /schedules", json!({ "name": "x", "cron": "never" }), 422),
        ("GET /parked", Value::Null, 404),
    ] {
        let answer = served.api(request, body).await;
        assert_eq!(answer.status, status, "{request}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{request}");
        let problem = answer.json();
        assert_eq!(problem["status"], status, "{request}");
        for member in ["type", "title", "detail"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{request}: {problem}");
        }
    }
    assert_eq!(served.api("DELETE /links", Value::Null).await.header("allow"), Some("GET,HEAD,POST"));
    let plain = served.ask("POST /api/v1/links", &[("content-type", "text/plain")], "{}").await;
    assert_eq!((plain.status, plain.header("content-type")), (415, Some("application/problem+json")));
    let large = "x".repeat(2 << 20);
    let large = served.api("POST /links", json!({ "url": large })).await;
    assert_eq!((large.status, large.header("content-type")), (413, Some("application/problem+json")));
}

#[tokio::test]
async fn the_steps_of_a_check_are_told_as_text() {
    let served = open().await;
    let link = served.add("https://a.example/").await;
    let path = format!("/links/{}/explain", link["id"].as_str().unwrap());
    let told = served.api(&format!("POST {path}?lang=zh"), Value::Null).await;
    assert_eq!((told.status, told.header("content-type")), (200, Some("text/plain; charset=utf-8")));
    assert!(told.body.contains("<b>a step\n"), "{told:?}");
    for (request, status) in [
        (format!("POST {path}?lang=fr"), 422),
        (format!("POST {path}?x=1"), 400),
        (format!("GET {path}"), 405),
        ("POST /links/0190a1b2-0000-7000-8000-000000000001/explain".to_owned(), 404),
    ] {
        assert_eq!(served.api(&request, Value::Null).await.status, status, "{request}");
    }
}

#[tokio::test]
async fn no_call_takes_a_parameter_that_its_document_does_not_name() {
    let served = open().await;
    let document = served.api("GET /openapi.json", Value::Null).await.json();
    let mut calls = 0;
    for (path, of_path) in document["paths"].as_object().unwrap() {
        let path = path.replace("{id}", "0190a1b2-0000-7000-8000-000000000001").replace("{name}", "daily");
        for method in of_path.as_object().unwrap().keys() {
            let call = format!("{} {path}?unknown=1", method.to_uppercase());
            let answer = served.api(&call, json!({})).await;
            assert_eq!(answer.status, 400, "{call}: {answer:?}");
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{call}");
            calls += 1;
        }
    }
    assert!(calls > 30, "{calls}");
    let runs = served.api("GET /runs", Value::Null).await.json();
    assert_eq!(runs["items"], json!([]), "nothing was filed");
}

#[tokio::test]
async fn a_run_is_repeated_as_the_links_are_today() {
    let served = open().await;
    for (url, group) in [("https://a.example/", "Friends"), ("https://b.example/", "Others")] {
        assert_eq!(served.api("POST /links", json!({ "url": url, "group": group })).await.status, 201);
    }
    let repeat = async |run: &Value, key: &str| {
        let run = run["id"].as_str().unwrap();
        served.ask(&format!("POST /api/v1/runs/{run}/repeat"), &[("idempotency-key", key)], "").await
    };
    let asked = json!({ "groups": ["Friends"], "timeout_ms": 4321, "white_list": ["nobody"] });
    let first = served.api("POST /runs", asked).await.json();
    let second = repeat(&first, "one").await;
    assert_eq!(second.status, 201, "{second:?}");
    let second = second.json();
    assert_eq!((&second["links"], &second["state"]), (&json!(1), &json!("running")));
    assert_ne!(second["id"], first["id"]);
    assert_eq!(repeat(&first, "one").await.json()["id"], second["id"]);
    assert_eq!(repeat(&second, "one").await.status, 422, "another call has this key");
    let kept =
        served.store.kept_request(linkbeat_shared::RunId(second["id"].as_str().unwrap().parse().unwrap()));
    let kept = kept.await.unwrap().unwrap().request;
    assert!(kept.contains("4321") && kept.contains("nobody"), "{kept}");
    served.api("POST /links", json!({ "url": "https://c.example/", "group": "Friends" })).await;
    assert_eq!(repeat(&second, "two").await.json()["links"], 2, "those that are in the group by now");

    let some: Vec<Value> =
        served.api("GET /links?limit=2", Value::Null).await.json()["items"].as_array().unwrap().clone();
    let ids: Vec<_> = some.iter().map(|link| link["id"].clone()).collect();
    let run = served.api("POST /links/actions", json!({ "action": "check", "ids": ids })).await.json();
    let run = json!({ "id": run["run_id"] });
    assert_eq!(repeat(&run, "three").await.json()["links"], 2);
    served.api("POST /links/actions", json!({ "action": "remove", "ids": [ids[0]] })).await;
    assert_eq!(repeat(&run, "four").await.json()["links"], 1);
    served.api("POST /links/actions", json!({ "action": "remove", "ids": [ids[1]] })).await;
    assert_eq!(repeat(&run, "five").await.status, 409, "its links are gone");
    let nobody = json!({ "id": "0190a1b2-0000-7000-8000-000000000001" });
    assert_eq!(repeat(&nobody, "six").await.status, 404);
}

#[tokio::test]
async fn a_link_is_added_read_changed_and_removed() {
    let served = open().await;
    let said =
        json!({ "url": "https://u:secret@a.example/", "name": "A", "tags": ["x", "y"], "group": "Friends" });
    let added = served.api("POST /links", said).await;
    assert_eq!(added.status, 201);
    let path = added.header("location").unwrap().strip_prefix("/api/v1").unwrap().to_owned();
    assert!(!added.body.contains("secret"));
    assert_eq!(served.api("POST /links", json!({ "url": "https://a.example/" })).await.status, 409);

    let read = served.api(&format!("GET {path}"), Value::Null).await;
    assert_eq!(read.json(), added.json());
    let tag = read.header("etag").unwrap().to_owned();
    let known = served.ask(&format!("GET /api/v1{path}"), &[("if-none-match", &tag)], "").await;
    assert_eq!((known.status, known.body.as_str()), (304, ""));

    let patch = |tag: String, body: Value| {
        let (served, path) = (&served, &path);
        async move {
            let headers = [("content-type", "application/merge-patch+json"), ("if-match", tag.as_str())];
            served.ask(&format!("PATCH /api/v1{path}"), &headers, &body.to_string()).await
        }
    };
    let changed = patch(tag.clone(), json!({ "pin": { "to": "hidden", "note": "gone" }, "name": "B" })).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let item = changed.json();
    assert_eq!(
        (&item["name"], &item["shown"], &item["pin"]["note"]),
        (&json!("B"), &json!(false), &json!("gone"))
    );
    assert_eq!(item["tags"], json!(["x", "y"]), "it was not named");
    assert_eq!(patch(tag, json!({ "name": "C" })).await.status, 412, "it was changed since");
    assert_eq!(patch("*".to_owned(), json!({ "pin": null })).await.json()["pin"], Value::Null);
    assert_eq!(patch("*".to_owned(), json!({ "name": null })).await.status, 422, "a link has a name");

    assert_eq!(served.api(&format!("DELETE {path}"), Value::Null).await.status, 204);
    assert_eq!(served.api(&format!("GET {path}"), Value::Null).await.status, 404);
    let changes = served.api(&format!("GET {path}/changes"), Value::Null).await;
    assert_eq!(changes.json()["items"].as_array().unwrap().len(), 1, "its history stays");
}

#[tokio::test]
async fn null_takes_away_and_what_is_absent_stays() {
    let served = open().await;
    let said = json!({ "url": "https://a.example/", "page_url": "https://a.example/links", "group": "Friends",
        "tags": ["x"], "avatar": "/a.png", "description": "A blog", "screenshot": "/s.png", "feed": "/feed" });
    let fields = ["page_url", "group", "tags", "avatar", "description", "screenshot", "feed"];
    let id = served.api("POST /links", said.clone()).await.json()["id"].as_str().unwrap().to_owned();
    for by_import in [false, true] {
        let told = async |mut change: Value| {
            let path = format!("PATCH /links/{id}");
            let answer = if by_import {
                change["url"] = said["url"].clone();
                served.api("POST /links/import", json!({ "links": [change] })).await
            } else {
                served.api(&path, change).await
            };
            assert_eq!(answer.status, 200, "{answer:?}");
            served.api(&format!("GET /links/{id}"), Value::Null).await.json()
        };
        let whole = told(said.clone()).await;
        for field in fields {
            let item = told(json!({ field: null })).await;
            let nothing = if field == "tags" { json!([]) } else { Value::Null };
            assert_eq!(item.get(field).unwrap_or(&Value::Null), &nothing, "{field}: {item:#}");
            for other in fields.into_iter().filter(|other| *other != field) {
                assert_eq!(item[other], whole[other], "{field} took away {other} as well");
            }
            told(json!({ field: said[field] })).await;
        }
    }
}

#[tokio::test]
async fn a_list_is_read_to_its_end_by_its_links() {
    let served = open().await;
    for n in 0..5 {
        served.add(&format!("https://{n}.example/")).await;
    }
    let (mut query, mut seen) = ("?limit=2&sort=name&text=example".to_owned(), Vec::new());
    loop {
        let page = served.api(&format!("GET /links{query}"), Value::Null).await;
        let names = page.json()["items"].as_array().unwrap().clone();
        seen.extend(names.iter().map(|link| link["name"].as_str().unwrap().to_owned()));
        let Some(next) = page.header("link") else { break };
        query = next.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
        assert!(query.contains("text=example"), "{query}");
    }
    assert_eq!(seen, ["0.example", "1.example", "2.example", "3.example", "4.example"]);
    let counted = served.api("GET /links?count=true&limit=1", Value::Null).await.json();
    assert_eq!(counted["count"], json!({ "all": 5, "is": "exact" }));
}

#[tokio::test]
async fn the_same_call_twice_is_one_run() {
    let served = open().await;
    served.add("https://a.example/").await;
    let file = async |key: &str, body: Value| {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        served.ask("POST /api/v1/runs", &headers, &body.to_string()).await
    };
    let first = file("a", json!({ "timeout_ms": 1000 })).await;
    assert_eq!(first.status, 201, "{first:?}");
    assert_eq!(file("a", json!({ "timeout_ms": 1000 })).await.json(), first.json());
    assert_eq!(file("a", json!({ "timeout_ms": 2000 })).await.status, 422, "another call");
    assert_ne!(file("b", json!({ "timeout_ms": 1000 })).await.json()["id"], first.json()["id"]);
    let run = first.header("location").unwrap().strip_prefix("/api/v1").unwrap().to_owned();
    let cancelled = served.api(&format!("POST {run}/cancel"), Value::Null).await;
    assert_eq!(cancelled.json()["state"], "cancelled");
    assert_eq!(
        served.api("GET /runs?state=cancelled", Value::Null).await.json()["items"].as_array().unwrap().len(),
        1
    );
    assert_eq!(served.api(&format!("POST {run}/apply"), Value::Null).await.status, 409);
}

#[tokio::test]
async fn many_links_are_acted_on_imported_and_exported() {
    let served = open().await;
    let links: Vec<Value> =
        (0..3).map(|n| json!({ "url": format!("https://{n}.example/"), "name": format!("=n{n}") })).collect();
    let imported = served.api("POST /links/import", json!({ "links": links })).await.json();
    assert_eq!((&imported["added"], imported["ids"].as_array().unwrap().len()), (&json!(3), 3));
    let bad = served
        .api("POST /links/import", json!({ "links": [{ "url": "https://a.example/" }, { "url": "x" }] }))
        .await;
    assert_eq!((bad.status, bad.json()["errors"][0]["pointer"].as_str()), (422, Some("/links/1/url")));

    let act = async |body: Value| served.api("POST /links/actions", body).await.json();
    assert_eq!(act(json!({ "action": "hide", "ids": [imported["ids"][0]] })).await["links"], 1);
    assert_eq!(
        act(json!({ "action": "group", "group": "G", "filter": { "shown": true } })).await["links"],
        2
    );
    let first = format!("GET /links/{}", imported["ids"][0].as_str().unwrap());
    for (action, shown, pinned) in [
        ("keep_shown", true, json!("shown")),
        ("keep_hidden", false, json!("hidden")),
        ("leave_to_checks", false, Value::Null),
    ] {
        assert_eq!(
            act(json!({ "action": action, "ids": [imported["ids"][0]] })).await["links"],
            1,
            "{action}"
        );
        let link = served.api(&first, Value::Null).await.json();
        assert_eq!((&link["shown"], &link["pin"]["to"]), (&json!(shown), &pinned), "{action}: {link}");
    }
    let run = act(json!({ "action": "check", "filter": { "group": "G" } })).await;
    assert_eq!(run["links"], 2);
    let run = served.api(&format!("GET /runs/{}", run["run_id"].as_str().unwrap()), Value::Null).await.json();
    assert_eq!((&run["state"], &run["links"]), (&json!("running"), &json!(2)));

    let csv = served.ask("GET /api/v1/links/export?format=csv&group=G", &[], "").await;
    assert_eq!((csv.status, csv.header("content-type")), (200, Some("text/csv")));
    assert!(
        csv.body.contains("\"'=n1\",https://1.example/") && !csv.body.contains("0.example"),
        "{}",
        csv.body
    );
    let lines = served.ask("GET /api/v1/links/export", &[], "").await;
    assert_eq!(lines.body.matches("\"url\"").count(), 3);
    assert_eq!(act(json!({ "action": "remove", "filter": {} })).await["links"], 3);
    assert_eq!(served.api("GET /links", Value::Null).await.json()["items"], json!([]));
}

#[tokio::test]
async fn a_schedule_is_added_changed_run_paused_and_removed() {
    let served = open().await;
    served.add("https://a.example/").await;
    let said = json!({ "name": "every night", "cron": "0 3 * * *", "time_zone": "Europe/Berlin", "request": { "retries": 2 } });
    let added = served.api("POST /schedules", said.clone()).await;
    assert_eq!(added.status, 201, "{added:?}");
    assert_eq!(added.header("location"), Some("/api/v1/schedules/every%20night"));
    assert_eq!(served.api("POST /schedules", said).await.status, 409);
    let path = "/schedules/every%20night";
    let item = served.api(&format!("GET {path}"), Value::Null).await.json();
    assert_eq!((item["upcoming"].as_array().unwrap().len(), &item["request"]["retries"]), (5, &json!(2)));
    let changed = served
        .api(&format!("PATCH {path}"), json!({ "interval_ms": 3_600_000, "jitter_ms": 1000 }))
        .await
        .json();
    assert_eq!((&changed["cron"], &changed["interval_ms"]), (&Value::Null, &json!(3_600_000)));
    assert_eq!(served.api(&format!("POST {path}/pause"), Value::Null).await.json()["state"], "paused");
    assert_eq!(served.api(&format!("POST {path}/resume"), Value::Null).await.json()["state"], "active");
    let run_now = async |path: &str, key: &str| {
        served.ask(&format!("POST /api/v1{path}/run-now"), &[("idempotency-key", key)], "").await
    };
    let run = run_now(path, "one").await;
    assert_eq!((run.status, &run.json()["links"]), (201, &json!(1)));
    let again = run_now(path, "one").await;
    assert_eq!((again.status, &again.json()["id"]), (201, &run.json()["id"]), "the same call, the same run");
    assert_eq!(run_now(path, "two").await.status, 409, "another call, and the run goes on");
    assert_eq!(run_now(path, "").await.status, 400, "no key");
    let other = json!({ "name": "other", "interval_ms": 3_600_000 });
    assert_eq!(served.api("POST /schedules", other).await.status, 201);
    assert_eq!(run_now("/schedules/other", "one").await.status, 422, "another call has this key");
    assert_eq!(served.api(&format!("POST {path}/run-now"), Value::Null).await.status, 409, "it goes on");
    let ticks = served.api(&format!("GET {path}/ticks"), Value::Null).await.json();
    assert_eq!(ticks["items"][0]["outcome"], "by_hand");
    assert_eq!(served.api(&format!("DELETE {path}"), Value::Null).await.status, 204);
    assert_eq!(served.api(&format!("GET {path}"), Value::Null).await.status, 404);
}

#[tokio::test]
async fn the_document_and_its_page_tell_of_each_call() {
    let served = Served::with(json!({ "base_path": "/x/y" })).await;
    let document = served.ask("GET /x/y/api/v1/openapi.json", &[], "").await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert_eq!(document["servers"][0]["url"], "/x/y/api/v1");
    let page = served.ask("GET /x/y/api/v1/", &[], "").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let mut calls = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        assert!(page.body.contains(path), "{path}");
        for (method, operation) in operations.as_object().unwrap() {
            calls += 1;
            for member in ["summary", "operationId", "tags"] {
                assert!(!operation[member].is_null(), "{method} {path} has no {member}");
            }
            assert!(!operation["responses"]["default"].is_null(), "{method} {path}");
        }
    }
    assert!(calls > 35, "{calls}");
    let text = document.to_string();
    for name in text.split("#/components/schemas/").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(!document["components"]["schemas"][name].is_null(), "{name} is nowhere");
    }
}

#[tokio::test]
async fn of_two_who_change_what_they_have_read_one_wins() {
    let served = open().await;
    let link = format!("/links/{}", served.add("https://a.example/").await["id"].as_str().unwrap());
    let added = json!({ "name": "often", "interval_ms": 60_000 });
    assert_eq!(served.api("POST /schedules", added).await.status, 201);
    for round in 0..10 {
        for (path, first, second) in [
            (link.as_str(), json!({ "name": format!("A{round}") }), json!({ "name": format!("B{round}") })),
            (
                "/schedules/often",
                json!({ "jitter_ms": 1_000 + 2 * round }),
                json!({ "jitter_ms": 1_001 + 2 * round }),
            ),
        ] {
            let tag = served.get(&format!("/api/v1{path}")).await.header("etag").unwrap().to_owned();
            let headers = [("content-type", "application/merge-patch+json"), ("if-match", tag.as_str())];
            let request = format!("PATCH /api/v1{path}");
            let (first, second) = (first.to_string(), second.to_string());
            let (first, second) =
                tokio::join!(served.ask(&request, &headers, &first), served.ask(&request, &headers, &second));
            let mut both = [first.status, second.status];
            both.sort_unstable();
            assert_eq!(both, [200, 412], "{path}: {first:?} {second:?}");
        }
    }
}

#[tokio::test]
async fn a_pause_ends_ahead_and_within_ten_years() {
    let served = open().await;
    let id = served.add("https://a.example/").await["id"].clone();
    let added = json!({ "name": "daily", "cron": "0 3 * * *" });
    assert_eq!(served.api("POST /schedules", added).await.status, 201);
    let link = format!("PATCH /links/{}", id.as_str().unwrap());
    let ahead =
        (chrono::Utc::now() + chrono::TimeDelta::days(2)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    for (until, status) in [
        ("2020-01-01T00:00:00Z", 422),
        ("2999-01-01T00:00:00Z", 422),
        ("9999-12-31T23:59:59Z", 422),
        (&ahead, 200),
    ] {
        let answers = [
            served.api(&format!("POST /schedules/daily/pause?until={until}"), Value::Null).await,
            served.api(&link, json!({ "active": false, "paused_until": until })).await,
            served
                .api(
                    "POST /links/actions",
                    json!({ "action": "deactivate", "ids": [id], "paused_until": until }),
                )
                .await,
        ];
        for answer in answers {
            assert_eq!(answer.status, status, "{until}: {answer:?}");
            assert!(status == 200 || answer.body.contains("until\""), "it is named: {answer:?}");
        }
        let new = json!({ "url": "https://b.example/", "active": false, "paused_until": until });
        assert_eq!(
            served.api("POST /links", new).await.status,
            if status == 200 { 201 } else { 422 },
            "{until}"
        );
    }
    // A list may be older than the pause that it tells of.
    let list = |until: &str| json!({ "links": [{ "url": "https://c.example/", "active": false, "paused_until": until }] });
    let far = served.api("POST /links/import", list("2999-01-01T00:00:00Z")).await;
    assert_eq!(
        (far.status, far.json()["errors"][0]["pointer"].as_str()),
        (422, Some("/links/0/paused_until"))
    );
    let old = served.api("POST /links/import", list("2020-01-01T00:00:00Z")).await;
    assert_eq!((old.status, &old.json()["added"]), (200, &json!(1)));
    let read =
        served.api(&format!("GET /links/{}", old.json()["ids"][0].as_str().unwrap()), Value::Null).await;
    assert_eq!(
        (&read.json()["active"], &read.json()["paused_until"]),
        (&json!(true), &Value::Null),
        "it has ended"
    );
}

#[tokio::test]
async fn tags_are_one_list_on_however_many_lines() {
    let served = open().await;
    let link = format!("/api/v1/links/{}", served.add("https://a.example/").await["id"].as_str().unwrap());
    let (request, kind) = (format!("PATCH {link}"), ("content-type", "application/json"));
    for (lines, matches) in [
        (&["\"x\""][..], false),
        (&["\"x\"", "W/\"y\", \"z\""], false),
        (&["\"x\"", "TAG"], true),
        (&["\"x\", \"y\"", "\"z\""], false),
        (&["TAG", "\"x\""], true),
        (&["\"x\"", "\"y\", TAG"], true),
        (&["\"x\"", "*"], true),
    ] {
        let tag = served.get(&link).await.header("etag").unwrap().to_owned();
        let lines: Vec<String> = lines.iter().map(|line| line.replace("TAG", &tag)).collect();
        let headers = |name| lines.iter().map(move |line| (name, line.as_str()));
        let known: Vec<_> = headers("if-none-match").collect();
        let read = served.ask(&format!("GET {link}"), &known, "").await;
        assert_eq!(read.status, if matches { 304 } else { 200 }, "{lines:?}");
        let expected: Vec<_> = headers("if-match").chain([kind]).collect();
        let changed = served.ask(&request, &expected, "{}").await;
        assert_eq!(changed.status, if matches { 200 } else { 412 }, "{lines:?}: {changed:?}");
    }
}

#[tokio::test]
async fn lists_in_other_shapes_are_read_by_what_they_are() {
    let served = open().await;
    let import = async |kind: &str, body: &str| {
        served.ask("POST /api/v1/links/import", &[("content-type", kind)], body).await
    };
    for (kind, body, status) in [
        ("text/csv", "name,url\nA,https://a.example/\n", 200),
        ("application/json", r#"["https://b.example/"]"#, 200),
        ("application/json", r#"{"friends":["https://c.example/"]}"#, 200),
        ("application/json; charset=utf-8", r#"{"links":[{"url":"https://d.example/"}]}"#, 200),
        ("text/plain", r#"{"links":[{"url":"https://e.example/"}]}"#, 200),
        ("application/x-anything", "https://f.example/\n", 200),
        ("text/plain", "bad", 422),
        ("application/json", "[", 400),
        ("application/json", "{", 400),
        ("application/json", "7", 422),
        ("application/json", r#"{"links":[{"link":"https://g.example/"}]}"#, 422),
    ] {
        let answer = import(kind, body).await;
        assert_eq!(answer.status, status, "{kind} {body}: {answer:?}");
        if status == 200 {
            assert_eq!(
                (&answer.json()["added"], answer.json()["ids"].as_array().unwrap().len()),
                (&json!(1), 1)
            );
        } else {
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        }
    }
    assert_eq!(import("text/plain", "bad").await.json()["detail"], "list:1: `bad` is no URL");
}

#[tokio::test]
async fn the_next_page_is_found_whatever_a_group_is_called() {
    let served = open().await;
    let group = "A & B, \"友链\" <x>; +%";
    let links: Vec<Value> =
        (0..3).map(|n| json!({ "url": format!("https://host-{n}.example/"), "group": group })).collect();
    assert_eq!(served.api("POST /links/import", json!({ "links": links })).await.status, 200);
    served.add("https://other.example/").await;
    let query: String = group.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let mut path = format!("/api/v1/links?group={query}&limit=1");
    let mut found = Vec::new();
    for page in 0.. {
        let answer = served.get(&path).await;
        assert_eq!(answer.status, 200, "{path}");
        found.extend(answer.json()["items"].as_array().unwrap().iter().map(|link| link["url"].to_string()));
        let Some(next) = answer.header("link") else { break };
        let next = next.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap();
        path = format!("/api/v1/links{next}");
        assert!(page < 3, "it ends");
    }
    assert_eq!(found.len(), 3, "{found:?}");
}

#[tokio::test]
async fn addresses_of_pictures_tell_no_password() {
    let served = open().await;
    let link = json!({
        "url": "https://me:s3cret@a.example/", "page_url": "https://me:s3cret@a.example/links",
        "avatar": "https://me:s3cret@a.example/a.png", "screenshot": "//me:s3cret@a.example/b.png",
        "feed": "https://me:s3cret@a.example/feed",
    });
    let added = served.api("POST /links", link).await;
    assert_eq!(added.status, 201, "{added:?}");
    let path = format!("/api/v1/links/{}", added.json()["id"].as_str().unwrap());
    for path in
        [&path, "/api/v1/links", "/api/v1/links/export?format=jsonl", "/api/v1/links/export?format=csv"]
    {
        let answer = served.get(path).await;
        assert!(answer.status == 200 && answer.body.contains("a.example"), "{path}: {answer:?}");
        assert!(!answer.body.contains("s3cret"), "{path}: {}", answer.body);
    }
    assert!(!added.body.contains("s3cret"), "{}", added.body);
}

#[tokio::test]
async fn a_bad_idempotency_key_is_refused_whatever_the_action() {
    let served = open().await;
    for action in ["check", "hide", "activate"] {
        let body = json!({ "action": action, "ids": ["0190a1b2-0000-7000-8000-000000000001"] }).to_string();
        for (key, status) in [("", 400), ("fine", 200)] {
            let headers = [("content-type", "application/json"), ("idempotency-key", key)];
            let key = format!("{key}{action}");
            let headers =
                if status == 200 { [headers[0], ("idempotency-key", key.as_str())] } else { headers };
            let answer = served.ask("POST /api/v1/links/actions", &headers, &body).await;
            assert_eq!(answer.status, status, "{action}: {answer:?}");
        }
    }
}
