//! Turns linkbeat's messages into AMQP's, and back: addresses, properties and headers.
//!
//! Anybody may have written what comes in, so it is bounded here. What goes out must fit AMQP's limits: a short string
//! over 255 bytes, or headers over one frame, would end the whole connection.

use std::borrow::Cow;

use bytes::Bytes;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use linkbeat_shared::{ReplyTo, derived_id};
use uuid::Uuid;

use super::{BrokerSettings, direct};
use crate::delay::next_rung;
use crate::queue::events_exchange;
use crate::{
    Exchange, ForeignExchange, HeaderValue, Headers, Message, Namespace, PublishError, Queue, Target,
};

const TRANSIENT: u8 = 1;
const PERSISTENT: u8 = 2;

/// A message made ready for sending, as often as it takes.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) exchange: ShortString,
    pub(super) routing_key: ShortString,
    /// It must reach a queue; otherwise RabbitMQ gives it back.
    pub(super) mandatory: bool,
    pub(super) receiver: Receiver,
    pub(super) body: Bytes,
    pub(super) properties: BasicProperties,
}

/// Who is to receive a parcel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Receiver {
    /// A queue of ours, which is made again when it is gone: nothing of this is lost.
    Ours,
    /// Whoever listens to an event, by queues that are none of our business.
    Listeners,
    /// Whoever asked, by a queue of theirs.
    Asker,
}

/// Where a parcel goes, and how.
struct Route {
    exchange: String,
    key: String,
    mandatory: bool,
    receiver: Receiver,
    delivery_mode: u8,
}

impl Route {
    /// Into a queue that linkbeat declares.
    fn to_queue(queue: &Queue, namespace: &Namespace) -> Self {
        let name = queue.name_in(namespace);
        let exchange = match queue.exchange() {
            Exchange::Fanout | Exchange::Direct => name.clone(),
            Exchange::Events(_) | Exchange::Foreign(_) | Exchange::Default => String::new(),
        };
        // A fanout exchange needs no key; there it only tells the queue, in logs.
        let (receiver, delivery_mode) = (Receiver::Ours, PERSISTENT);
        Self { exchange, key: name, mandatory: true, receiver, delivery_mode }
    }

    fn of_event(key: &str, namespace: &Namespace) -> Self {
        Self {
            exchange: events_exchange(namespace),
            key: key.to_owned(),
            mandatory: false,
            receiver: Receiver::Listeners,
            delivery_mode: PERSISTENT,
        }
    }

    fn to_listeners(exchange: ForeignExchange, key: &str) -> Self {
        Self {
            exchange: exchange.name.to_owned(),
            key: key.to_owned(),
            mandatory: false,
            receiver: Receiver::Listeners,
            delivery_mode: TRANSIENT,
        }
    }

    fn to_theirs(queue: &str) -> Self {
        Self {
            exchange: String::new(),
            key: queue.to_owned(),
            mandatory: true,
            receiver: Receiver::Asker,
            delivery_mode: PERSISTENT,
        }
    }

    fn of_reply(reply: &ReplyTo) -> Self {
        Self {
            exchange: String::new(),
            key: reply.queue.clone(),
            mandatory: !reply.queue.starts_with(direct::PREFIX),
            receiver: Receiver::Asker,
            // Whoever asked is waiting now; an answer need not survive a restart of the server.
            delivery_mode: TRANSIENT,
        }
    }
}

impl Parcel {
    pub(super) fn new(
        namespace: &Namespace,
        target: &Target,
        mut message: Message,
    ) -> Result<Self, PublishError> {
        let route = match target {
            Target::Queue(queue) => Route::to_queue(queue, namespace),
            Target::Delayed(delay) => {
                let (rung, left) = next_rung(*delay);
                message.headers.delay_left = left;
                Route::to_queue(&rung.queue, namespace)
            }
            Target::Broadcast => Route::to_queue(&Queue::BROADCAST, namespace),
            Target::Event(key) => Route::of_event(key, namespace),
            Target::Listeners(exchange, key) => Route::to_listeners(*exchange, key),
            Target::Theirs(queue) => Route::to_theirs(queue),
            Target::Reply(reply) => {
                message.correlation_id.clone_from(&reply.correlation_id);
                Route::of_reply(reply)
            }
        };
        // No queue can have or bind such a name.
        let short =
            |text: String| ShortString::try_new(text.as_str()).map_err(|_| PublishError::Unroutable(text));
        Ok(Self {
            exchange: short(route.exchange)?,
            routing_key: short(route.key)?,
            mandatory: route.mandatory,
            receiver: route.receiver,
            properties: properties(&message).with_delivery_mode(route.delivery_mode),
            body: message.body,
        })
    }
}

