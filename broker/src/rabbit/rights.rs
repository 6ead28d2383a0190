//! Which rights this user lacks on queues and exchanges, also on those that are not there yet.
//!
//! Nothing is made. AMQP cannot ask for rights, so each is tried with a step that leads to nothing. RabbitMQ checks the right
//! first:
//!
//! | right | step |
//! | --- | --- |
//! | configure a queue or exchange | a declaration with an argument that cannot be: 406 |
//! | write to a queue, read from an exchange | a binding that does not exist is taken away |
//! | write to an exchange | the same, or a message for a queue that does not exist |
//! | read a queue | a consumer with an argument that cannot be: 406, or 404 |
//!
//! (Seen with 3.10 and 4.0.) Refusals leave lines in RabbitMQ's log.

use futures::future::join_all;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
    ExchangeUnbindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{BasicProperties, Channel, ExchangeKind};
use tokio::time::timeout;
use uuid::Uuid;

use super::error::{ACCESS_REFUSED, cause_of, reply_code};
use super::session::Session;
use super::{BrokerItemKind, BrokerSettings, ConnectError};

/// Names the session to operators.
const PURPOSE: &str = "doctor";
/// An exchange that every virtual host has, of which no bindings are asked.
const ANY_EXCHANGE: &str = "amq.fanout";
/// What RabbitMQ calls the default exchange where rights are concerned.
const DEFAULT_EXCHANGE: &str = "amq.default";
/// Stands for a queue that RabbitMQ names, such as `amq.gen-JzTY20BRgKO`.
pub(super) const TEMPORARY: &str = "amq.gen-linkbeat-doctor";

/// What somebody may do with a queue or an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Make it.
    Configure,
    /// Publish to an exchange, or bind a queue.
    Write,
    /// Take messages from a queue, or bind to an exchange.
    Read,
}

/// One right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    /// To do what.
    pub access: Access,
    /// With a queue or an exchange.
    pub kind: BrokerItemKind,
    /// Its whole name. `amq.default` is the default exchange.
    pub name: String,
}

impl Right {
    /// This right on the queue of this name.
    pub fn on_queue(access: Access, name: impl Into<String>) -> Self {
        Self { access, kind: BrokerItemKind::Queue, name: name.into() }
    }

    /// This right on the exchange of this name.
    pub fn on_exchange(access: Access, name: impl Into<String>) -> Self {
        Self { access, kind: BrokerItemKind::Exchange, name: name.into() }
    }

    /// All rights on queues that RabbitMQ names: those of listeners.
    pub fn on_temporary_queues() -> [Self; 3] {
        [Access::Configure, Access::Write, Access::Read].map(|access| Self::on_queue(access, TEMPORARY))
    }

    /// Whether it is for queues that RabbitMQ names.
    pub fn is_on_temporary_queues(&self) -> bool {
        self.name == TEMPORARY
    }
}

/// Those of `rights` that this user lacks. Where it may not write to queues that RabbitMQ names, nobody knows from which
/// exchanges it may read; those count as granted. Each step has the time to connect as its deadline.
pub async fn missing_rights(settings: &BrokerSettings, rights: &[Right]) -> Result<Vec<Right>, ConnectError> {
    let session = Session::open(settings, PURPOSE).await?;
    let granted = join_all(rights.iter().map(|right| async {
        match timeout(settings.connect_timeout, is_granted(&session, right)).await {
            Ok(granted) => granted.map_err(|error| ConnectError::speaking(session.url(), &error)),
            Err(_) => {
                let (address, cause) = (session.url().address(), "no answer".to_owned());
                Err(ConnectError::Ended { address, cause })
            }
        }
    }));
    let granted = granted.await.into_iter().collect::<Result<Vec<bool>, _>>();
    session.close().await;
    let granted = rights.iter().zip(granted?);
    Ok(granted.filter(|(_, granted)| !granted).map(|(right, _)| right.clone()).collect())
}

/// A refusal closes the channel, so each right has one of its own.
async fn is_granted(session: &Session, right: &Right) -> lapin::Result<bool> {
    let channel = session.channel().await?;
    match try_it(&channel, right).await {
        Ok(()) => channel.close(200, "OK".into()).await.map(|()| true),
        // A step may need a right on something else as well.
        Err(error) if reply_code(&error) == Some(ACCESS_REFUSED) => Ok(!is_about(right, &cause_of(&error))),
        // For any other reason, after the right was checked.
        Err(error) if reply_code(&error).is_some() => Ok(true),
        Err(error) => Err(error),
    }
}

fn is_about(right: &Right, cause: &str) -> bool {
    match (right.access, right.kind) {
        // RabbitMQ names the queue by itself.
        (Access::Configure, BrokerItemKind::Queue) => true,
        _ => cause.contains(&format!("'{}'", right.name)),
    }
}

async fn try_it(channel: &Channel, right: &Right) -> lapin::Result<()> {
    let name = right.name.as_str();
    let nothing = Uuid::now_v7().to_string();
    let none = AMQPValue::LongString(LongString::from("none"));
    match (right.access, right.kind) {
        (Access::Configure, BrokerItemKind::Queue) => {
            let named = if right.is_on_temporary_queues() { "" } else { name };
            let options = QueueDeclareOptions { exclusive: named.is_empty(), ..Default::default() };
            channel.queue_declare(named.into(), options, argument("x-expires", none)).await.map(drop)
        }
        (Access::Configure, BrokerItemKind::Exchange) => {
            let options = ExchangeDeclareOptions::default();
            let arguments = argument("alternate-exchange", AMQPValue::LongInt(1));
            channel.exchange_declare(name.into(), ExchangeKind::Direct, options, arguments).await
        }
        (Access::Write, BrokerItemKind::Queue) => unbind(channel, name, ANY_EXCHANGE, nothing).await,
        (Access::Read, BrokerItemKind::Exchange) => unbind(channel, TEMPORARY, name, nothing).await,
        (Access::Write, BrokerItemKind::Exchange) if name == DEFAULT_EXCHANGE => {
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            let options = BasicPublishOptions::default();
            let publishing =
                channel.basic_publish("".into(), nothing.into(), options, b"", BasicProperties::default());
            publishing.await?.await.map(drop)
        }
        (Access::Write, BrokerItemKind::Exchange) => {
            let options = ExchangeUnbindOptions::default();
            let (to, from, none) = (name.into(), ANY_EXCHANGE.into(), FieldTable::default());
            channel.exchange_unbind(to, from, nothing.into(), options, none).await
        }
        (Access::Read, BrokerItemKind::Queue) => {
            let options = BasicConsumeOptions::default();
            let arguments = argument("x-priority", none);
            channel.basic_consume(name.into(), PURPOSE.into(), options, arguments).await.map(drop)
        }
    }
}

async fn unbind(channel: &Channel, queue: &str, exchange: &str, key: String) -> lapin::Result<()> {
    channel.queue_unbind(queue.into(), exchange.into(), key.into(), FieldTable::default()).await
}

fn argument(name: &str, value: AMQPValue) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert(name.into(), value);
    arguments
}
