//! Inspects RabbitMQ for operators: which nodes answer, what is declared, and what this user may do there.
//!
//! Nothing is made, changed or taken. AMQP cannot ask for permissions, so each is tried with a step. RabbitMQ checks
//! the permission first. Then it refuses the step for another reason, or the step does nothing:
//!
//! | permission | step | granted when |
//! | --- | --- | --- |
//! | configure | what exists is declared again | it is not 403 |
//! | read a queue | a consumer with an argument that cannot be | it is 406 |
//! | write to an exchange | a binding that does not exist is taken away | it is not refused for that exchange |
//! | write to the default exchange | a message for a queue that does not exist | it is not 403 |
//!
//! (Seen with 3.10. `rabbit_channel.erl` has the order of its checks.) Refusals leave lines in RabbitMQ's log.

use std::time::Duration;

use futures::future::join_all;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
    ExchangeUnbindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::uri::AMQPScheme;
use lapin::{BasicProperties, ExchangeKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use uuid::Uuid;

use super::error::{ACCESS_REFUSED, NOT_FOUND, PRECONDITION_FAILED, cause_of, reply_code};
use super::session::Session;
use super::topology::{Row, Topology};
use super::{BrokerSettings, BrokerUrl, ConnectError};

/// Names the session to operators.
const PURPOSE: &str = "doctor";
/// How RabbitMQ calls the default exchange where permissions are concerned.
const DEFAULT_EXCHANGE: &str = "amq.default";
/// An exchange that every virtual host has, of which no bindings are asked.
const ANY_EXCHANGE: &str = "amq.fanout";

/// What a look at the broker found.
#[derive(Debug)]
pub struct BrokerInspection {
    /// The nodes, in the order of the settings.
    pub nodes: Vec<NodeInspection>,
    /// The queues and exchanges, seen over the first node that lets us in; empty when none does.
    pub items: Vec<BrokerItem>,
}

/// One node.
#[derive(Debug)]
pub struct NodeInspection {
    /// Its URL.
    pub url: BrokerUrl,
    /// What RabbitMQ calls its version. `None`: nothing answers, or it is behind TLS, where this is not asked.
    pub version: Option<String>,
    /// Whether it can be reached, lets us in, and has the virtual host.
    pub session: Result<(), ConnectError>,
}

/// One queue or exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerItem {
    /// Its whole name.
    pub name: String,
    /// What it is.
    pub kind: BrokerItemKind,
    /// How it is there.
    pub state: BrokerItemState,
    /// What this user may do with it. `None`: not found out, as it is not there or does not apply.
    pub configure: Option<bool>,
    /// See [`BrokerItem::configure`].
    pub write: Option<bool>,
    /// See [`BrokerItem::configure`].
    pub read: Option<bool>,
}

/// What a [`BrokerItem`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokerItemKind {
    /// A queue.
    Queue,
    /// An exchange.
    Exchange,
}

/// How a [`BrokerItem`] is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerItemState {
    /// It is not.
    Missing,
    /// As linkbeat makes it, or this user may not know.
    Present {
        /// Messages that wait; of exchanges 0.
        messages: u32,
        /// Consumers; of exchanges 0.
        consumers: u32,
    },
    /// With other arguments than linkbeat's; RabbitMQ's words.
    Different(String),
    /// It could not be looked at; RabbitMQ's words.
    Unclear(String),
}

/// What a session declares.
enum Declared<'a> {
    Queue(&'a Row),
    Exchange(&'a str, ExchangeKind),
}

impl Declared<'_> {
    fn name(&self) -> (&str, BrokerItemKind) {
        match self {
            Self::Queue(row) => (&row.name, BrokerItemKind::Queue),
            Self::Exchange(name, _) => (name, BrokerItemKind::Exchange),
        }
    }
}

fn declared(topology: &Topology) -> Vec<Declared<'_>> {
    let exchanges = topology.exchanges().map(|row| Declared::Exchange(&row.name, row.kind.clone()));
    topology.rows.iter().map(Declared::Queue).chain(exchanges).collect()
}

