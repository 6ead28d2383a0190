//! What a JSON request may wish: an answer at once, another language, news of its progress, and that its run stops.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::client::Client;
use crate::support::fleet::Fleet;
use crate::support::site::{Answer, Street};
use crate::support::{eventually, named};

/// A request with this id and these fields.
fn request(id: Uuid, fields: &Value) -> Vec<u8> {
    let mut request = json!({ "schema": "linkbeat.request/1", "request_id": id });
    for (name, value) in fields.as_object().unwrap() {
        request[name] = value.clone();
    }
    request.to_string().into_bytes()
}

#[test]
fn every_answer_and_event_names_the_request() {
    let (street, fleet) = (Street::open(), Fleet::start(&[]));
    let mut client = Client::of(&fleet.servers);
    let id = Uuid::now_v7();
    let links = json!([{ "url": street.set("gone", Answer::Page(404, String::new())) }]);
    let mut answer = Value::Null;
    let events = fleet.servers.events("run.finished", || {
        answer = client.ask(&request(id, &json!({ "links": links })));
    });
    assert_eq!((&answer["request_id"], &answer["data"]["request_id"]), (&json!(id), &json!(id)));
    let kinds: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["run.started", "link.hidden", "run.finished"]);
    assert!(events.iter().all(|event| event["request_id"] == json!(id)), "{events:#?}");
    let refused = client.ask(&request(id, &json!({ "timeout_ms": "5s" })));
    assert_eq!((&refused["code"], &refused["request_id"]), (&json!(2), &json!(id)));
}

#[test]
fn whoever_wishes_is_told_at_once_that_the_run_is_filed() {
    let (street, fleet) = (Street::open(), Fleet::start(&[]));
    let mut client = Client::of(&fleet.servers);
    let (id, url) =
        (Uuid::now_v7(), street.set("slow", Answer::After(Duration::from_secs(2), String::new())));
    client.send(&request(id, &json!({ "links": [{ "url": url }], "accepted": true })), "mine");
    let (correlation, accepted) = client.answer();
    assert_eq!((correlation.as_str(), &accepted["schema"]), ("mine", &json!("linkbeat.accepted/1")));
    assert_eq!((&accepted["request_id"], &accepted["links"]), (&json!(id), &json!(1)));
    let (correlation, report) = client.answer();
    assert_eq!((correlation.as_str(), &report["schema"]), ("mine", &json!("linkbeat.report/1")));
    assert_eq!(report["data"]["run_id"], accepted["run_id"]);
}

#[test]
fn everybody_who_asks_for_the_same_request_is_answered_in_its_own_language() {
    let (street, fleet) = (Street::open(), Fleet::start(&[]));
    let mut clients = [Client::of(&fleet.servers), Client::of(&fleet.servers)];
    let id = Uuid::now_v7();
    let after = Answer::After(Duration::from_secs(2), "nothing".to_owned());
    let asked =
        json!({ "links": [{ "name": "slow", "url": street.set("slow", after) }], "backlink": "my[.]blog" });
    let asked_in = |lang: &str| {
        let mut asked = asked.clone();
        asked["lang"] = lang.into();
        request(id, &asked)
    };
    // Two apps, each of which asks twice: under one queue the correlation ids tell the askers apart.
    for (client, lang) in clients.iter().zip(["en", "zh"]) {
        client.send(&asked_in(lang), "first");
        client.send(&asked_in(lang), "second");
        client.send(&asked_in(lang), "second");
    }
    for (client, text) in clients.iter_mut().zip(["the page does not link back", "网站未设置本站外链"])
    {
        let mut heard = [client.answer(), client.answer()];
        heard.sort_by_key(|(correlation, _)| correlation.clone());
        assert_eq!(heard.each_ref().map(|(correlation, _)| correlation.as_str()), ["first", "second"]);
        for (_, report) in &heard {
            assert_eq!(named(&report["data"]["links"], "slow")["reason_text"], text);
            assert_eq!(report["data"]["request_id"], json!(id));
        }
        assert_eq!(client.answer_within(Duration::from_secs(1)), None, "each once");
    }
    assert_eq!(street.hits("slow"), 1, "it is one run");
    let [first, second] = &mut clients;
    first.ask(&asked_in("zh"));
    assert_eq!(second.answer_within(Duration::from_secs(1)), None, "it has its report");
}

