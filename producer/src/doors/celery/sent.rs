//! Reads a task from its message, in either version of Celery's protocol
//! (<https://docs.celeryq.dev/en/stable/internals/protocol.html>).
//!
//! Anybody may have written the message. Its size is checked before it is unpacked and parsed.

use std::io::Read;

use chrono::Utc;
use flate2::read::ZlibDecoder;
use linkbeat_broker::{HeaderValue, Message};
use linkbeat_shared::wire::{Message as _, RequestMessage};
use serde_json::{Map, Value};

use super::card::Card;
use super::failure::{Failure, Kind};
use super::typed::{moment, untyped};
use super::{follow_up, repr};

/// The longest id of a task: backends keep no longer ones.
const MOST_ID_BYTES: usize = 255;
/// The largest message that is parsed, unpacked, in bytes. It is that of JSON requests.
const MOST_BYTES: usize = RequestMessage::MAX_BYTES;

/// A task, as its message tells it.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) id: String,
    pub(super) card: Card,
    /// Its arguments.
    pub(super) arguments: Result<Arguments, Failure>,
}

/// Arguments of a task.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    pub(super) args: Vec<Value>,
    pub(super) kwargs: Map<String, Value>,
}

impl Sent {
    /// Reads a task. `None`: the message names no task that could be answered.
    pub(super) fn read(message: &Message, queue: &str) -> Option<Self> {
        let body = body(message);
        let mut card = Card { queue: queue.to_owned(), received_at: Utc::now(), ..Card::default() };
        card.askers.extend(message.reply_to.clone().filter(|asker| !asker.is_empty()));
        card.trace =
            message.headers.trace.as_ref().map(|it| (it.parent().to_owned(), it.state().map(str::to_owned)));
        let (id, parts) = match message.headers.text("task") {
            Some(name) => (message.headers.text("id"), second_version(&mut card, name, message, body)),
            None => (None, first_version(&mut card, body)),
        };
        let id = match (id, &parts) {
            (Some(id), _) => id.to_owned(),
            (None, Ok(Parts { id: Some(id), .. })) => id.clone(),
            (None, _) => message.correlation_id.clone()?,
        };
        if id.is_empty() || id.len() > MOST_ID_BYTES || id.contains('\0') {
            return None;
        }
        let arguments = parts.and_then(|parts| parts.into_arguments(&mut card));
        Some(Self { id, card, arguments })
    }
}

/// What both versions say in the body.
#[derive(Default)]
struct Parts {
    id: Option<String>,
    args: Value,
    kwargs: Value,
    callbacks: Value,
    errbacks: Value,
    chain: Value,
    chord: Value,
}

impl Parts {
    fn into_arguments(self, card: &mut Card) -> Result<Arguments, Failure> {
        card.callbacks = follow_up::signatures(self.callbacks, "link")?;
        card.errbacks = follow_up::signatures(self.errbacks, "link_error")?;
        card.chain = follow_up::chain(self.chain)?;
        let arguments = Arguments { args: list(self.args)?, kwargs: dict(self.kwargs)? };
        card.args = repr::tuple(&arguments.args);
        card.kwargs = repr::dict(&arguments.kwargs);
        if !self.chord.is_null() {
            card.chord = follow_up::own_id(&self.chord).map(str::to_owned);
            return Err(Failure::new(
                Kind::NotImplemented,
                "linkbeat takes no part in chords, as only Python workers can count for them: send a group, \
                 and wait for its results",
            ));
        }
        Ok(arguments)
    }
}

