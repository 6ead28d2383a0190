//! A message in hand, until it is settled.

use std::fmt;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::message::Message;

/// One message to be acknowledged. Dropping it gives it back to its queue, marked as redelivered.
pub struct Delivery {
    /// What came.
    pub message: Message,
    /// The broker has delivered it before: its holder was lost. A message that is no job may also have been on its way to
    /// a reader that stopped or takes fewer at once; see [`move_to`].
    pub redelivered: bool,
    pub(crate) session: CancellationToken,
    pub(crate) settle: Box<dyn Settle>,
}

impl Delivery {
    pub(crate) fn new(
        message: Message,
        redelivered: bool,
        session: &CancellationToken,
        settle: Box<dyn Settle>,
    ) -> Self {
        // A child: whoever works on the message can cancel its own work with it, never the session.
        Self { message, redelivered, session: session.child_token(), settle }
    }

    /// Cancelled when the session this came by is lost: the broker will deliver it again, so work on it
    /// may stop.
    pub fn session(&self) -> &CancellationToken {
        &self.session
    }

    /// It is done and may be forgotten. [`SessionLost`]: it will come again, which must be harmless.
    pub async fn ack(self) -> Result<(), SessionLost> {
        self.settle.ack().await
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("message", &self.message)
            .field("redelivered", &self.redelivered)
            .finish_non_exhaustive()
    }
}

/// How one delivery is settled, by the kind of broker. Dropped unsettled, it gives the message back.
#[async_trait]
pub(crate) trait Settle: Send + Sync {
    async fn ack(self: Box<Self>) -> Result<(), SessionLost>;
}

/// The session by which a delivery came is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session by which the message came is gone; it will be delivered again")]
pub struct SessionLost;
