//! Questions and orders to all Celery workers (`celery inspect`, `celery control`, Flower), and linkbeat's answers.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use linkbeat_broker::{Broker, Event, HeaderValue, Message, Target};
use regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{ANSWERS, Desk, QUESTIONS, inspect, revoke};

/// The largest question that is read.
const MOST_BYTES: usize = 1 << 20;
/// Questions answered at once; others are dropped, as whoever asks waits a second only.
const AT_ONCE: usize = 16;
/// How long answering may take.
const LIMIT: Duration = Duration::from_secs(5);
/// The longest pattern of names of workers.
const MOST_PATTERN: usize = 256;

/// What somebody asks of workers.
#[derive(Debug, Deserialize)]
struct Question {
    method: String,
    #[serde(default)]
    arguments: Option<Map<String, Value>>,
    #[serde(default)]
    destination: Option<Vec<String>>,
    #[serde(default)]
    pattern: Option<String>,
    #[serde(default)]
    matcher: Option<String>,
    #[serde(default)]
    ticket: Option<String>,
    #[serde(default)]
    reply_to: Option<Asker>,
}

#[derive(Debug, Deserialize)]
struct Asker {
    routing_key: String,
}

/// Answers until `shutdown`.
pub(super) async fn run(desk: &Arc<Desk>, shutdown: &CancellationToken) {
    let Ok(mut questions) = desk.broker.listen_to(QUESTIONS) else { return };
    let mut answering = FuturesUnordered::new();
    loop {
        let event = tokio::select! {
            () = shutdown.cancelled() => return,
            event = questions.next() => event,
            Some(()) = answering.next() => continue,
        };
        match event {
            Some(Event::Published { message, .. }) if answering.len() < AT_ONCE => {
                answering.push(answer(desk, message));
            }
            Some(Event::Published { .. } | Event::Listening) => {}
            None => return,
        }
    }
}

async fn answer(desk: &Desk, message: Message) {
    if message.body.len() > MOST_BYTES {
        return;
    }
    let Ok(question) = serde_json::from_slice::<Question>(&message.body) else {
        tracing::debug!("a question to Celery's workers is not readable");
        return;
    };
    if !question.is_for(desk.teller.hostname()) {
        return;
    }
    let Ok(Some(answer)) = timeout(LIMIT, answer_to(desk, &question)).await else { return };
    if let Some(asker) = &question.reply_to {
        reply(desk, asker, question.ticket.as_deref(), &answer).await;
    }
}

impl Question {
    fn is_for(&self, hostname: &str) -> bool {
        if let Some(destination) = &self.destination {
            return destination.iter().any(|name| name == hostname);
        }
        let Some(pattern) = &self.pattern else { return true };
        let expression = match self.matcher.as_deref() {
            Some("pcre") => format!("^(?:{pattern})"),
            _ => format!("^{}$", regex::escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")),
        };
        pattern.len() <= MOST_PATTERN && Regex::new(&expression).is_ok_and(|regex| regex.is_match(hostname))
    }

    /// An argument, or null.
    fn argument(&self, name: &str) -> &Value {
        self.arguments.as_ref().and_then(|arguments| arguments.get(name)).unwrap_or(&Value::Null)
    }
}

/// `None`: there is nothing to say.
async fn answer_to(desk: &Desk, question: &Question) -> Option<Value> {
    let told = |text: &str| Some(json!({ "ok": text }));
    let events = |on: bool, text: &str| match desk.teller.tell_of_tasks(on) {
        true => json!({ "ok": format!("task events {text}") }),
        false => json!({ "ok": format!("task events already {text}") }),
    };
    match question.method.as_str() {
        "ping" => told("pong"),
        "heartbeat" => {
            desk.teller.worker("worker-heartbeat");
            told("heartbeat sent")
        }
        "enable_events" => Some(events(true, "enabled")),
        "disable_events" => Some(events(false, "disabled")),
        "revoke" | "terminate" => Some(revoke::revoke(desk, question.argument("task_id")).await),
        "report" => told(&format!("linkbeat {}", env!("CARGO_PKG_VERSION"))),
        "clock" => Some(json!({ "clock": desk.teller.tick() })),
        // Another worker that begins. It is told what was called off.
        "hello" if question.argument("from_node") != desk.teller.hostname() => {
            Some(json!({ "revoked": {}, "clock": desk.teller.tick() }))
        }
        "hello" | "election" => None,
        "stats" => Some(inspect::stats(desk)),
        "conf" => Some(inspect::conf(desk)),
        "registered" | "registered_tasks" | "dump_tasks" => Some(json!(desk.settings.tasks)),
        "active_queues" => Some(inspect::queues(desk)),
        "active" | "dump_active" => Some(inspect::active(desk).await),
        "scheduled" | "dump_schedule" => Some(inspect::scheduled(desk).await),
        // What has come is filed at once, so nothing is held back.
        "reserved" | "dump_reserved" => Some(json!([])),
        "revoked" | "dump_revoked" => Some(inspect::revoked(desk).await),
        "query_task" => Some(inspect::query(desk, question.argument("ids")).await),
        "shutdown" | "pool_restart" => {
            refused(&question.method, "stop it where it was started, as a service")
        }
        "pool_grow" | "pool_shrink" | "autoscale" => {
            refused(&question.method, "start more of linkbeat's workers")
        }
        "add_consumer" | "cancel_consumer" => {
            refused(&question.method, "its queues are in its setting celery.queues")
        }
        "rate_limit" | "time_limit" => refused(&question.method, "its own settings limit it"),
        "revoke_by_stamped_headers" => refused(&question.method, "revoke its tasks by their ids"),
        other => refused(&other.chars().take(64).collect::<String>(), "it has no such command"),
    }
}

fn refused(method: &str, instead: &str) -> Option<Value> {
    Some(json!({ "error": format!("linkbeat does not do {}: {instead}", method.escape_debug()) }))
}

async fn reply(desk: &Desk, asker: &Asker, ticket: Option<&str>, answer: &Value) {
    let body = json!({ desk.teller.hostname(): answer });
    let mut message = Message::new(Uuid::now_v7(), body.to_string());
    if let Some(ticket) = ticket {
        message.headers.add_foreign("ticket", ticket);
    }
    let clock = i64::try_from(desk.teller.tick()).unwrap_or(i64::MAX);
    message.headers.add_value("clock", HeaderValue::Number(clock));
    // Where another exchange is named, nobody listens at this one, and nothing comes of it.
    let target = Target::Listeners(ANSWERS, asker.routing_key.clone());
    if let Err(error) = desk.broker.publish(&target, message).await {
        tracing::debug!(%error, "an answer to Celery's control is lost");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_may_be_for_some_workers() {
        let is_for = |question: Value| {
            let question: Question = serde_json::from_value(question).unwrap();
            question.is_for("linkbeat@host.a")
        };
        assert!(is_for(json!({"method": "ping"})));
        assert!(is_for(json!({"method": "ping", "destination": ["celery@b", "linkbeat@host.a"]})));
        assert!(!is_for(json!({"method": "ping", "destination": []})));
        for (pattern, matcher, expected) in [
            ("linkbeat@*", "glob", true),
            ("linkbeat@host?a", "glob", true),
            ("*.b", "glob", false),
            ("link.*@", "pcre", true),
            ("(", "pcre", false),
        ] {
            assert_eq!(
                is_for(json!({"method": "ping", "pattern": pattern, "matcher": matcher})),
                expected,
                "{pattern}"
            );
        }
    }
}
