//! The messages, as they travel: JSON, UTF-8, each with a `schema` field such as `linkbeat.job/1`.
//!
//! These types are the contract with other processes, versions and languages, so they stand apart from
//! the domain types and use plain JSON values. Readers ignore fields they do not know, except that a request with
//! such a field is refused: it would not do what its author meant. A message of a newer version is [`Unreadable::Newer`] and must be parked, not dropped. The JSON Schemas in
//! `docs/messages/` are made from these types.

mod accepted;
mod cancel;
mod event;
mod job;
mod parking;
mod report;
mod request;
mod results;
mod schema;
mod to_recorder;
mod worker;

pub use accepted::AcceptedMessage;
pub use cancel::CancelMessage;
pub use event::{
    EventMessage, LINK_HIDDEN, LINK_SHOWN, RUN_CANCELLED, RUN_DISCARDED, RUN_FINISHED, RUN_HELD_BACK,
    RUN_INCOMPLETE, RUN_PROGRESS, RUN_STARTED,
};
pub use job::{JobLinkMessage, JobMessage};
pub use parking::ParkingMessage;
pub use report::{LinkItem, ReportData, ReportMessage};
pub use request::{RequestLinkMessage, RequestMessage};
pub use results::ResultsMessage;
use schema::default_true;
pub use schema::{Message, Unreadable, decode, encode, schema_of};
pub use to_recorder::ToRecorder;
pub use worker::{WORKER_ALIVE, WorkerMessage};
