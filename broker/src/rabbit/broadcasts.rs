//! Listens for broadcasts: reads a stream from its beginning, over a connection of its own.
//!
//! After a lost session it reads from the beginning again. A stream that was lost with its server starts
//! anew at offset 0, and from a remembered offset nothing would ever come; what is kept is little, and
//! hearing it twice is harmless.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Consumer};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::error::cause_of;
use super::parcel;
use super::reopen::{Missing, Reopen};
use super::session::Session;
use super::{BrokerSettings, ConnectError, topology};
use crate::{Broadcast, Broadcasts};

/// Messages on the way at once. A stream's reader must have a limit.
const PREFETCH: u16 = 100;
/// How long nothing must come for the past to count as told, besides two round trips. RabbitMQ's own count
/// of a stream's messages is seconds old, so there is no better sign.
const QUIET: Duration = Duration::from_millis(500);
/// Names the session to operators.
const PURPOSE: &str = "broadcasts";

/// The listener's side.
pub(super) struct RabbitBroadcasts {
    heard: mpsc::Receiver<Broadcast>,
    closed: CancellationToken,
}

/// The side that keeps a session open.
pub(super) struct Keeper {
    tell: mpsc::Sender<Broadcast>,
    reopen: Reopen,
    stop: CancellationToken,
    caught_up: bool,
}

/// A listener and its keeper.
pub(super) fn broadcasts(
    settings: &Arc<BrokerSettings>,
    missing: &Missing,
    closed: &CancellationToken,
) -> (RabbitBroadcasts, Keeper) {
    let (tell, heard) = mpsc::channel(PREFETCH.into());
    let stop = closed.child_token();
    let reopen = Reopen::new(settings.clone(), PURPOSE.to_owned(), missing, stop.clone());
    let keeper = Keeper { tell, reopen, stop: stop.clone(), caught_up: false };
    (RabbitBroadcasts { heard, closed: stop }, keeper)
}

#[async_trait]
impl Broadcasts for RabbitBroadcasts {
    async fn next(&mut self) -> Option<Broadcast> {
        self.closed.run_until_cancelled(self.heard.recv()).await?
    }
}

impl Drop for RabbitBroadcasts {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

impl Keeper {
    /// Keeps a session open until the listener has gone or the broker is closed.
    pub(super) async fn run(mut self) {
        let settings = self.reopen.settings.clone();
        while let Some(mut stream) = self.reopen.until_open(|| StreamSession::open(&settings)).await {
            let end = stream.inner.end().clone();
            tokio::select! {
                () = end.token().cancelled() => {}
                () = stream.listen(&self.tell, &mut self.caught_up) => {}
                () = self.stop.cancelled() => return stream.inner.close().await,
            }
            stream.inner.cut();
            self.reopen.after(&end).await;
        }
    }
}

/// A connection on which the stream is read.
struct StreamSession {
    inner: Session,
    consumer: Consumer,
    quiet: Duration,
}

impl StreamSession {
    async fn open(settings: &BrokerSettings) -> Result<Self, ConnectError> {
        let inner = Session::open(settings, PURPOSE).await?;
        let steps = async {
            topology::declare(&inner, settings).await?;
            let name = topology::broadcast_name(&settings.namespace);
            let failed = |error| ConnectError::speaking(&settings.url, &error);
            let channel = inner.channel().await.map_err(failed)?;
            read(&channel, &name).await.map_err(failed)
        };
        let (consumer, round_trip) = inner.prepare(settings, steps).await?;
        Ok(Self { inner, consumer, quiet: QUIET + 2 * round_trip })
    }

    /// Tells everything that comes, until the session ends.
    async fn listen(&mut self, tell: &mpsc::Sender<Broadcast>, caught_up: &mut bool) {
        loop {
            let next = match *caught_up {
                true => Ok(self.consumer.next().await),
                false => timeout(self.quiet, self.consumer.next()).await,
            };
            let broadcast = match next {
                Ok(Some(Ok(mut delivery))) => {
                    if let Err(error) = delivery.acker.ack(BasicAckOptions::default()).await {
                        return self.inner.end().now(cause_of(&error));
                    }
                    Broadcast::Message(parcel::message(&mut delivery))
                }
                Ok(Some(Err(error))) => return self.inner.end().now(cause_of(&error)),
                Ok(None) => return self.inner.end().queue_gone(self.consumer.queue()),
                Err(_) => {
                    *caught_up = true;
                    Broadcast::CaughtUp
                }
            };
            if tell.send(broadcast).await.is_err() {
                return;
            }
        }
    }
}

/// Begins to read the stream of that name from the oldest message that is kept; gives how long RabbitMQ took
/// to answer, too.
async fn read(channel: &Channel, name: &str) -> lapin::Result<(Consumer, Duration)> {
    channel.basic_qos(PREFETCH, BasicQosOptions { global: false }).await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-stream-offset".into(), AMQPValue::LongString("first".into()));
    let (asked, options) = (Instant::now(), BasicConsumeOptions::default());
    let consumer = channel.basic_consume(name.into(), "".into(), options, arguments).await?;
    Ok((consumer, asked.elapsed()))
}
