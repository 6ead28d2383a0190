//! Bad input at the door for JSON requests: each kind has its own clear answer, is counted, and harms nobody.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::Folder;
use crate::support::client::Client;
use crate::support::eventually;
use crate::support::fleet::Fleet;
use crate::support::process::{linkbeat, run};
use crate::support::site::{Answer, Street};

/// What comes in, and what is said of it.
struct Case {
    name: &'static str,
    body: Vec<u8>,
    told: &'static str,
}

fn case(name: &'static str, body: impl Into<Vec<u8>>, told: &'static str) -> Case {
    Case { name, body: body.into(), told }
}

/// A good request but for these fields.
#[expect(clippy::needless_pass_by_value, reason = "so that the table reads well")]
fn with(name: &'static str, fields: Value, told: &'static str) -> Case {
    let mut request = json!({ "schema": "linkbeat.request/1", "request_id": Uuid::now_v7() });
    for (name, value) in fields.as_object().unwrap() {
        request[name] = value.clone();
    }
    case(name, request.to_string(), told)
}

fn links(count: usize) -> Value {
    (0..count).map(|n| json!({ "url": format!("http://{n}.a/") })).collect()
}

fn cases() -> Vec<Case> {
    let link = |url: &str| json!({ "links": [{ "url": "http://good.example/" }, { "url": url }] });
    vec![
        case(
            "20 MB of text",
            vec![b' '; 20 << 20],
            "the message has 20971520 bytes; at most 4194304 are read",
        ),
        with(
            "1,000,001 links",
            json!({ "links": links(1_000_001) }),
            "the request names 1000001 links; at most 10000",
        ),
        with(
            "10,001 links",
            json!({ "links": links(10_001) }),
            "the request names 10001 links; at most 10000",
        ),
        case("no text", [b'{', 0xff, 0xfe, b'}'], "is not UTF-8 text: byte 1 is wrong"),
        case(
            "a word in Latin-1",
            *b"{\"schema\":\"linkbeat.request/1\",\"backlink\":\"caf\xe9\"}",
            "is not UTF-8 text",
        ),
        case("nothing", "", "is no JSON object"),
        case("half of it", r#"{"schema":"linkbeat.request/1","links":[{"#, "is no JSON object"),
        case("an array", "[]", "is no JSON object"),
        case("no schema", "{}", "is no JSON object with a `schema`"),
        case("another schema", r#"{"schema":"linkbeat.job/1"}"#, "`linkbeat.request/1` was expected"),
        case("no id", r#"{"schema":"linkbeat.request/1"}"#, "request_id: is missing"),
        case("no UUID", r#"{"schema":"linkbeat.request/1","request_id":"7"}"#, "request_id: must be a UUID"),
        case(
            "a field twice",
            r#"{"schema":"linkbeat.request/1","links":[],"links":[]}"#,
            "links: is there twice",
        ),
        with("a pattern that does not compile", json!({ "backlink": "(" }), "backlink: "),
        with("look-around", json!({ "backlink": "(?=a)" }), "backlink: "),
        with(
            "a timeout as text",
            json!({ "timeout_ms": "5s" }),
            "timeout_ms: must be a number, not a string",
        ),
        with("no timeout", json!({ "timeout_ms": 0 }), "timeout_ms: a timeout must lie between 1 ms"),
        with("a word that is none", json!({ "on_blocked": "weep" }), "on_blocked: must be `hide` or `keep`"),
        with(
            "unknown fields",
            json!({ "urls": [], "backlinks": "x" }),
            "backlinks: unknown field; did you mean `backlink`?, urls: unknown field; did you mean `links`?",
        ),
        with(
            "an unknown field of a link",
            json!({ "links": [{ "link": "http://a/" }] }),
            "links[0].link: unknown field; did you mean `url`?",
        ),
        with("a link without a URL", json!({ "links": [{ "name": "a" }] }), "links[0].url: is missing"),
        with(
            "a list of URLs",
            json!({ "links": ["http://a/"] }),
            "links[0]: must be an object, not a string",
        ),
        with("a refused URL", link("ftp://old.example/"), "links[1].url: "),
        with("no URL", link("nope"), "links[1].url: "),
        with(
            "a URL of 100,000 letters",
            link(&format!("http://a/{}", "x".repeat(100_000))),
            "links[1].url: ",
        ),
        with(
            "cancel and more",
            json!({ "cancel": true, "links": [] }),
            "cancel: besides it only request_id and lang may be said",
        ),
        with("depth", json!({ "links": [deep(200)] }), "recursion limit"),
    ]
}

fn deep(depth: usize) -> Value {
    (0..depth).fold(json!({}), |inner, _| json!({ "url": inner }))
}

#[test]
fn each_kind_of_bad_request_has_its_own_answer_is_counted_and_harms_nobody() {
    let (street, folder) = (Street::open(), Folder::new());
    let mut fleet = Fleet::without_workers(&[]);
    fleet.start_worker(&["--allow-network", "127.0.0.0/8"]);
    let mut client = Client::of(&fleet.servers);
    let cases = cases();
    for Case { name, body, told } in &cases {
        let answer = client.ask(body);
        let message = answer["message"].as_str().unwrap();
        assert_eq!(
            (&answer["code"], &answer["error"]),
            (&json!(2), &json!("bad_request")),
            "{name}: {answer}"
        );
        assert!(message.contains(told), "{name}: {message}");
        assert!(message.len() < 500, "{name}: {message}");
    }
    assert_eq!(fleet.servers.depth("dead"), 0, "whoever asked was told: nothing is parked");
    let mut list = linkbeat(folder.path(), ["runs", "list", "--format", "json"]);
    fleet.configure(&mut list);
    assert_eq!(run(&mut list).expect(0).json(), json!([]), "nothing is filed");
    let mut list = linkbeat(folder.path(), ["links", "list", "--format", "json"]);
    fleet.configure(&mut list);
    assert_eq!(run(&mut list).expect(0).json(), json!([]), "nothing is stored");
    // A private address is a matter of the check.
    let good = street.set("good", Answer::Page(200, String::new()));
    let private = "http://169.254.169.254/latest";
    let links = json!([{ "url": good }, { "name": "private", "url": private }]);
    let asked = json!({ "schema": "linkbeat.request/1", "request_id": Uuid::now_v7(), "links": links });
    let report = client.ask(asked.to_string().as_bytes());
    assert_eq!((&report["data"]["up"], &report["data"]["refused"]), (&json!(1), &json!(1)), "{report}");
    eventually("the counts", || {
        let counts = counts(fleet.health(0))?;
        (counts["refused"] == cases.len() && counts["filed"] == 1).then_some(())
    });
}

/// What the producer says that it counted.
fn counts(health: &str) -> Option<Value> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(health).ok()?;
    stream.write_all(b"GET /ready HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some(serde_json::from_str::<Value>(body).ok()?["counts"]["requests"].clone())
}
