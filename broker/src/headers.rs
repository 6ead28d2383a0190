//! The headers of a message. Only this file knows how they are written.
//!
//! Anybody may have written a message. So headers that linkbeat does not know are limited in number and length.

use std::time::Duration;

use linkbeat_shared::{RunSize, TraceContext};

/// Most headers that travel, and the longest value, in bytes: far below one frame of AMQP (128 KiB).
pub(crate) const MAX_HEADERS: usize = 32;
pub(crate) const MAX_HEADER_BYTES: usize = 1_024;

/// How often its handling failed by our own fault.
const ATTEMPT: &str = "linkbeat-attempt";
/// How often it was lost with its holder, apart from most others.
const LOSSES: &str = "linkbeat-losses";
/// How often a fault of our own kept it from being done.
const FAULTS: &str = "linkbeat-faults";
/// The size of its run, where that is large.
const RUN_SIZE: &str = "linkbeat-run-size";
const LARGE: &str = "large";
/// Who asked for a run.
const ASKER: &str = "linkbeat-asker";
/// How long it has still to wait, in milliseconds.
const DELAY_LEFT: &str = "linkbeat-delay-left-ms";
/// Why it was parked, from which queue, and when.
const CAUSE: &str = "linkbeat-cause";
const QUEUE: &str = "linkbeat-queue";
const PARKED_AT: &str = "linkbeat-parked-at";
/// What was wrong with the properties of a message; set on this side alone, see `rabbit/guard`.
pub(crate) const UNREADABLE: &str = "linkbeat-unreadable";
/// W3C Trace Context.
const TRACE_PARENT: &str = "traceparent";
const TRACE_STATE: &str = "tracestate";
/// RabbitMQ's own, on what it has taken out of a queue (<https://www.rabbitmq.com/docs/dlx#effects>).
const REMOVED_FROM: &str = "x-first-death-queue";
const REMOVED_BECAUSE: &str = "x-first-death-reason";
const OF_REMOVALS: [&str; 2] = ["x-first-death-", "x-last-death-"];

/// What a message says besides its body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers {
    /// Ties it to the request that caused it.
    pub trace: Option<TraceContext>,
    /// How often its handling failed by our own fault, its holder living on.
    pub attempt: u32,
    /// How often it was lost with its holder, or its holder's session, apart from most others.
    pub losses: u32,
    /// How often a fault of our own kept it from being done.
    pub faults: u32,
    /// The size of its run.
    pub run_size: RunSize,
    /// Who asked for a run, as a producer found it. Anybody may have written this.
    pub asker: String,
    /// The AMQP user who published it, if the message says so. RabbitMQ has made sure that it is true. Never sent.
    pub user: Option<String>,
    /// How long it has still to wait.
    pub(crate) delay_left: Duration,
    /// How it was parked.
    pub(crate) parked: Parked,
    /// That RabbitMQ has taken it out of a queue. Never sent: RabbitMQ sets it by itself.
    pub(crate) removed: Option<Removed>,
    /// Its properties could not be read as they came, and why. Never sent.
    pub(crate) unreadable: Option<String>,
    foreign: Vec<(String, String)>,
    values: Vec<(String, HeaderValue)>,
}

/// A header that is no text. linkbeat's own messages have none. Those of other systems, such as Celery, have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderValue {
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
}

/// How a message was parked; texts are empty where it does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Parked {
    /// For people.
    pub(crate) cause: String,
    /// The queue it came from, without the namespace.
    pub(crate) queue: String,
    /// When, RFC 3339 in UTC.
    pub(crate) at: String,
}

/// What RabbitMQ says of a message that it took out of a queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    /// The whole name of the first queue.
    pub(crate) queue: String,
    /// In one word, such as `delivery_limit`.
    pub(crate) reason: String,
}

impl Headers {
    /// The headers that linkbeat does not know: names and texts, for people to look at.
    pub fn foreign(&self) -> &[(String, String)] {
        &self.foreign
    }

    /// Adds a header that linkbeat does not know, within the bounds. `false`: there is no room for it, or linkbeat
    /// gives the name a meaning.
    pub fn add_foreign(&mut self, name: impl Into<String>, value: impl Into<String>) -> bool {
        let (name, value) = (name.into(), value.into());
        let fits = self.foreign.len() < MAX_HEADERS && value.len() <= MAX_HEADER_BYTES && !is_known(&name);
        if fits {
            self.foreign.push((name, value));
        }
        fits
    }

    /// The headers that are no texts.
    pub fn values(&self) -> &[(String, HeaderValue)] {
        &self.values
    }

    /// Adds a header that is no text, within the bounds; `false`: there is no room for it.
    pub fn add_value(&mut self, name: impl Into<String>, value: HeaderValue) -> bool {
        let fits = self.values.len() < MAX_HEADERS;
        if fits {
            self.values.push((name.into(), value));
        }
        fits
    }

