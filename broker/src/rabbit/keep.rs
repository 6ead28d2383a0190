//! Keeps one connection open, shared by all who need it, and opens a new one whenever it is lost.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::ConnectError;
use super::reopen::Reopen;
use super::session::Session;
use crate::BrokerClosed;

type Current<S> = Option<Arc<S>>;

/// The side of those who use it. `S` is a [`Session`], with what belongs to it.
pub(super) struct Kept<S> {
    current: watch::Receiver<Current<S>>,
}

/// The side that keeps it open.
pub(super) struct Keeper<S> {
    current: watch::Sender<Current<S>>,
    reopen: Reopen,
    closed: CancellationToken,
}

/// Both sides. `closed` ends the connection.
pub(super) fn keep<S>(reopen: Reopen, closed: &CancellationToken) -> (Kept<S>, Keeper<S>) {
    let (current, receiver) = watch::channel(None);
    (Kept { current: receiver }, Keeper { current, reopen, closed: closed.clone() })
}

impl<S> Clone for Kept<S> {
    fn clone(&self) -> Self {
        Self { current: self.current.clone() }
    }
}

impl<S: AsRef<Session>> Kept<S> {
    /// The connection, once there is one.
    pub(super) async fn session(&self) -> Result<Arc<S>, BrokerClosed> {
        let is_live = |current: &Current<S>| {
            current.as_ref().is_some_and(|session| !session.as_ref().as_ref().end().reached())
        };
        let current = self.current.clone().wait_for(is_live).await.map_err(|_| BrokerClosed)?.clone();
        current.ok_or(BrokerClosed)
    }
}

impl<S: AsRef<Session>> Keeper<S> {
    /// Keeps a connection open until the broker is closed; begins with `first` if there is one.
    pub(super) async fn run<F>(mut self, mut first: Option<S>, open: impl Fn() -> F)
    where
        F: Future<Output = Result<S, ConnectError>>,
    {
        loop {
            let opened = match first.take() {
                Some(session) => {
                    self.reopen.succeeded();
                    Some(session)
                }
                None => self.reopen.until_open(&open).await,
            };
            let Some(session) = opened.map(Arc::new) else { return };
            self.current.send_replace(Some(session.clone()));
            let inner: &Session = (*session).as_ref();
            let is_lost = tokio::select! {
                () = inner.end().token().cancelled() => true,
                () = self.closed.cancelled() => false,
            };
            self.current.send_replace(None);
            if !is_lost {
                return inner.close().await;
            }
            inner.cut();
            self.reopen.after(inner.end()).await;
        }
    }
}