/// The message tells of the task in its headers; the body is `[args, kwargs, embed]`.
fn second_version(
    card: &mut Card,
    name: &str,
    message: &Message,
    body: Result<Value, Failure>,
) -> Result<Parts, Failure> {
    let headers = &message.headers;
    let text = |name: &str| headers.text(name).map(str::to_owned);
    let value =
        |wanted: &str| headers.values().iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
    name.clone_into(&mut card.name);
    card.root_id = text("root_id");
    card.parent_id = text("parent_id");
    card.group_id = text("group");
    card.ignore_result = value("ignore_result") == Some(HeaderValue::Flag(true));
    if let Some(HeaderValue::Number(retries)) = value("retries") {
        card.retries = retries;
    }
    let mut parts = match body? {
        Value::Array(parts) if (2..=3).contains(&parts.len()) => parts.into_iter(),
        _ => return Err(Failure::value_error("the task's body is no list of args, kwargs and options")),
    };
    let (args, kwargs) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let mut embedded = dict(parts.next().unwrap_or_default())?;
    let mut take = |name: &str| embedded.remove(name).unwrap_or_default();
    card.eta = headers.text("eta").map(|text| moment(text, "eta")).transpose()?;
    card.expires = headers.text("expires").map(|text| moment(text, "expires")).transpose()?;
    Ok(Parts {
        id: None,
        args,
        kwargs,
        callbacks: take("callbacks"),
        errbacks: take("errbacks"),
        chain: take("chain"),
        chord: take("chord"),
    })
}

/// All of it stands in the body.
fn first_version(card: &mut Card, body: Result<Value, Failure>) -> Result<Parts, Failure> {
    let Value::Object(mut fields) = body? else {
        return Err(Failure::value_error("the task's message is no JSON object"));
    };
    let mut take = |name: &str| fields.remove(name).unwrap_or_default();
    let text = |value: Value| value.as_str().map(str::to_owned);
    card.name = text(take("task")).unwrap_or_default();
    card.group_id = text(take("taskset"));
    card.retries = take("retries").as_i64().unwrap_or_default();
    card.eta = text(take("eta")).map(|text| moment(&text, "eta")).transpose()?;
    card.expires = text(take("expires")).map(|text| moment(&text, "expires")).transpose()?;
    Ok(Parts {
        id: text(take("id")),
        args: take("args"),
        kwargs: take("kwargs"),
        callbacks: take("callbacks"),
        errbacks: take("errbacks"),
        chain: take("chain"),
        chord: take("chord"),
    })
}

fn body(message: &Message) -> Result<Value, Failure> {
    let content_type = message.content_type.split(';').next().unwrap_or_default().trim();
    if content_type != "application/json" {
        return Err(Failure::value_error(format!(
            "the task's message is `{}`, and linkbeat reads JSON alone: set task_serializer = 'json'",
            content_type.escape_debug()
        )));
    }
    let unpacked = unpacked(message)?;
    serde_json::from_slice(unpacked.as_deref().unwrap_or(&message.body)).map_err(|error| {
        Failure::value_error(format!("the task's message is no JSON in UTF-8: {}", place(&error)))
    })
}

/// The body, if it was packed.
fn unpacked(message: &Message) -> Result<Option<Vec<u8>>, Failure> {
    let too_large = || {
        Failure::value_error(format!("the task's message is too large: at most {MOST_BYTES} bytes are read"))
    };
    if message.body.len() > MOST_BYTES {
        return Err(too_large());
    }
    match message.headers.text("compression") {
        None => Ok(None),
        // By this name kombu means a zlib stream.
        Some("application/x-gzip") => {
            let mut unpacked = Vec::new();
            let read =
                ZlibDecoder::new(&message.body[..]).take(MOST_BYTES as u64 + 1).read_to_end(&mut unpacked);
            read.map_err(|_| {
                Failure::value_error("the task's message cannot be unpacked: it is no zlib stream")
            })?;
            if unpacked.len() > MOST_BYTES { Err(too_large()) } else { Ok(Some(unpacked)) }
        }
        Some(other) => Err(Failure::value_error(format!(
            "the task's message is packed as `{}`, and linkbeat unpacks zlib alone: set task_compression = 'zlib' \
             or none",
            other.escape_debug()
        ))),
    }
}

/// Where the fault is, without quoting the message.
fn place(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}

fn list(value: Value) -> Result<Vec<Value>, Failure> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(values) => values.into_iter().map(untyped).collect(),
        _ => Err(Failure::type_error("the task's args are no list")),
    }
}

fn dict(value: Value) -> Result<Map<String, Value>, Failure> {
    match value {
        Value::Null => Ok(Map::new()),
        Value::Object(values) => {
            values.into_iter().map(|(name, value)| Ok((name, untyped(value)?))).collect()
        }
        _ => Err(Failure::type_error("the task's kwargs are no dict")),
    }
}
