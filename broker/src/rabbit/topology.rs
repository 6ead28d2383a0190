//! The queues and the exchange. Declared on every new session: declaring again what is there does
//! nothing, and whatever was deleted meanwhile comes back.
//!
//! Only the type and the dead-letter address are set here; limits belong in RabbitMQ's policies, which
//! operators can change without anybody's queues being made again.

use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{Channel, ExchangeKind};

use super::{BrokerSettings, BrokerUrl, ConnectError, Namespace};
use crate::Queue;

/// Declares everything.
pub(super) async fn declare(
    channel: &Channel,
    url: &BrokerUrl,
    settings: &BrokerSettings,
) -> Result<(), ConnectError> {
    for queue in Queue::ALL {
        let name = settings.namespace.queue(queue);
        channel
            .queue_declare(
                name.as_str().into(),
                QueueDeclareOptions { durable: true, ..Default::default() },
                arguments(queue, &settings.namespace),
            )
            .await
            .map_err(|error| ConnectError::declaring(url, &name, &error))?;
    }
    let name = settings.namespace.events();
    channel
        .exchange_declare(
            name.as_str().into(),
            ExchangeKind::Topic,
            ExchangeDeclareOptions { durable: true, ..Default::default() },
            FieldTable::default(),
        )
        .await
        .map_err(|error| ConnectError::declaring(url, &name, &error))
}

fn arguments(queue: Queue, namespace: &Namespace) -> FieldTable {
    let mut arguments = FieldTable::default();
    let mut set = |key: &str, value: &str| {
        arguments.insert(key.into(), AMQPValue::LongString(LongString::from(value)));
    };
    set("x-queue-type", "quorum");
    if queue != Queue::Dead {
        // Nothing of ours dead-letters by itself; this catches what a policy or RabbitMQ's own
        // delivery limit (20 by default since 4.0) takes out of a queue.
        set("x-dead-letter-exchange", "");
        set("x-dead-letter-routing-key", &namespace.queue(Queue::Dead));
    }
    arguments
}
