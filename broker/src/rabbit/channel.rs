//! One channel of the consuming connection, from its opening to its end.

use std::sync::Arc;
use std::time::Duration;

use lapin::Channel;
use tokio::time::timeout;

use super::error::cause_of;
use super::keep::Kept;
use super::session::{End, Session};
use super::topology::Topology;
use super::{BrokerSettings, ConnectError};
use crate::Queue;

const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// One channel: a session within a session. It ends alone, or with its connection.
pub(super) struct PartialSession {
    connection: Arc<Session>,
    channel: Channel,
    end: End,
}

impl PartialSession {
    /// Waits for the connection, declares the queue that is to be read, and opens a channel for it. Gives the queue's
    /// name, too.
    pub(super) async fn open(
        connection: &Kept<Session>,
        settings: &BrokerSettings,
        queue: &Queue,
    ) -> Result<(Self, String), ConnectError> {
        // Without one the broker is closed, and this is given up from outside.
        let Ok(connection) = connection.session().await else { return std::future::pending().await };
        let topology = Topology::of(queue, &settings.namespace);
        let steps = async {
            let name = topology.declare(&connection).await?.into_iter().next().unwrap_or_default();
            let channel = connection.channel().await;
            Ok((channel.map_err(|error| ConnectError::speaking(connection.url(), &error))?, name))
        };
        let (channel, name) = connection.prepare(settings, steps).await?;
        let end = connection.end().part();
        Ok((Self { connection, channel, end }, name))
    }

    /// Takes first steps on the channel, within the time to connect.
    pub(super) async fn prepare<T>(
        &self,
        settings: &BrokerSettings,
        steps: impl Future<Output = lapin::Result<T>>,
    ) -> Result<T, ConnectError> {
        let speaking = |error| ConnectError::speaking(self.connection.url(), &error);
        self.connection.prepare(settings, async { steps.await.map_err(speaking) }).await
    }

    pub(super) fn lapin(&self) -> Channel {
        self.channel.clone()
    }

    pub(super) fn end(&self) -> &End {
        &self.end
    }

    /// Ends the channel because of an error on it; or the connection, if it is lost.
    pub(super) fn fail(&self, error: &lapin::Error) {
        let end = if self.connection.is_open() { &self.end } else { self.connection.end() };
        end.now(cause_of(error));
    }

    /// Waits until RabbitMQ has closed the channel, and ends it: nobody else may notice while all that was taken is
    /// being worked on.
    pub(super) async fn closed_by_server(&self) {
        let mut errors = self.connection.channel_error();
        while self.channel.status().connected() {
            if errors.changed().await.is_err() {
                return self.connection.end().token().cancelled().await;
            }
        }
        if self.connection.is_open() {
            self.end.now(errors.borrow().as_str());
        }
    }

    /// Closes the channel: RabbitMQ takes back what is unsettled. Where it does not answer in time, nobody knows what it
    /// still counts as held; so the connection ends.
    pub(super) async fn close(&self) {
        self.end.now("it was closed on our side");
        if self.connection.end().reached() || !self.channel.status().connected() {
            return;
        }
        // An error means that the other side was faster.
        if timeout(CLOSE_TIMEOUT, self.channel.close(200, "OK".into())).await.is_err() {
            self.connection.end().now("RabbitMQ did not close a channel");
        }
    }
}
