//! Ask linkbeat for a run and wait for its report.
//!
//!     cargo add futures lapin serde_json && cargo add tokio --features full && cargo add uuid --features v7
//!     cargo run -- amqp://guest:guest@localhost:5672/%2f links.json
//!
//! In linkbeat's own tree: `cargo run -p linkbeat-cli --example request_run -- amqp://localhost/%2f links.json`
//!
//! links.json is an array of {"name": ..., "url": ...}; without it all stored active links are checked. Further
//! arguments are fields of the request, such as `backlink='"my[.]blog"' timeout_ms=2000`. Prints the report as JSON.
//! Exit status: 0 a report came, 1 linkbeat refused the request, 3 no answer.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the shell")]

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use futures::StreamExt;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use serde_json::{Value, json};
use uuid::Uuid;

type Failure = Box<dyn Error>;

#[tokio::main]
async fn main() -> ExitCode {
    let answered = match read_arguments() {
        Ok((broker_url, request)) => ask(&broker_url, &request).await,
        Err(error) => Err(error),
    };
    match answered {
        Ok(report) => {
            println!("{report:#}");
            ExitCode::from(u8::from(report["code"] != 0))
        }
        Err(error) => {
            eprintln!("no answer: {error}");
            ExitCode::from(3)
        }
    }
}

fn read_arguments() -> Result<(String, Value), Failure> {
    let mut arguments = std::env::args().skip(1);
    let broker_url = arguments.next().ok_or("usage: request_run BROKER_URL [LINKS.json] [FIELD=JSON]...")?;
    let mut request = json!({ "schema": "linkbeat.request/1", "request_id": Uuid::now_v7() });
    for argument in arguments {
        match argument.split_once('=') {
            Some((field, value)) => request[field] = serde_json::from_str(value)?,
            None => request["links"] = serde_json::from_slice(&std::fs::read(argument)?)?,
        }
    }
    Ok((broker_url, request))
}

/// Publishes the request with a confirm, and waits for the answer on a queue of its own.
async fn ask(broker_url: &str, request: &Value) -> Result<Value, Failure> {
    let namespace = std::env::var("LINKBEAT_NAMESPACE").unwrap_or_else(|_| "linkbeat".to_owned());
    let seconds = std::env::var("WAIT").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(60);
    let connection = Connection::connect(broker_url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    // An app may declare and read queues that begin with its own name: docs/operations.md.
    let user = broker_url.split("//").nth(1).and_then(|rest| rest.split([':', '@']).next());
    let user = user.filter(|_| broker_url.contains('@')).unwrap_or("guest");
    let replies = format!("{user}.answers.{}", Uuid::now_v7());
    let requests = format!("{namespace}.requests");
    let answer = ask_over(&channel, &requests, &replies, request);
    let answer = tokio::time::timeout(Duration::from_secs(seconds), answer).await;
    let late = format!("none came within {seconds} s; do a producer, a recorder and workers run?");
    answer.map_err(|_| late)?
}

async fn ask_over(
    channel: &Channel,
    requests: &str,
    replies: &str,
    request: &Value,
) -> Result<Value, Failure> {
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let exclusive = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(replies.into(), exclusive, FieldTable::default()).await?;
    let no_ack = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let mut answers = channel.basic_consume(replies.into(), "".into(), no_ack, FieldTable::default()).await?;
    let correlation_id = Uuid::now_v7().to_string();
    let properties = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(2)
        .with_message_id(Uuid::now_v7().to_string().into())
        .with_reply_to(replies.into())
        .with_correlation_id(correlation_id.as_str().into());
    let mandatory = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let body = serde_json::to_vec(request)?;
    let sent = channel.basic_publish(requests.into(), "".into(), mandatory, &body, properties).await?;
    if !matches!(sent.await?, Confirmation::Ack(None)) {
        return Err("nothing takes requests: run `linkbeat migrate` or a producer first".into());
    }
    while let Some(answer) = answers.next().await {
        let answer = answer?;
        if answer.properties.correlation_id().as_ref().is_some_and(|id| id.as_str() == correlation_id) {
            return Ok(serde_json::from_slice(&answer.data)?);
        }
    }
    Err("the connection to RabbitMQ was lost".into())
}