/// Looks at every node, and over one of them at the queues, the exchanges and this user's permissions. Each
/// step has the time to connect as its deadline.
pub async fn inspect_broker(settings: &BrokerSettings) -> BrokerInspection {
    let inspected = settings.urls.iter().map(|url| async {
        let settings = BrokerSettings { urls: url.clone().into(), ..settings.clone() };
        tokio::join!(version(url, settings.connect_timeout), Session::open(&settings, PURPOSE))
    });
    let (mut nodes, mut items, mut session) = (Vec::new(), Vec::new(), None);
    for (url, (version, opened)) in settings.urls.iter().zip(join_all(inspected).await) {
        let opened = opened.map(|opened| session = session.take().or(Some(opened)));
        nodes.push(NodeInspection { url: url.clone(), version, session: opened });
    }
    if let Some(session) = session {
        let topology = Topology::all(settings);
        let declared = declared(&topology);
        items = join_all(declared.iter().map(|item| inspect_item(&session, item, settings.connect_timeout)))
            .await;
        items.push(default_exchange(&session, settings.connect_timeout).await);
        session.close().await;
    }
    BrokerInspection { nodes, items }
}

async fn inspect_item(session: &Session, declared: &Declared<'_>, limit: Duration) -> BrokerItem {
    let (name, kind) = declared.name();
    let unclear = |cause: String| BrokerItem::new(name, kind, BrokerItemState::Unclear(cause));
    match timeout(limit, state_and_permissions(session, declared)).await {
        Ok(Ok(item)) => item,
        Ok(Err(error)) if reply_code(&error) == Some(NOT_FOUND) => {
            BrokerItem::new(name, kind, BrokerItemState::Missing)
        }
        Ok(Err(error)) => unclear(cause_of(&error)),
        Err(_) => unclear("no answer".to_owned()),
    }
}

/// An error 404: it is not there.
async fn state_and_permissions(session: &Session, declared: &Declared<'_>) -> lapin::Result<BrokerItem> {
    let (name, kind) = declared.name();
    let (messages, consumers) = declare(session, declared, true).await?;
    let mut item = BrokerItem::new(name, kind, BrokerItemState::Present { messages, consumers });
    // Declared again only now that it is there: so nothing is made.
    match declare(session, declared, false).await {
        Ok(_) => item.configure = Some(true),
        Err(error) => match reply_code(&error) {
            Some(ACCESS_REFUSED) => item.configure = Some(false),
            Some(PRECONDITION_FAILED) => {
                item.configure = Some(true);
                item.state = BrokerItemState::Different(cause_of(&error));
            }
            _ => return Err(error),
        },
    }
    match kind {
        BrokerItemKind::Queue => item.read = Some(may_read(session, name).await?),
        BrokerItemKind::Exchange => item.write = Some(may_write(session, name).await?),
    }
    Ok(item)
}

impl BrokerItem {
    fn new(name: &str, kind: BrokerItemKind, state: BrokerItemState) -> Self {
        Self { name: name.to_owned(), kind, state, configure: None, write: None, read: None }
    }
}

/// Messages and consumers. A refusal closes the channel, so each step has one of its own.
async fn declare(session: &Session, declared: &Declared<'_>, passive: bool) -> lapin::Result<(u32, u32)> {
    let channel = session.channel().await?;
    let counts = match declared {
        Declared::Queue(row) => {
            let options = QueueDeclareOptions { passive, durable: true, ..Default::default() };
            let queue =
                channel.queue_declare(row.name.as_str().into(), options, row.arguments.clone()).await?;
            (queue.message_count(), queue.consumer_count())
        }
        Declared::Exchange(name, kind) => {
            let options = ExchangeDeclareOptions { passive, durable: true, ..Default::default() };
            let arguments = FieldTable::default();
            channel.exchange_declare((*name).into(), kind.clone(), options, arguments).await?;
            (0, 0)
        }
    };
    channel.close(200, "OK".into()).await?;
    Ok(counts)
}

