//! `docs/messages/` is made from the message types and must be current.
//!
//! To make it anew: `UPDATE_SCHEMAS=1 cargo test -p linkbeat-shared --test schemas`

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::PathBuf;

use linkbeat_shared::wire::{
    AcceptedMessage, CancelMessage, EventMessage, JobMessage, Message, ParkingMessage, ReportMessage,
    RequestMessage, ResultsMessage, WorkerMessage, schema_of,
};

fn check<M: Message>() {
    let mut schema = schemars::schema_for!(M).to_value();
    schema["$id"] = schema_of::<M>().into();
    schema["properties"]["schema"]["const"] = schema_of::<M>().into();
    let current = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    let name = schema_of::<M>().replace('/', "-");
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/messages/{name}.json"));
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(&file, &current).unwrap();
    }
    let stored = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(stored, current, "{} is not current; see the head of this test", file.display());
}

#[test]
fn the_documented_schemas_are_current() {
    check::<RequestMessage>();
    check::<AcceptedMessage>();
    check::<JobMessage>();
    check::<ResultsMessage>();
    check::<ReportMessage>();
    check::<EventMessage>();
    check::<ParkingMessage>();
    check::<CancelMessage>();
    check::<WorkerMessage>();
}
