//! Messages as they were stored once: they must be read for ever, so a sample is never edited, only added.
//! Those called `…-older` were written before fields were added that newer samples have.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::PathBuf;

use linkbeat_shared::wire::{
    AcceptedMessage, CancelMessage, EventMessage, JobMessage, Message, ParkingMessage, ReportMessage,
    RequestMessage, ResultsMessage, ToRecorder, Unreadable, WorkerMessage, decode, encode,
};
use linkbeat_shared::{Change, Job, LinkSelection, OnBlocked, RunState, Verdict};
use serde_json::{Value, json};

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/samples/{name}.json")))
        .unwrap()
}

/// Reads a sample. What is written again says the same, and what newer versions may add or count up is
/// ignored or told.
fn read<M: Message>(name: &str) -> M {
    let stored: Value = serde_json::from_slice(&sample(name)).unwrap();
    let message: M = decode(&sample(name)).unwrap();
    let written: Value = serde_json::from_slice(&encode(&message)).unwrap();
    for (field, value) in stored.as_object().unwrap() {
        if !name.ends_with("-older") {
            assert_eq!(&written[field], value, "{name}: {field}");
        }
    }
    let mut later = stored.clone();
    later["a_field_of_later"] = json!([1]);
    let with_more = decode::<M>(later.to_string().as_bytes());
    if M::SCHEMA == RequestMessage::SCHEMA {
        // It would not do what its author meant.
        let told = with_more.err().unwrap().to_string();
        assert!(told.contains("a_field_of_later: unknown field"), "{told}");
    } else {
        with_more.unwrap();
    }
    later["schema"] = format!("{}/{}", M::SCHEMA, M::VERSION + 1).into();
    let newer = decode::<M>(later.to_string().as_bytes()).err();
    assert!(matches!(newer, Some(Unreadable::Newer(_))), "{name}: {newer:?}");
    message
}

#[test]
fn requests_are_read() {
    let request = |name| read::<RequestMessage>(name).into_request(None).unwrap();
    let (older, now) = (request("request-1-older"), request("request-1"));
    assert_eq!(older.rules.recheck_after, None);
    assert_eq!(now.rules.recheck_after.unwrap().as_millis(), 600_000);
    assert_eq!((older.check.clone(), &older.white_list), (now.check, &now.white_list));
    assert_eq!((older.rules.hide_after.get(), older.rules.on_blocked), (3, OnBlocked::Keep));
    assert_eq!(older.check.timeout.as_millis(), 3_000);
    let LinkSelection::Given(links) = request("request-1-attributes").links else { panic!("no links") };
    let link = links.iter().next().unwrap();
    assert_eq!((link.group.unwrap().as_str(), link.attributes.tags.unwrap().iter().count()), ("朋友", 2));
}

#[test]
fn beats_of_workers_are_read() {
    let worker = read::<WorkerMessage>("worker-1");
    assert_eq!((worker.name.as_str(), worker.under_way, worker.checked), ("mq-2:4711", 311, 90_210));
}

#[test]
fn jobs_are_read() {
    let job = Job::try_from(read::<JobMessage>("job-1")).unwrap();
    assert_eq!(job.links.len(), 1);
    assert_eq!(job.links[0].url.expose(), "https://me:secret@ming.example/");
    assert_eq!(job.links[0].page(&job.check).to_string(), "https://ming.example/links");
}

#[test]
fn what_comes_to_the_recorder_is_read() {
    let results = read::<ResultsMessage>("results-1");
    let checks = results.results;
    assert_eq!((checks[0].verdict, checks[1].verdict), (Some(Verdict::Down), None));
    assert!(checks[0].details.certificate.is_some() && checks[1].details.is_empty());
    assert!(read::<ParkingMessage>("parking-1").parked);
    assert!(matches!(ToRecorder::decode(&sample("results-1")), Ok(ToRecorder::Results(_))));
    assert!(matches!(ToRecorder::decode(&sample("parking-1")), Ok(ToRecorder::Parking(_))));
}

#[test]
fn what_is_told_to_others_is_read() {
    read::<CancelMessage>("cancel-1");
    assert_eq!(read::<AcceptedMessage>("accepted-1").links, 12);
    let wished = read::<RequestMessage>("request-1-wishes");
    assert!(wished.accepted && wished.progress && wished.lang == Some(linkbeat_shared::Lang::Zh));
    assert!(read::<RequestMessage>("request-1-cancel").cancel);
    assert!(read::<EventMessage>("event-1-progress").request_id.is_some());
    assert!(read::<ReportMessage>("report-1-refused").request_id.is_some());
    let (older, now) = (read::<ReportMessage>("report-1-older"), read::<ReportMessage>("report-1"));
    let (older, now) = (older.data.unwrap(), now.data.unwrap());
    assert_eq!((older.state, older.missing), (RunState::Finished, 0));
    assert_eq!((now.state, now.missing), (RunState::Incomplete, 1));
    assert_eq!(older.links, now.links);
    let held = read::<ReportMessage>("report-1-held-back").data.unwrap();
    assert_eq!(
        (held.state, held.would_hide, held.links[0].proposed),
        (RunState::HeldBack, 12, Some(Change::Hidden))
    );
    assert_eq!(held.held_back.unwrap().alike[0].links, 11);
    assert_eq!(read::<EventMessage>("event-1-older").report.unwrap().missing, 0);
    assert_eq!(read::<EventMessage>("event-1").report.unwrap().missing, 1);
    assert_eq!(read::<EventMessage>("event-1-link").link.unwrap().name, "小明");
}