    /// The text of a header that linkbeat does not know.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.foreign.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
    }

    /// All that travel, as names and texts. Ours come first, so that foreign ones cannot crowd them out.
    pub fn texts(&self) -> Vec<(String, String)> {
        let number = |number: u64| if number > 0 { number.to_string() } else { String::new() };
        let trace = self.trace.as_ref();
        let delay_left = u64::try_from(self.delay_left.as_millis()).unwrap_or(u64::MAX);
        let ours = [
            (TRACE_PARENT, trace.map_or("", TraceContext::parent).to_owned()),
            (TRACE_STATE, trace.and_then(TraceContext::state).unwrap_or_default().to_owned()),
            (ATTEMPT, number(self.attempt.into())),
            (LOSSES, number(self.losses.into())),
            (FAULTS, number(self.faults.into())),
            (RUN_SIZE, if self.run_size == RunSize::Large { LARGE.to_owned() } else { String::new() }),
            (ASKER, self.asker.clone()),
            (DELAY_LEFT, number(delay_left)),
            (CAUSE, self.parked.cause.clone()),
            (QUEUE, self.parked.queue.clone()),
            (PARKED_AT, self.parked.at.clone()),
        ];
        let ours = ours.into_iter().filter(|(_, text)| !text.is_empty());
        let ours = ours.map(|(name, text)| (name.to_owned(), text));
        ours.chain(self.foreign.iter().cloned()).take(MAX_HEADERS).collect()
    }

    /// Reads names and texts. What is too long or too much is left out.
    pub(crate) fn of_texts<'a>(texts: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let (mut headers, mut trace) = (Self::default(), (None, None));
        for (name, text) in texts.filter(|(_, text)| text.len() <= MAX_HEADER_BYTES) {
            let count = || text.parse().unwrap_or(0);
            match name {
                TRACE_PARENT => trace.0 = Some(text),
                TRACE_STATE => trace.1 = Some(text),
                ATTEMPT => headers.attempt = count(),
                LOSSES => headers.losses = count(),
                FAULTS => headers.faults = count(),
                RUN_SIZE if text == LARGE => headers.run_size = RunSize::Large,
                RUN_SIZE => {}
                ASKER => text.clone_into(&mut headers.asker),
                DELAY_LEFT => headers.delay_left = Duration::from_millis(text.parse().unwrap_or(0)),
                CAUSE => text.clone_into(&mut headers.parked.cause),
                QUEUE => text.clone_into(&mut headers.parked.queue),
                PARKED_AT => text.clone_into(&mut headers.parked.at),
                UNREADABLE => headers.unreadable = Some(text.to_owned()),
                REMOVED_FROM => text.clone_into(&mut headers.removed.get_or_insert_default().queue),
                REMOVED_BECAUSE => text.clone_into(&mut headers.removed.get_or_insert_default().reason),
                name => drop(headers.add_foreign(name, text)),
            }
        }
        headers.trace = trace.0.and_then(|parent| TraceContext::parse(parent, trace.1));
        headers
    }
}

/// Those of RabbitMQ's removals are set by RabbitMQ alone.
fn is_known(name: &str) -> bool {
    let ours = [
        TRACE_PARENT,
        TRACE_STATE,
        ATTEMPT,
        LOSSES,
        FAULTS,
        RUN_SIZE,
        ASKER,
        DELAY_LEFT,
        CAUSE,
        QUEUE,
        PARKED_AT,
        UNREADABLE,
    ];
    ours.contains(&name) || OF_REMOVALS.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn read(texts: &[(String, String)]) -> Headers {
        Headers::of_texts(texts.iter().map(|(name, text)| (name.as_str(), text.as_str())))
    }

    #[test]
    fn all_headers_come_back_from_their_texts() {
        let mut headers = Headers {
            trace: TraceContext::parse(PARENT, Some("vendor=1")),
            attempt: 1,
            losses: 2,
            faults: 4,
            run_size: RunSize::Large,
            asker: "blog".into(),
            delay_left: Duration::from_millis(3),
            parked: Parked { cause: "é".into(), queue: "jobs".into(), at: "2026-01-01T00:00:00Z".into() },
            ..Headers::default()
        };
        assert!(headers.add_foreign("task", "links.check"));
        assert_eq!(headers.texts().len(), 12);
        assert_eq!(read(&headers.texts()), headers);
        assert_eq!(Headers::default().texts(), []);
    }

    #[test]
    fn foreign_headers_are_bounded_and_cannot_crowd_ours_out() {
        let mut texts: Vec<_> = (0..100).map(|n| (format!("h{n}"), "v".to_owned())).collect();
        texts.push(("big".to_owned(), "x".repeat(MAX_HEADER_BYTES + 1)));
        texts.push((ATTEMPT.to_owned(), "7".to_owned()));
        let mut headers = read(&texts);
        assert_eq!((headers.foreign().len(), headers.attempt), (MAX_HEADERS, 7));
        assert!(!headers.add_foreign("one more", "v"));
        let sent = headers.texts();
        assert_eq!((sent.len(), &sent[0]), (MAX_HEADERS, &(ATTEMPT.to_owned(), "7".to_owned())));
    }

    #[test]
    fn what_rabbitmq_says_of_a_removal_is_read_and_not_sent_on() {
        let texts = [
            ("x-first-death-queue", "linkbeat.jobs"),
            ("x-first-death-reason", "maxlen"),
            ("x-last-death-exchange", "linkbeat.jobs"),
        ];
        let headers = Headers::of_texts(texts.into_iter());
        let removed = Removed { queue: "linkbeat.jobs".into(), reason: "maxlen".into() };
        assert_eq!((headers.removed.as_ref(), headers.texts()), (Some(&removed), Vec::new()));
    }
}
