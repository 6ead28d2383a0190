//! The tasks that follow a task: `link`, `link_error` and the rest of a chain. They are sent to the queues of those who
//! carry them out, as Python's workers send them.

use chrono::{Duration, SecondsFormat, Utc};
use linkbeat_broker::{Broker, HeaderValue, Message, PublishError, Target};
use linkbeat_shared::derived_id;
use serde_json::{Map, Value, json};

use super::card::Card;
use super::failure::{Failure, Kind};
use super::outcome::{Outcome, Status};
use super::{CelerySettings, repr};

/// Tasks of one kind that may follow, at most.
const MOST: usize = 1_000;

/// A message for a queue.
type Addressed = (String, Message);

/// What a signature stands for.
enum Shape<'a> {
    Task,
    /// All of them follow at once.
    Group(&'a [Value]),
    /// One follows the other.
    Chain(&'a [Value]),
}

impl<'a> Shape<'a> {
    fn of(signature: &'a Value) -> Self {
        let tasks = || signature["kwargs"]["tasks"].as_array().map_or(&[][..], Vec::as_slice);
        match signature["subtask_type"].as_str() {
            Some("group") => Self::Group(tasks()),
            Some("chain") => Self::Chain(tasks()),
            _ => Self::Task,
        }
    }
}

/// Reads signatures of tasks that follow; `what` names them.
pub(super) fn signatures(value: Value, what: &str) -> Result<Vec<Value>, Failure> {
    let signatures = listed(value);
    signatures.iter().try_for_each(|signature| check(signature, what, false))?;
    bounded(signatures, what)
}

/// Reads the rest of a chain. The last one is next.
pub(super) fn chain(value: Value) -> Result<Vec<Value>, Failure> {
    let steps = listed(value);
    steps.iter().enumerate().try_for_each(|(after, step)| check(step, "chain", after > 0))?;
    bounded(steps, "chain")
}

fn listed(value: Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(signatures) => signatures,
        one => vec![one],
    }
}

fn bounded(signatures: Vec<Value>, what: &str) -> Result<Vec<Value>, Failure> {
    if signatures.iter().map(tasks_in).sum::<usize>() > MOST {
        return Err(Failure::value_error(format!("the task's {what} names more than {MOST} tasks")));
    }
    Ok(signatures)
}

fn tasks_in(signature: &Value) -> usize {
    match Shape::of(signature) {
        Shape::Task => 1,
        Shape::Group(tasks) | Shape::Chain(tasks) => tasks.iter().map(tasks_in).sum(),
    }
}

/// `followed`: something comes after it.
fn check(signature: &Value, what: &str, followed: bool) -> Result<(), Failure> {
    let is_group = matches!(Shape::of(signature), Shape::Group(_));
    let is_chord = signature["subtask_type"] == "chord" || !signature["options"]["chord"].is_null();
    // What follows all of a group would have to count its results.
    if is_chord || (is_group && followed) {
        let message =
            format!("the task's {what} has a chord, and linkbeat takes no part in chords: use a group");
        return Err(Failure::new(Kind::NotImplemented, message));
    }
    match Shape::of(signature) {
        Shape::Group(members) => members.iter().try_for_each(|member| check(member, what, followed)),
        Shape::Chain(steps) => (1..).zip(steps).try_for_each(|(number, step)| {
            let followed = followed || number < steps.len();
            check(step, what, followed)
        }),
        Shape::Task if signature["task"].is_string() => Ok(()),
        Shape::Task => Err(Failure::value_error(format!(
            "the task's {what} has something that is no signature of a task"
        ))),
    }
}

/// The id that a signature gives its task.
pub(super) fn own_id(signature: &Value) -> Option<&str> {
    signature["options"]["task_id"].as_str().filter(|id| !id.is_empty())
}

/// One task that follows, and the rest of the chain that it begins.
pub(super) struct Next<'a> {
    signature: &'a Value,
    /// The last one is next.
    chain: Vec<&'a Value>,
    /// Which of all that follow it is.
    place: usize,
}

/// What follows a task that ended so.
pub(super) fn of<'a>(card: &'a Card, outcome: &Outcome) -> Vec<Next<'a>> {
    let (signatures, chain) = match outcome.status {
        Status::Success => (&card.callbacks, &card.chain[..]),
        Status::Failure => (&card.errbacks, &[][..]),
        // As in Celery, nothing follows what was called off.
        Status::Revoked | Status::Started => return Vec::new(),
    };
    let mut following = Vec::new();
    for signature in signatures {
        add(&mut following, signature, Vec::new());
    }
    if let Some((next, rest)) = chain.split_last() {
        add(&mut following, next, rest.iter().collect());
    }
    following
}

fn add<'a>(following: &mut Vec<Next<'a>>, signature: &'a Value, mut chain: Vec<&'a Value>) {
    match Shape::of(signature) {
        Shape::Task => following.push(Next { signature, chain, place: following.len() }),
        Shape::Group(members) => members.iter().for_each(|member| add(following, member, chain.clone())),
        Shape::Chain(steps) => {
            let Some((first, rest)) = steps.split_first() else { return };
            chain.extend(rest.iter().rev());
            add(following, first, chain);
        }
    }
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

impl Next<'_> {
    /// Its message, and where it goes. It follows the task of this id.
    pub(super) fn message(
        &self,
        id: &str,
        card: &Card,
        outcome: &Outcome,
        ours: &CelerySettings,
    ) -> Addressed {
        let Self { signature, chain, place } = self;
        let options = &signature["options"];
        let text = |name: &str| options[name].as_str().filter(|text| !text.is_empty());
        let follow_up = derived_id::celery_follow_up(id, *place);
        let own_id = own_id(signature).map_or_else(|| follow_up.to_string(), str::to_owned);
        let mut args = match &signature["args"] {
            Value::Array(args) => args.clone(),
            _ => Vec::new(),
        };
        if signature["immutable"] != true {
            args.insert(0, passed(id, outcome));
        }
        let kwargs = signature["kwargs"].as_object().cloned().unwrap_or_default();
        let mut message = Message::new(follow_up, body(&args, &kwargs, options, chain));
        message.correlation_id = Some(own_id.clone());
        message.reply_to = text("reply_to").map(str::to_owned);
        let eta = options["countdown"].as_f64().and_then(eta_after);
        let headers = [
            ("lang", Some("py")),
            ("task", signature["task"].as_str()),
            ("id", Some(&own_id)),
            ("root_id", Some(card.root_id.as_deref().unwrap_or(id))),
            ("parent_id", Some(id)),
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
        (self.queue(card, ours).to_owned(), message)
    }

    /// The routes of the app are not known here. But a task that linkbeat carries out is at home where the one before came
    /// from.
    fn queue<'a>(&'a self, card: &'a Card, ours: &'a CelerySettings) -> &'a str {
        let options = &self.signature["options"];
        let text = |name: &str| options[name].as_str().filter(|text| !text.is_empty());
        let is_ours =
            self.signature["task"].as_str().is_some_and(|name| ours.tasks.iter().any(|it| it == name));
        let home = if is_ours { &card.queue } else { &ours.default_queue };
        text("queue").or(text("routing_key")).unwrap_or(home)
    }
}

/// Whoever follows gets what came out; after a failure, which task it was.
fn passed(id: &str, outcome: &Outcome) -> Value {
    if outcome.status == Status::Success { outcome.result.clone() } else { json!(id) }
}

fn body(args: &[Value], kwargs: &Map<String, Value>, options: &Value, chain: &[&Value]) -> Vec<u8> {
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
