//! Between linkbeat's messages and AMQP's: addresses, properties and headers.
//!
//! What comes in was written by anybody and is bounded here. What goes out must fit AMQP's forms: a
//! short string over 255 bytes or headers over one frame would end the whole connection.

use bytes::Bytes;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use uuid::Uuid;

use super::Namespace;
use super::topology::{broadcast_name, rung_name};
use crate::delay::{LEFT, next_rung};
use crate::{Message, PublishError, Target};

/// Most headers that travel, and the longest value, in bytes: far below one frame (128 KiB).
const MAX_HEADERS: usize = 32;
const MAX_HEADER_BYTES: usize = 1_024;
/// Answers that go to a listening channel without any queue (<https://www.rabbitmq.com/docs/direct-reply-to>).
/// RabbitMQ 3.10 delivers them and still returns them when they are mandatory, so they cannot be.
const DIRECT_REPLY_TO: &str = "amq.rabbitmq.reply-to.";
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

impl Parcel {
    pub(super) fn new(
        namespace: &Namespace,
        target: &Target,
        mut message: Message,
    ) -> Result<Self, PublishError> {
        // Each place of ours has an exchange of its name; the key only tells which, in logs.
        let own = |name: String| (name.clone(), name, PERSISTENT);
        let (exchange, key, delivery_mode) = match target {
            Target::Queue(queue) => own(namespace.queue(*queue)),
            Target::Delayed(delay) => {
                let (rung, left) = next_rung(*delay);
                message.set_header(LEFT, left.to_string());
                own(rung_name(namespace, rung))
            }
            Target::Broadcast => own(broadcast_name(namespace)),
            Target::Event(key) => (namespace.events(), key.clone(), PERSISTENT),
            // Whoever asked is waiting now; an answer need not survive a restart of the server.
            Target::Reply(reply) => (String::new(), reply.queue.clone(), TRANSIENT),
        };
        // No queue can have or bind such a name.
        let short =
            |text: String| ShortString::try_new(text.as_str()).map_err(|_| PublishError::Unroutable(text));
        let correlation_id = match target {
            Target::Reply(reply) => reply.correlation_id.clone(),
            _ => message.correlation_id,
        };
        Ok(Self {
            exchange: short(exchange)?,
            routing_key: short(key)?,
            mandatory: match target {
                Target::Queue(_) | Target::Delayed(_) | Target::Broadcast => true,
                Target::Event(_) => false,
                Target::Reply(reply) => !reply.queue.starts_with(DIRECT_REPLY_TO),
            },
            receiver: match target {
                Target::Queue(_) | Target::Delayed(_) | Target::Broadcast => Receiver::Ours,
                Target::Event(_) => Receiver::Listeners,
                Target::Reply(_) => Receiver::Asker,
            },
            properties: properties(message.id, message.reply_to, correlation_id, &message.headers)
                .with_delivery_mode(delivery_mode),
            body: message.body,
        })
    }
}

fn properties(
    id: Uuid,
    reply_to: Option<String>,
    correlation_id: Option<String>,
    headers: &[(String, String)],
) -> BasicProperties {
    let now = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    let mut properties = BasicProperties::default()
        .with_app_id("linkbeat".into())
        .with_content_type("application/json".into())
        .with_content_encoding("utf-8".into())
        .with_message_id(id.to_string().into())
        .with_timestamp(now)
        .with_headers(header_table(headers));
    // Neither can have come by AMQP when it is too long for it, so nobody misses it.
    if let Some(reply_to) = reply_to.and_then(|text| ShortString::try_new(text).ok()) {
        properties = properties.with_reply_to(reply_to);
    }
    if let Some(correlation_id) = correlation_id.and_then(|text| ShortString::try_new(text).ok()) {
        properties = properties.with_correlation_id(correlation_id);
    }
    properties
}

fn header_table(headers: &[(String, String)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in headers.iter().filter(|(_, value)| value.len() <= MAX_HEADER_BYTES).take(MAX_HEADERS)
    {
        if let Ok(name) = ShortString::try_new(name.as_str()) {
            table.insert(name, AMQPValue::LongString(LongString::from(value.as_str())));
        }
    }
    table
}

/// The message in a delivery. Headers that are no text or over the limits are left out.
pub(super) fn message(delivery: &mut Delivery) -> Message {
    let properties = &delivery.properties;
    let text = |value: &Option<ShortString>| value.as_ref().map(ToString::to_string);
    Message {
        id: message_id(properties.message_id().as_ref().map(ShortString::as_str)),
        reply_to: text(properties.reply_to()),
        correlation_id: text(properties.correlation_id()),
        headers: properties.headers().iter().flat_map(text_headers).take(MAX_HEADERS).collect(),
        body: std::mem::take(&mut delivery.data).into(),
    }
}

/// Other apps may use ids of another form: the same text always gives the same id. A message without
/// an id gets a new one each time it is delivered, for equal bodies may well be two messages.
fn message_id(text: Option<&str>) -> Uuid {
    match text.filter(|text| !text.is_empty()) {
        None => Uuid::now_v7(),
        Some(text) => Uuid::try_parse(text).unwrap_or_else(|_| {
            Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("linkbeat:message-id:{text}").as_bytes())
        }),
    }
}