fn properties(message: &Message) -> BasicProperties {
    let now = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    // What is too long for AMQP cannot have come by it, so nobody misses it.
    let short = |text: &str| ShortString::try_new(text).ok();
    let mut properties = BasicProperties::default()
        .with_app_id("linkbeat".into())
        .with_content_encoding("utf-8".into())
        .with_message_id(message.id.to_string().into())
        .with_timestamp(now)
        .with_headers(header_table(&message.headers));
    if let Some(content_type) = short(&message.content_type) {
        properties = properties.with_content_type(content_type);
    }
    if let Some(reply_to) = message.reply_to.as_deref().and_then(short) {
        properties = properties.with_reply_to(reply_to);
    }
    if let Some(correlation_id) = message.correlation_id.as_deref().and_then(short) {
        properties = properties.with_correlation_id(correlation_id);
    }
    properties
}

fn header_table(headers: &Headers) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in headers.texts() {
        if let Ok(name) = ShortString::try_new(name.as_str()) {
            table.insert(name, AMQPValue::LongString(LongString::from(value.as_str())));
        }
    }
    for (name, value) in headers.values() {
        if let Ok(name) = ShortString::try_new(name.as_str()) {
            table.insert(
                name,
                match value {
                    HeaderValue::Number(number) => AMQPValue::LongLongInt(*number),
                    HeaderValue::Flag(flag) => AMQPValue::Boolean(*flag),
                },
            );
        }
    }
    table
}

/// The message in a delivery of this queue. Headers that are no text or over the limits are left out.
pub(super) fn message(delivery: &mut Delivery, queue: &Queue, settings: &BrokerSettings) -> Message {
    let properties = &delivery.properties;
    let text = |value: &Option<ShortString>| value.as_ref().map(ToString::to_string);
    let mut headers = Headers::of_texts(properties.headers().iter().flat_map(text_headers));
    headers.user = text(properties.user_id());
    for (name, value) in properties.headers().iter().flat_map(other_headers) {
        headers.add_value(name, value);
    }
    if let Some(removed) = &mut headers.removed {
        // RabbitMQ knows the whole name; within linkbeat it goes without the namespace.
        let queue = settings.queue_named(&removed.queue);
        removed.queue = queue.map(|queue| queue.to_string()).unwrap_or_default();
    }
    let id = match message_id(properties.message_id().as_ref().map(ShortString::as_str)) {
        Some(id) => id,
        // People ask for it by its id, so there it must stay the same.
        None if *queue == Queue::DEAD => derived_id::unnamed_message(&delivery.data),
        None => Uuid::now_v7(),
    };
    let unnamed = Message::new(id, "");
    Message {
        content_type: text(properties.content_type()).map_or(unnamed.content_type, Cow::Owned),
        reply_to: text(properties.reply_to()),
        correlation_id: text(properties.correlation_id()),
        headers: Box::new(headers),
        body: std::mem::take(&mut delivery.data).into(),
        id: unnamed.id,
    }
}

/// Other apps may use ids of another form: the same text always gives the same id. A message without
/// an id gets a new one each time it is delivered, for equal bodies may well be two messages.
fn message_id(text: Option<&str>) -> Option<Uuid> {
    let text = text.filter(|text| !text.is_empty())?;
    Some(Uuid::try_parse(text).unwrap_or_else(|_| derived_id::foreign_message(text)))
}

fn text_headers(table: &FieldTable) -> impl Iterator<Item = (&str, &str)> {
    table.inner().iter().filter_map(|(name, value)| {
        let value = match value {
            AMQPValue::LongString(text) => str::from_utf8(text.as_bytes()).ok()?,
            AMQPValue::ShortString(text) => text.as_str(),
            _ => return None,
        };
        Some((name.as_str(), value))
    })
}

