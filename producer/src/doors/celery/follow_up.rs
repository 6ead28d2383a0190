//! The tasks that follow a task: `link`, `link_error` and the rest of a chain. They are sent to the queues of those who
//! carry them out, as Python's workers send them.

use chrono::{Duration, SecondsFormat, Utc};
use linkbeat_broker::{Broker, HeaderValue, Message, PublishError, Target};
use linkbeat_shared::derived_id;
use serde_json::{Map, Value, json};

use super::card::Card;
use super::failure::{Failure, Kind};
use super::outcome::{Outcome, Status};
use super::repr;

/// Tasks of one kind that may follow, at most.
const MOST: usize = 1_000;

/// A message for a queue.
type Addressed = (String, Message);

/// Reads signatures of tasks that follow; `what` names them.
pub(super) fn signatures(value: Value, what: &str) -> Result<Vec<Value>, Failure> {
    let signatures = match value {
        Value::Null => Vec::new(),
        Value::Array(signatures) => signatures,
        one => vec![one],
    };
    if signatures.len() > MOST {
        return Err(Failure::value_error(format!("the task's {what} names more than {MOST} tasks")));
    }
    signatures.iter().try_for_each(|signature| check(signature, what))?;
    Ok(signatures)
}

fn check(signature: &Value, what: &str) -> Result<(), Failure> {
    let has_chord = signature["subtask_type"] == "chord" || !signature["options"]["chord"].is_null();
    if has_chord {
        let message =
            format!("the task's {what} has a chord, and linkbeat takes no part in chords: use a group");
        return Err(Failure::new(Kind::NotImplemented, message));
    }
    match members(signature) {
        Some(members) => members.iter().try_for_each(|member| check(member, what)),
        None if signature["task"].is_string() => Ok(()),
        None => Err(Failure::value_error(format!(
            "the task's {what} has something that is no signature of a task"
        ))),
    }
}

/// The tasks of a group.
fn members(signature: &Value) -> Option<&[Value]> {
    let is_group = signature["subtask_type"] == "group";
    is_group.then(|| signature["kwargs"]["tasks"].as_array().map_or(&[][..], Vec::as_slice))
}

/// What follows a task that ended so.
pub(super) fn of(id: &str, card: &Card, outcome: &Outcome, default_queue: &str) -> Vec<Addressed> {
    let (signatures, mut chain) = match outcome.status {
        Status::Success => (&card.callbacks, card.chain.clone()),
        Status::Failure => (&card.errbacks, Vec::new()),
        // As in Celery, nothing follows what was called off.
        Status::Revoked | Status::Started => return Vec::new(),
    };
    // Whoever follows gets what came out; after a failure, which task it was.
    let passed = if outcome.status == Status::Success { outcome.result.clone() } else { json!(id) };
    let mut following = Following { id, card, passed, default_queue, sent: Vec::new() };
    for signature in signatures {
        following.add(signature, &[]);
    }
    if let Some(next) = chain.pop() {
        following.add(&next, &chain);
    }
    following.sent
}

/// Sends a message to the queue of somebody else. One that RabbitMQ never takes is given up.
pub(super) async fn send(broker: &dyn Broker, queue: String, message: Message) -> Result<(), PublishError> {
    match broker.publish(&Target::Theirs(queue), message).await {
        Err(error @ PublishError::Refused(_)) => {
            tracing::warn!(%error, "a task that follows another one cannot be sent");
            Ok(())
        }
        sent => sent,
    }
}

struct Following<'a> {
    id: &'a str,
    card: &'a Card,
    passed: Value,
    default_queue: &'a str,
    sent: Vec<Addressed>,
}

impl Following<'_> {
    fn add(&mut self, signature: &Value, chain: &[Value]) {
        match members(signature) {
            Some(members) => members.iter().for_each(|member| self.add_one(member, chain)),
            None => self.add_one(signature, chain),
        }
    }

    fn add_one(&mut self, signature: &Value, chain: &[Value]) {
        let options = &signature["options"];
        let text = |name: &str| options[name].as_str().filter(|text| !text.is_empty());
        let place = self.sent.len();
        let id = text("task_id")
            .map_or_else(|| derived_id::celery_follow_up(self.id, place).to_string(), str::to_owned);
        let mut args = match &signature["args"] {
            Value::Array(args) => args.clone(),
            _ => Vec::new(),
        };
        if signature["immutable"] != true {
            args.insert(0, self.passed.clone());
        }
        let kwargs = signature["kwargs"].as_object().cloned().unwrap_or_default();
        let queue = text("queue").or(text("routing_key")).unwrap_or(self.default_queue);
        let mut message =
            Message::new(derived_id::celery_follow_up(self.id, place), body(&args, &kwargs, options, chain));
        message.correlation_id = Some(id.clone());
        message.reply_to = text("reply_to").map(str::to_owned);
        let root = self.card.root_id.as_deref().unwrap_or(self.id);
        let eta = options["countdown"].as_f64().and_then(eta_after);
        let headers = [
            ("lang", Some("py")),
            ("task", signature["task"].as_str()),
            ("id", Some(&id)),
            ("root_id", Some(root)),
            ("parent_id", Some(self.id)),
            ("group", text("group_id")),
            ("eta", eta.as_deref().or(text("eta"))),
            ("expires", text("expires")),
            ("origin", Some("linkbeat")),
            ("argsrepr", Some(&cut(repr::tuple(&args)))),
            ("kwargsrepr", Some(&cut(repr::dict(&kwargs)))),
        ];
        for (name, value) in headers {
            if let Some(value) = value {
                message.headers.add_foreign(name, value);
            }
        }
        message.headers.add_value("retries", HeaderValue::Number(0));
        message.headers.add_value("ignore_result", HeaderValue::Flag(options["ignore_result"] == true));
        self.sent.push((queue.to_owned(), message));
    }
}

fn body(args: &[Value], kwargs: &Map<String, Value>, options: &Value, chain: &[Value]) -> Vec<u8> {
    let listed = |value: &Value| match value {
        Value::Null | Value::Array(_) => value.clone(),
        one => json!([one]),
    };
    let chain = if chain.is_empty() { Value::Null } else { json!(chain) };
    let embedded = json!({
        "callbacks": listed(&options["link"]), "errbacks": listed(&options["link_error"]), "chain": chain, "chord": null,
    });
    json!([args, kwargs, embedded]).to_string().into_bytes()
}

/// So many seconds from now, within a year.
fn eta_after(seconds: f64) -> Option<String> {
    let seconds = seconds.clamp(0.0, 365.0 * 86_400.0);
    let delay = Duration::from_std(std::time::Duration::try_from_secs_f64(seconds).ok()?).ok()?;
    Some((Utc::now() + delay).to_rfc3339_opts(SecondsFormat::Micros, false))
}

/// A header has a limit in bytes.
fn cut(text: String) -> String {
    const MOST_BYTES: usize = 500;
    match text.char_indices().find(|(at, _)| *at > MOST_BYTES) {
        None => text,
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}
