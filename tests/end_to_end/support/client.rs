//! An app that sends JSON requests and hears the answers.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use futures::StreamExt;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::{BasicProperties, Channel, Connection, Consumer};
use linkbeat_testbed::queues::connect;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::PATIENCE;
use super::fleet::Servers;

/// A connection with a queue for answers.
pub(crate) struct Client {
    runtime: Runtime,
    _connection: Connection,
    channel: Channel,
    requests: String,
    answers_to: String,
    answers: Consumer,
}

impl Client {
    pub(crate) fn of(servers: &Servers) -> Self {
        let runtime = Runtime::new().unwrap();
        let (connection, channel, answers_to, answers) = runtime.block_on(async {
            let connection = connect(&servers.broker_url).await.unwrap();
            let channel = connection.create_channel().await.unwrap();
            channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
            let exclusive = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
            let queue = channel.queue_declare("".into(), exclusive, <_>::default()).await.unwrap();
            let name = queue.name().clone();
            let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
            let answers =
                channel.basic_consume(name.clone(), "".into(), options, <_>::default()).await.unwrap();
            (connection, channel, name.to_string(), answers)
        });
        let requests = format!("{}.requests", servers.namespace);
        Self { runtime, _connection: connection, channel, requests, answers_to, answers }
    }

    /// Sends a request. The answer is to carry this correlation id.
    pub(crate) fn send(&self, body: &[u8], correlation_id: &str) {
        let properties = BasicProperties::default()
            .with_reply_to(self.answers_to.as_str().into())
            .with_correlation_id(correlation_id.into())
            .with_message_id(uuid::Uuid::now_v7().to_string().into());
        let mandatory = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let sending = async {
            let exchange = self.requests.as_str().into();
            let sent = self.channel.basic_publish(exchange, "".into(), mandatory, body, properties).await?;
            sent.await
        };
        self.runtime.block_on(sending).unwrap();
    }

    /// The next answer, with its correlation id.
    pub(crate) fn answer(&mut self) -> (String, Value) {
        self.answer_within(PATIENCE).expect("an answer")
    }

    /// The next answer, if one comes.
    pub(crate) fn answer_within(&mut self, time: Duration) -> Option<(String, Value)> {
        let next = async { tokio::time::timeout(time, self.answers.next()).await };
        let delivery = self.runtime.block_on(next).ok()?.unwrap().unwrap();
        let correlation_id = delivery.properties.correlation_id().as_ref().map(ToString::to_string);
        Some((correlation_id.unwrap_or_default(), serde_json::from_slice(&delivery.data).unwrap()))
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn ask(&mut self, body: &[u8]) -> Value {
        let correlation_id = uuid::Uuid::now_v7().to_string();
        self.send(body, &correlation_id);
        // An earlier answer may come twice.
        std::iter::repeat_with(|| self.answer())
            .find_map(|(answered, answer)| (answered == correlation_id).then_some(answer))
            .unwrap()
    }
}

/// Status and body of the answer to a request of HTTP/1.0.
pub(crate) fn ask_api(port: u16, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}