#[test]
fn a_run_is_cancelled_by_its_request_id_and_all_who_wait_are_told() {
    let (street, fleet) = (Street::open(), Fleet::start(&[]));
    let (mut waiting, mut stopping) = (Client::of(&fleet.servers), Client::of(&fleet.servers));
    let id = Uuid::now_v7();
    let unknown = stopping.ask(&request(id, &json!({ "cancel": true })));
    assert_eq!((&unknown["code"], &unknown["error"]), (&json!(2), &json!("unknown_request")));
    assert!(unknown["message"].as_str().unwrap().contains(&id.to_string()), "{unknown}");
    let links = json!([{ "url": street.set("never", Answer::Never) }]);
    waiting.send(&request(id, &json!({ "links": links, "timeout_ms": 30_000 })), "w");
    eventually("the check to begin", || (street.hits("never") > 0).then_some(()));
    let told = stopping.ask(&request(id, &json!({ "cancel": true, "lang": "zh" })));
    let (_, waited) = waiting.answer();
    for report in [&told, &waited] {
        assert_eq!((&report["code"], &report["error"]), (&json!(4), &json!("cancelled")), "{report}");
        assert_eq!(report["data"]["request_id"], json!(id));
    }
    assert_eq!(
        (&told["message"], &waited["message"]),
        (&json!("本次检查已被取消"), &json!("the run was cancelled"))
    );
    // A run that has ended stays as it is, and whoever asks has its report.
    let again = stopping.ask(&request(id, &json!({ "cancel": true })));
    assert_eq!((&again["code"], &again["data"]["run_id"]), (&json!(4), &told["data"]["run_id"]));
}

#[test]
fn progress_is_told_at_most_twice_a_second_and_only_on_request() {
    let (street, fleet) = (Street::open(), Fleet::start(&["--per-host", "1"]));
    let mut client = Client::of(&fleet.servers);
    let links = |kind: &str| -> Vec<Value> {
        let site = |n: u64| {
            let answer = Answer::After(Duration::from_millis(250 * n), String::new());
            json!({ "url": street.set(&format!("{kind}{n}"), answer) })
        };
        (0..14).map(site).collect()
    };
    let mut times: Vec<Instant> = Vec::new();
    let events = fleet.servers.events("run.finished", || {
        times.push(Instant::now());
        client.ask(&request(Uuid::now_v7(), &json!({ "links": links("told"), "progress": true })));
        times.push(Instant::now());
    });
    let told: Vec<_> = events.iter().filter(|event| event["event"] == "run.progress").collect();
    assert!(told.len() >= 2, "{events:#?}");
    let most = times[0].elapsed().as_secs_f64() * 2.0 + 1.0;
    assert!((told.len() as f64) <= most, "{} events", told.len());
    let moments: Vec<_> = told
        .iter()
        .map(|event| event["at"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap())
        .collect();
    assert!(
        moments.windows(2).all(|pair| pair[1] - pair[0] >= chrono::Duration::milliseconds(400)),
        "{moments:?}"
    );
    let checked: Vec<_> = told.iter().map(|event| event["report"]["checked"].as_u64().unwrap()).collect();
    assert!(checked.is_sorted_by(|one, next| one < next) && *checked.last().unwrap() < 14, "{checked:?}");
    assert!(
        told.iter().all(|event| event["report"]["active_num"] == 14 && event["report"]["state"] == "running")
    );
    let events = fleet.servers.events("run.finished", || {
        client.ask(&request(Uuid::now_v7(), &json!({ "links": links("quiet") })));
    });
    assert!(events.iter().all(|event| event["event"] != "run.progress"), "{events:#?}");
}

#[test]
fn a_request_of_a_newer_schema_is_answered_and_kept() {
    let fleet = Fleet::without_workers(&[]);
    let mut client = Client::of(&fleet.servers);
    let id = Uuid::now_v7();
    let newer = json!({ "schema": "linkbeat.request/2", "request_id": id, "wishes": ["more"] });
    let answer = client.ask(newer.to_string().as_bytes());
    assert_eq!((&answer["code"], &answer["error"]), (&json!(2), &json!("newer_schema")));
    assert_eq!(answer["request_id"], json!(id));
    assert!(answer["message"].as_str().unwrap().contains("`linkbeat.request/2` is newer"), "{answer}");
    eventually("it is parked", || (fleet.servers.depth("dead") == 1).then_some(()));
}