async fn may_read(session: &Session, queue: &str) -> lapin::Result<bool> {
    let channel = session.channel().await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-priority".into(), AMQPValue::LongString(LongString::from("none")));
    let consumed =
        channel.basic_consume(queue.into(), PURPOSE.into(), BasicConsumeOptions::default(), arguments).await;
    match consumed {
        // It takes that for an argument after all; the consumer ends with its channel.
        Ok(_) => channel.close(200, "OK".into()).await.map(|()| true),
        Err(error) if reply_code(&error) == Some(PRECONDITION_FAILED) => Ok(true),
        Err(error) if reply_code(&error) == Some(ACCESS_REFUSED) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn may_write(session: &Session, exchange: &str) -> lapin::Result<bool> {
    let channel = session.channel().await?;
    let nothing = Uuid::now_v7().to_string();
    let unbound = channel
        .exchange_unbind(
            exchange.into(),
            ANY_EXCHANGE.into(),
            nothing.into(),
            ExchangeUnbindOptions::default(),
            FieldTable::default(),
        )
        .await;
    match unbound {
        Ok(()) => channel.close(200, "OK".into()).await.map(|()| true),
        // The destination's permission is looked at before the source's.
        Err(error) if reply_code(&error) == Some(ACCESS_REFUSED) => {
            Ok(!cause_of(&error).contains(&format!("'{exchange}'")))
        }
        Err(error) => Err(error),
    }
}

async fn default_exchange(session: &Session, limit: Duration) -> BrokerItem {
    let trying = async {
        let channel = session.channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let nowhere = Uuid::now_v7().to_string();
        let published = channel
            .basic_publish(
                "".into(),
                nowhere.into(),
                BasicPublishOptions::default(),
                b"",
                BasicProperties::default(),
            )
            .await?
            .await;
        match published {
            Ok(_) => channel.close(200, "OK".into()).await.map(|()| true),
            Err(error) if reply_code(&error) == Some(ACCESS_REFUSED) => Ok(false),
            Err(error) => Err(error),
        }
    };
    let present = BrokerItemState::Present { messages: 0, consumers: 0 };
    let mut item = BrokerItem::new(DEFAULT_EXCHANGE, BrokerItemKind::Exchange, present);
    match timeout(limit, trying).await {
        Ok(Ok(may)) => item.write = Some(may),
        Ok(Err(error)) => item.state = BrokerItemState::Unclear(cause_of(&error)),
        Err(_) => item.state = BrokerItemState::Unclear("no answer".to_owned()),
    }
    item
}

/// lapin throws `connection.start` away, in which RabbitMQ tells its version before anybody logs in
/// (AMQP 0-9-1, 1.4.2.1: a table of properties).
async fn version(url: &BrokerUrl, limit: Duration) -> Option<String> {
    if url.uri().scheme == AMQPScheme::AMQPS {
        return None;
    }
    let asking = async {
        let mut stream = TcpStream::connect(url.address()).await.ok()?;
        stream.write_all(b"AMQP\x00\x00\x09\x01").await.ok()?;
        let mut head = [0; 7];
        stream.read_exact(&mut head).await.ok()?;
        let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
        // The server proposes frames of 128 KiB, and this one is small.
        let mut start = vec![0; usize::try_from(size.min(128 << 10)).ok()?];
        stream.read_exact(&mut start).await.ok()?;
        property(&start, "version")
    };
    timeout(limit, asking).await.ok().flatten()
}

/// A text in a table: the length and bytes of its name, `S`, a length of four bytes, and the text.
fn property(table: &[u8], name: &str) -> Option<String> {
    let mut field = vec![u8::try_from(name.len()).ok()?];
    field.extend_from_slice(name.as_bytes());
    field.push(b'S');
    let at = table.windows(field.len()).position(|window| window == field)? + field.len();
    let length = u32::from_be_bytes(table.get(at..at + 4)?.try_into().ok()?);
    let text = table.get(at + 4..)?.get(..usize::try_from(length).ok()?)?;
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::property;

    #[test]
    fn a_property_is_found_in_its_table() {
        let table = b"\x07productS\x00\x00\x00\x08RabbitMQ\x07versionS\x00\x00\x00\x063.10.8\x03end";
        assert_eq!(property(table, "version").as_deref(), Some("3.10.8"));
        assert_eq!(property(table, "platform"), None);
        assert_eq!(property(&table[..30], "version"), None, "a table that breaks off");
    }
}
