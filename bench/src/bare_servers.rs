//! The servers by themselves: what RabbitMQ and PostgreSQL cost a program that does nothing else.

use anyhow::Context;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use uuid::Uuid;

/// Messages on their way at once, and the bytes of each: about a small job.
const WINDOW: u16 = 500;
const BODY: [u8; 1_024] = [b'x'; 1_024];
/// Rows of one transaction.
const BATCH: usize = 100;

/// Publishes so many lasting messages to a quorum queue, with confirms, and takes them at the same time.
pub(crate) async fn messages(url: &str, count: usize) -> anyhow::Result<()> {
    // A lone slash is the empty virtual host to lapin; to everybody else it is the default one.
    let connect = || Connection::connect(url.trim_end_matches('/'), ConnectionProperties::default());
    let (publishing, consuming) = (connect().await?, connect().await?);
    let queue = format!("bench-{}", Uuid::now_v7());
    let channel = publishing.create_channel().await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let lasting = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.as_str().into(), lasting, arguments).await?;
    tokio::try_join!(publish(&channel, &queue, count), take(&consuming, &queue, count))?;
    channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await?;
    Ok(())
}

async fn publish(channel: &Channel, queue: &str, count: usize) -> anyhow::Result<()> {
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let mut unconfirmed = FuturesUnordered::new();
    for _ in 0..count {
        if unconfirmed.len() == usize::from(WINDOW) {
            unconfirmed.next().await.context("nothing is unconfirmed")??;
        }
        let lasting = BasicProperties::default().with_delivery_mode(2);
        let options = BasicPublishOptions::default();
        unconfirmed.push(channel.basic_publish("".into(), queue.into(), options, &BODY, lasting).await?);
    }
    while let Some(confirmed) = unconfirmed.next().await {
        confirmed?;
    }
    Ok(())
}

async fn take(connection: &Connection, queue: &str, count: usize) -> anyhow::Result<()> {
    let channel = connection.create_channel().await?;
    channel.basic_qos(WINDOW, BasicQosOptions::default()).await?;
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    let mut deliveries = channel.basic_consume(queue.into(), "".into(), options, none).await?.take(count);
    while let Some(delivery) = deliveries.next().await {
        delivery?.ack(BasicAckOptions::default()).await?;
    }
    Ok(())
}

/// Inserts so many rows of a check's size, in one transaction for each hundred.
pub(crate) async fn rows(url: &str, count: usize) -> anyhow::Result<()> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
    let connection = tokio::spawn(connection);
    client
        .batch_execute(
            "DROP TABLE IF EXISTS bare; CREATE TABLE bare (link_id uuid, run_id uuid, verdict int2, status int2,
                 elapsed_ms int4, PRIMARY KEY (link_id, run_id))",
        )
        .await?;
    let insert = client
        .prepare(
            "INSERT INTO bare SELECT link, $2::text::uuid, 0, 200, 3 FROM UNNEST($1::text[]::uuid[]) link
             ON CONFLICT DO NOTHING",
        )
        .await?;
    for _ in 0..count / BATCH {
        let links: Vec<String> = (0..BATCH).map(|_| Uuid::now_v7().to_string()).collect();
        client.execute(&insert, &[&links, &Uuid::now_v7().to_string()]).await?;
    }
    drop(client);
    connection.await??;
    Ok(())
}
