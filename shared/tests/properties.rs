//! What comes from outside may be anything: URLs and messages, made and mutated at random.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use linkbeat_shared::wire::{
    self, EventMessage, JobMessage, Message, ReportMessage, RequestMessage, ResultsMessage,
};
use linkbeat_shared::{
    Job, LinkFilter, LinkName, LinkSelection, LinkUrl, NewLink, Request, RequestId, RequestOptions, Resolved,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    /// A URL is refused, or has one canonical spelling which is taken again.
    #[test]
    fn any_text_is_a_url_or_not(text in prop_oneof![9 => url_like(), 1 => any::<String>()]) {
        let Ok(url) = LinkUrl::parse(&text) else { return Ok(()) };
        let again = LinkUrl::parse(url.expose());
        prop_assert_eq!(again.as_ref().map(LinkUrl::expose), Ok(url.expose()));
        let key = url.key();
        prop_assert_eq!(LinkUrl::parse(&key).map(|url| url.key()), Ok(key.clone()));
        prop_assert_eq!(&key, &url.to_string());
        prop_assert!(key.starts_with("http") && !key.contains(['#', '\n', '\r', '\u{1b}']), "{}", key);
        prop_assert!(!url.host().is_empty() && !url.host().ends_with('.'), "{}", key);
    }

    /// A location is followed to a URL that is taken again, or not at all.
    #[test]
    fn any_location_leads_somewhere_or_nowhere(location in prop_oneof![url_like(), any::<String>()]) {
        let from = LinkUrl::parse("https://me:secret@example.com/a/b?c").unwrap();
        let Ok(to) = from.join(&location) else { return Ok(()) };
        prop_assert_eq!(LinkUrl::parse(to.expose()).map(|url| url.expose().to_owned()), Ok(to.expose().to_owned()));
    }
}