fn text_headers(table: &FieldTable) -> impl Iterator<Item = (String, String)> + '_ {
    table.inner().iter().filter_map(|(name, value)| {
        let value = match value {
            AMQPValue::LongString(text) => str::from_utf8(text.as_bytes()).ok()?,
            AMQPValue::ShortString(text) => text.as_str(),
            _ => return None,
        };
        (value.len() <= MAX_HEADER_BYTES).then(|| (name.to_string(), value.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use linkbeat_shared::ReplyTo;

    use super::*;
    use crate::Queue;

    fn delivered(properties: BasicProperties, body: &[u8]) -> Message {
        let mut delivery = Delivery::mock(1, "".into(), "".into(), false, body.to_vec());
        delivery.properties = properties;
        message(&mut delivery)
    }

    fn parcel(target: &Target, message: Message) -> Parcel {
        Parcel::new(&Namespace::default(), target, message).unwrap()
    }

    #[test]
    fn a_message_comes_out_as_it_went_in() {
        let sent = Message {
            reply_to: Some("answers".into()),
            correlation_id: Some("42".into()),
            headers: vec![("traceparent".into(), "00-ab-cd-01".into())],
            ..Message::new(Uuid::now_v7(), r#"{"a":1}"#)
        };
        let parcel = parcel(&Target::Queue(Queue::Jobs), sent.clone());
        assert_eq!(parcel.exchange.as_str(), "linkbeat.jobs");
        assert_eq!(delivered(parcel.properties, &parcel.body), sent);
    }

    #[test]
    fn a_delayed_message_goes_to_the_largest_rung_that_fits_and_carries_the_rest() {
        let mut message = Message::new(Uuid::now_v7(), "{}");
        message.headers = (0..MAX_HEADERS).map(|n| (format!("h{n}"), "v".to_owned())).collect();
        let parcel = parcel(&Target::Delayed(Duration::from_secs(700)), message);
        assert_eq!(parcel.exchange.as_str(), "linkbeat.delay.10m");
        assert!(parcel.mandatory && parcel.receiver == Receiver::Ours);
        let came = delivered(parcel.properties, &parcel.body);
        assert_eq!(came.header(LEFT), Some("100000"), "however many headers others have set");
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
    fn what_does_not_fit_amqp_cannot_end_the_connection() {
        let long = "x".repeat(256);
        let reply = Target::Reply(ReplyTo { queue: long.clone(), correlation_id: None });
        let refused = Parcel::new(&Namespace::default(), &reply, Message::new(Uuid::now_v7(), "{}"));
        assert_eq!(refused.unwrap_err(), PublishError::Unroutable(long.clone()));

        let mut message = Message::new(Uuid::now_v7(), "{}");
        message.correlation_id = Some(long.clone());
        message.headers = (0..100).map(|n| (format!("h{n}"), "v".to_owned())).collect();
        message.headers.push((long, "v".to_owned()));
        message.headers.push(("big".to_owned(), "x".repeat(MAX_HEADER_BYTES + 1)));
        let properties = parcel(&Target::Queue(Queue::Jobs), message).properties;
        assert_eq!(*properties.correlation_id(), None);
        assert_eq!(properties.headers().as_ref().unwrap().inner().len(), MAX_HEADERS);
    }

    #[test]
    fn foreign_messages_are_bounded_and_get_an_id() {
        let mut headers = FieldTable::default();
        headers.insert("number".into(), AMQPValue::LongInt(1));
        headers.insert("binary".into(), AMQPValue::LongString(LongString::from(vec![0xff])));
        headers.insert("text".into(), AMQPValue::LongString("yes".into()));
        let properties = BasicProperties::default().with_headers(headers).with_message_id("order-7".into());
        let first = delivered(properties.clone(), b"not json");
        assert_eq!(first.headers, [("text".to_owned(), "yes".to_owned())]);
        assert_eq!(first.body, "not json");
        assert_eq!(first.id, delivered(properties, b"other").id);
        assert_ne!(first.id, delivered(BasicProperties::default().with_message_id("order-8".into()), b"").id);
        assert_ne!(
            delivered(BasicProperties::default(), b"").id,
            delivered(BasicProperties::default(), b"").id
        );
    }
}