fn other_headers(table: &FieldTable) -> impl Iterator<Item = (&str, HeaderValue)> {
    table.inner().iter().filter_map(|(name, value)| {
        let value = match value {
            AMQPValue::Boolean(flag) => HeaderValue::Flag(*flag),
            AMQPValue::ShortShortInt(number) => HeaderValue::Number((*number).into()),
            AMQPValue::ShortInt(number) => HeaderValue::Number((*number).into()),
            AMQPValue::LongInt(number) => HeaderValue::Number((*number).into()),
            AMQPValue::LongLongInt(number) => HeaderValue::Number(*number),
            _ => return None,
        };
        Some((name.as_str(), value))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use linkbeat_shared::TraceContext;

    use super::*;
    use crate::headers::{MAX_HEADER_BYTES, MAX_HEADERS};
    use crate::{ForeignExchangeKind, QueueKind};

    fn delivered(properties: BasicProperties, body: &[u8]) -> Message {
        let mut delivery = Delivery::mock(1, "".into(), "".into(), false, body.to_vec());
        delivery.properties = properties;
        let urls = "amqp://localhost".parse().unwrap();
        message(&mut delivery, &Queue::JOBS, &BrokerSettings::new(urls, Namespace::default(), "test"))
    }

    fn parcel(target: &Target, message: Message) -> Parcel {
        Parcel::new(&Namespace::default(), target, message).unwrap()
    }

    fn headers(count: usize) -> Headers {
        let mut headers = Headers::default();
        for n in 0..count {
            assert!(headers.add_foreign(format!("h{n}"), "v"));
        }
        headers
    }

    #[test]
    fn a_message_comes_out_as_it_went_in() {
        let trace =
            TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", Some("a=1"));
        let sent = Message {
            content_type: "text/plain".into(),
            reply_to: Some("answers".into()),
            correlation_id: Some("42".into()),
            headers: Box::new(headers(3)),
            ..Message::new(Uuid::now_v7(), r#"{"a":1}"#)
        };
        let sent = sent.with_attempt(1).with_losses(2).traced(trace.as_ref());
        let parcel = parcel(&Target::Queue(Queue::JOBS), sent.clone());
        assert_eq!(parcel.exchange.as_str(), "linkbeat.jobs");
        assert_eq!(delivered(parcel.properties, &parcel.body), sent);
    }

    #[test]
    fn each_kind_of_exchange_has_its_address() {
        let namespace: Namespace = "shop".parse().unwrap();
        let classic = |exchange| Queue::foreign("celery", exchange, QueueKind::Classic);
        let cases = [
            (Queue::JOBS.with_shard(3), "linkbeat.jobs.3", "linkbeat.jobs.3"),
            (Queue::JOBS.in_namespace(namespace), "shop.jobs", "shop.jobs"),
            (classic(Exchange::Direct), "celery", "celery"),
            (classic(Exchange::Default), "", "celery"),
        ];
        for (queue, exchange, key) in cases {
            let parcel = parcel(&Target::Queue(queue), Message::new(Uuid::now_v7(), "{}"));
            assert_eq!((parcel.exchange.as_str(), parcel.routing_key.as_str()), (exchange, key));
            assert!(parcel.mandatory && parcel.receiver == Receiver::Ours);
        }
    }

    #[test]
    fn a_delayed_message_goes_to_the_largest_rung_that_fits_and_carries_the_rest() {
        let message =
            Message { headers: Box::new(headers(MAX_HEADERS)), ..Message::new(Uuid::now_v7(), "{}") };
        let parcel = parcel(&Target::Delayed(Duration::from_secs(700)), message);
        assert_eq!(parcel.exchange.as_str(), "linkbeat.delay.10m");
        assert!(parcel.mandatory && parcel.receiver == Receiver::Ours);
        let came = delivered(parcel.properties, &parcel.body);
        assert_eq!(came.headers.delay_left, Duration::from_secs(100), "however many headers others have set");
    }

    #[test]
    fn a_reply_carries_the_id_of_the_question_and_reports_a_gone_queue() {
        let reply = ReplyTo { queue: "answers".into(), correlation_id: Some("42".into()) };
        let parcel = parcel(&Target::Reply(reply), Message::new(Uuid::now_v7(), "{}"));
        assert!(parcel.mandatory && parcel.receiver == Receiver::Asker);
        assert_eq!(parcel.properties.correlation_id().as_ref().unwrap().as_str(), "42");
        assert_eq!(*parcel.properties.delivery_mode(), Some(TRANSIENT));
    }

    #[test]
    fn what_goes_to_somebody_else_is_addressed_as_they_expect_it() {
        let events = ForeignExchange { name: "celeryev", kind: ForeignExchangeKind::Topic, durable: true };
        let message = || Message::new(Uuid::now_v7(), "{}");
        let event = parcel(&Target::Listeners(events, "task.received".into()), message());
        assert_eq!((event.exchange.as_str(), event.routing_key.as_str()), ("celeryev", "task.received"));
        assert!(!event.mandatory && event.receiver == Receiver::Listeners);
        assert_eq!(*event.properties.delivery_mode(), Some(TRANSIENT));
        let task = parcel(&Target::Theirs("celery".into()), message());
        assert_eq!((task.exchange.as_str(), task.routing_key.as_str()), ("", "celery"));
        assert!(task.mandatory && task.receiver == Receiver::Asker);
        assert_eq!(*task.properties.delivery_mode(), Some(PERSISTENT));
    }

    #[test]
    fn headers_that_are_no_texts_travel_too() {
        let mut sent = Message::new(Uuid::now_v7(), "{}");
        assert!(sent.headers.add_value("ignore_result", HeaderValue::Flag(true)));
        assert!(sent.headers.add_value("retries", HeaderValue::Number(3)));
        let parcel = parcel(&Target::Theirs("celery".into()), sent.clone());
        let came = delivered(parcel.properties, &parcel.body);
        assert_eq!(came.headers.values(), sent.headers.values());
        assert_eq!(came.headers.foreign(), []);
        for n in 2..MAX_HEADERS {
            assert!(sent.headers.add_value(format!("h{n}"), HeaderValue::Flag(false)));
        }
        assert!(!sent.headers.add_value("one more", HeaderValue::Flag(false)));
    }

    #[test]
    fn what_does_not_fit_amqp_cannot_end_the_connection() {
        let long = "x".repeat(256);
        let reply = Target::Reply(ReplyTo { queue: long.clone(), correlation_id: None });
        let refused = Parcel::new(&Namespace::default(), &reply, Message::new(Uuid::now_v7(), "{}"));
        assert_eq!(refused.unwrap_err(), PublishError::Unroutable(long.clone()));

        let mut message = Message::new(Uuid::now_v7(), "{}");
        message.correlation_id = Some(long.clone());
        message.content_type = long.clone().into();
        message.headers = Box::new(headers(MAX_HEADERS - 1));
        assert!(message.headers.add_foreign(long, "v"));
        let properties = parcel(&Target::Queue(Queue::JOBS), message).properties;
        assert_eq!((properties.correlation_id(), properties.content_type()), (&None, &None));
        assert_eq!(properties.headers().as_ref().unwrap().inner().len(), MAX_HEADERS - 1);
    }

    #[test]
    fn foreign_messages_are_bounded_and_get_an_id() {
        let mut headers = FieldTable::default();
        headers.insert("number".into(), AMQPValue::LongInt(1));
        headers.insert("binary".into(), AMQPValue::LongString(LongString::from(vec![0xff])));
        headers.insert("text".into(), AMQPValue::LongString("yes".into()));
        headers.insert("big".into(), AMQPValue::LongString("x".repeat(MAX_HEADER_BYTES + 1).into()));
        let properties = BasicProperties::default().with_headers(headers).with_message_id("order-7".into());
        let first = delivered(properties.clone(), b"not json");
        assert_eq!(first.headers.foreign(), [("text".to_owned(), "yes".to_owned())]);
        assert_eq!((&first.body[..], &*first.content_type), (&b"not json"[..], "application/json"));
        assert_eq!(first.id, delivered(properties, b"other").id);
        assert_ne!(first.id, delivered(BasicProperties::default().with_message_id("order-8".into()), b"").id);
        assert_ne!(
            delivered(BasicProperties::default(), b"").id,
            delivered(BasicProperties::default(), b"").id
        );
    }

    #[test]
    fn a_queue_that_rabbitmq_names_is_known_by_its_whole_name() {
        let removed_from = |name: &str| {
            let mut headers = FieldTable::default();
            headers.insert("x-first-death-queue".into(), AMQPValue::LongString(name.into()));
            headers.insert("x-first-death-reason".into(), AMQPValue::LongString("expired".into()));
            delivered(BasicProperties::default().with_headers(headers), b"").headers.removed.unwrap().queue
        };
        assert_eq!(removed_from("linkbeat.jobs"), "jobs");
        assert_eq!(removed_from("shop.jobs"), "", "of another namespace");
        assert_eq!(removed_from("linkbeat.short.jobs"), "");
    }
}