/// Parts of URLs, good and bad, in any order.
fn url_like() -> impl Strategy<Value = String> {
    let scheme = select(vec!["http://", "https://", "HTTP:", "ftp://", "//", "", "http:///", "javascript:"]);
    let part = select(vec![
        "example.com",
        "例え.jp",
        "xn--r8jz45g",
        "xn--",
        "127.0.0.1",
        "0x7f.1",
        "4294967295",
        "[::1]",
        "[::ffff:1.2.3.4]",
        "[",
        "]",
        "user",
        ":",
        "@",
        "secret",
        ":80",
        ":0",
        ":65536",
        ".",
        "..",
        "/",
        "//",
        "\\",
        "?",
        "#",
        "%",
        "%2e",
        "%00",
        "%ff",
        "é",
        "ß",
        "\u{202e}",
        "\u{ad}",
        "\u{0}",
        "\n",
        "\t",
        " ",
        "a",
        "=",
        "&",
        "\u{10ffff}",
    ]);
    (scheme, prop::collection::vec(part, 0..10))
        .prop_map(|(scheme, parts)| scheme.to_owned() + &parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// A message of any form is read or refused; what is read can be written and read again.
    #[test]
    fn any_message_is_read_or_not(mutations in prop::collection::vec(mutation(), 0..4), cut in cut()) {
        check::<JobMessage>(job(), &mutations, &cut, |job| drop(Job::try_from(job)))?;
        check::<RequestMessage>(request(), &mutations, &cut, |request| drop(request.into_request(None)))?;
        check::<ResultsMessage>(results(), &mutations, &cut, drop)?;
        check::<ReportMessage>(report(), &mutations, &cut, drop)?;
        check::<EventMessage>(event(), &mutations, &cut, drop)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// A request that is written as a message and read again is the same request. The message keeps to its schema.
    #[test]
    fn any_request_is_a_message_and_back(request in any_request()) {
        let message = RequestMessage::from(&request);
        let written = wire::encode(&message);
        let read = wire::decode::<RequestMessage>(&written).unwrap();
        prop_assert_eq!(&read, &message);
        prop_assert_eq!(read.into_request(None), Ok(request));

        let schema = schemars::schema_for!(RequestMessage).to_value();
        let written: Value = serde_json::from_slice(&written).unwrap();
        for (name, value) in written.as_object().unwrap() {
            let types = &schema["properties"][name]["type"];
            let fits = |name: &Value| match value {
                Value::String(_) => name == "string",
                Value::Number(_) => name == "integer",
                Value::Array(_) => name == "array",
                _ => false,
            };
            let named = types.as_array().map_or_else(|| fits(types), |types| types.iter().any(fits));
            // An enumeration stands apart.
            prop_assert!(named || schema["properties"][name]["anyOf"].is_array(), "{}: {} is not {}", name, value, types);
        }
    }

    /// Options that are written as settings and read again are the same options.
    #[test]
    fn any_options_are_settings_and_back(request in any_request()) {
        let settings = serde_json::to_value(request.options()).unwrap();
        let options: RequestOptions = serde_json::from_value(settings).unwrap();
        let asked = Resolved { white_list: request.white_list, reuse_within: request.reuse_within, check: request.check, rules: request.rules };
        prop_assert_eq!(options.resolve(), asked);
    }
}

fn any_request() -> impl Strategy<Value = Request> {
    let option = |values: Vec<Value>| select(values.into_iter().chain([Value::Null]).collect::<Vec<_>>());
    let options = (
        option(vec!["me\\.example".into(), "a|b".into(), "\"quoted\"".into()]),
        option(vec!["text".into(), "anchor".into()]),
        prop::collection::btree_set("[a-z 中]{1,8}", 0..3),
        prop::option::of(1_u64..=600_000),
        prop::option::of(0_u8..=10),
        option(vec!["200".into(), "200,204,300-399".into()]),
        (prop::option::of(1_u32..), prop::option::of(1_u32..)),
        option(vec!["hide".into(), "keep".into()]),
        (
            prop::option::of(1_000_u64..=86_400_000),
            prop::option::of(1_000_u64..=2_592_000_000),
            prop::option::of(0_u32..),
            prop::option::of(0_u8..100),
        ),
    );
    let options = options.prop_map(|(backlink, backlink_in, white_list, timeout, retries, accept, in_a_row, on_blocked, (recheck, reuse, links, percent))| {
        let ms = |length: Option<u64>| length.map(|ms| format!("{ms}ms"));
        let settings = json!({
            "backlink": backlink, "backlink_in": backlink_in, "white_list": white_list, "timeout": ms(timeout),
            "retries": retries, "accept": accept, "hide_after": in_a_row.0, "show_after": in_a_row.1,
            "on_blocked": on_blocked, "recheck_after": ms(recheck), "reuse_within": ms(reuse),
            "hold_back_links": links, "hold_back_percent": percent,
        });
        serde_json::from_value::<RequestOptions>(settings).unwrap()
    });
    let link = (prop::option::of("[a-z]{1,8}"), 0..99, any::<Option<bool>>(), any::<Option<bool>>());
    let link = link.prop_map(|(name, host, page, backlink)| NewLink {
        name: name.map(|name| LinkName::parse(&name).unwrap()),
        page_url: page.map(|_| LinkUrl::parse(&format!("https://h{host}.example/links")).unwrap()),
        backlink,
        ..NewLink::from_url(LinkUrl::parse(&format!("https://me:secret@h{host}.example/")).unwrap())
    });
    let links = prop_oneof![
        Just(LinkSelection::Stored),
        prop::collection::vec(link, 0..4).prop_map(LinkSelection::given),
        (prop::collection::vec("[a-z]{1,8}", 0..3), prop::collection::vec("[a-z]{1,8}", 0..3)).prop_map(
            |(groups, tags)| {
                let groups = groups.iter().map(|group| group.parse().unwrap()).collect();
                LinkSelection::matching(LinkFilter {
                    groups,
                    tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
                })
            }
        ),
    ];
    (links, options).prop_map(|(links, options)| Request::new(RequestId::new(), links, options, None))
}

fn check<M: Message>(
    mut json: Value,
    mutations: &[Mutation],
    cut: &Cut,
    understand: impl FnOnce(M),
) -> Result<(), TestCaseError> {
    prop_assert!(wire::decode::<M>(json.to_string().as_bytes()).is_ok(), "{} is no example", json);
    mutations.iter().for_each(|mutation| mutation.apply(&mut json));
    let mut bytes = json.to_string().into_bytes();
    cut.apply(&mut bytes);
    let Ok(message) = wire::decode::<M>(&bytes) else { return Ok(()) };
    let written = wire::encode(&message);
    let read = wire::decode::<M>(&written);
    let again = read.map(|message| wire::encode(&message));
    prop_assert!(again.as_ref() == Ok(&written), "{}", String::from_utf8_lossy(&written));
    understand(message);
    Ok(())
}

/// Puts something else in a place of the message.
#[derive(Debug, Clone)]
struct Mutation {
    place: Index,
    value: Option<Value>,
}

impl Mutation {
    fn apply(&self, json: &mut Value) {
        let mut places = Vec::new();
        pointers(json, &mut String::new(), &mut places);
        let Some(place) = json.pointer_mut(self.place.get::<String>(&places)) else { return };
        match &self.value {
            Some(value) => *place = value.clone(),
            None => *place = Value::Array(vec![place.clone(), place.clone()]),
        }
    }
}

/// The JSON pointers (RFC 6901) of a value and all its parts.
fn pointers(json: &Value, here: &mut String, into: &mut Vec<String>) {
    into.push(here.clone());
    let mut descend = |name: &str, part: &Value| {
        let length = here.len();
        here.push('/');
        here.push_str(&name.replace('~', "~0").replace('/', "~1"));
        pointers(part, here, into);
        here.truncate(length);
    };
    match json {
        Value::Object(parts) => parts.iter().for_each(|(name, part)| descend(name, part)),
        Value::Array(parts) => {
            parts.iter().enumerate().for_each(|(index, part)| descend(&index.to_string(), part));
        }
        _ => {}
    }
}

fn mutation() -> impl Strategy<Value = Mutation> {
    // No number has so many digits that serde_json would read another one than it wrote.
    let value = prop_oneof![
        Just(None),
        Just(Some(Value::Null)),
        any::<bool>().prop_map(|value| Some(value.into())),
        any::<i32>().prop_map(|value| Some(value.into())),
        any::<i32>().prop_map(|value| Some((f64::from(value) / 16.0).into())),
        select(vec![
            "",
            "http://a/",
            "(a",
            "a{1000}{1000}",
            "linkbeat.job/2",
            "up",
            "200-100",
            "timeout",
            "2026-01-01T00:00:00Z"
        ])
        .prop_map(|value| Some(value.into())),
        any::<String>().prop_map(|value| Some(value.into())),
        select(vec![json!([]), json!({}), json!([[[[]]]]), json!({"type": "tls"}), json!(u64::MAX)])
            .prop_map(Some),
    ];
    (any::<Index>(), value).prop_map(|(place, value)| Mutation { place, value })
}

/// What happens to a message's bytes.
#[derive(Debug, Clone)]
enum Cut {
    Nothing,
    Truncated(Index),
    Overwritten(Index, u8),
}

impl Cut {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Nothing => {}
            Self::Truncated(length) => bytes.truncate(length.index(bytes.len())),
            Self::Overwritten(place, byte) => {
                let place = place.index(bytes.len());
                bytes[place] = *byte;
            }
        }
    }
}

fn cut() -> impl Strategy<Value = Cut> {
    prop_oneof![
        6 => Just(Cut::Nothing),
        1 => any::<Index>().prop_map(Cut::Truncated),
        3 => (any::<Index>(), any::<u8>()).prop_map(|(place, byte)| Cut::Overwritten(place, byte)),
    ]
}

const ID: &str = "0190a1b2-0000-7000-8000-000000000001";
const AT: &str = "2026-01-01T00:00:00Z";

fn job() -> Value {
    json!({
        "schema": "linkbeat.job/1", "run_id": ID, "job_id": ID, "timeout_ms": 5000, "retries": 1, "accept": "200,300-399",
        "backlink": "me\\.example", "backlink_in": "anchor",
        "links": [{"id": ID, "url": "https://a.example/", "page_url": "https://a.example/links", "backlink": true}],
    })
}

fn request() -> Value {
    json!({
        "schema": "linkbeat.request/1", "request_id": ID, "backlink": "me", "backlink_in": "text", "white_list": ["a"],
        "links": [{"name": "a", "url": "https://a.example/", "page_url": "https://a.example/links", "backlink": false}],
        "timeout_ms": 5000, "retries": 1, "accept": "200", "hide_after": 1, "show_after": 2, "on_blocked": "keep",
    })
}

fn results() -> Value {
    let details = json!({
        "redirects": ["https://b.example/"], "notes": ["nofollow", "downgraded"],
        "certificate": {"expires_at": AT, "issuer": "somebody"},
    });
    json!({
        "schema": "linkbeat.results/1", "run_id": ID, "job_id": ID,
        "results": [{
            "link_id": ID, "verdict": "down", "reason": {"type": "status", "code": 404}, "status": 404,
            "elapsed_ms": 12, "checked_at": AT, "details": details,
        }],
    })
}

fn report() -> Value {
    json!({
        "schema": "linkbeat.report/1", "code": 0, "data": report_data(), "message": "", "error": "", "time": 5.473,
    })
}

fn event() -> Value {
    json!({
        "schema": "linkbeat.event/1", "event": "run.finished", "at": AT, "run_id": ID, "link": link_item(),
        "report": report_data(),
    })
}

fn report_data() -> Value {
    json!({
        "active_num": 24, "to_not_show": 1, "to_show": 0, "version": "1", "run_id": ID, "created_at": AT,
        "finished_at": AT, "checked": 24, "up": 23, "down": 1, "no_backlink": 0, "blocked": 0, "refused": 0,
        "white_listed": 0, "links": [link_item()], "links_left_out": 0,
    })
}

fn link_item() -> Value {
    json!({
        "id": ID, "name": "a", "url": "https://a.example/", "shown": false, "verdict": "down",
        "reason": {"type": "status", "code": 404}, "reason_text": "404", "status": 404, "elapsed_ms": 12,
        "changed": "hidden", "redirects": [], "notes": [], "tls_expires_at": AT, "tls_issuer": "somebody",
    })
}
