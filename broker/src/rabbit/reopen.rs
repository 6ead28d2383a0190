//! Opens one session after the other, for ever: full-jitter backoff, and one log line per change.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::session::{Cause, End};
use super::{BrokerSettings, ConnectError};

const FIRST_DELAY: Duration = Duration::from_millis(200);
/// So short that every session is open again within 10 s of the broker's return.
const LONGEST_DELAY: Duration = Duration::from_secs(6);
/// A session that lasted this long was sound: its loss is no sequel to earlier failures.
const SOUND: Duration = Duration::from_secs(10);
/// After a queue was deleted RabbitMQ gets this long to tell all readers, before one of us makes the queue
/// again: 3.10 moves a reader that it has not told yet to the new queue and loses what it delivers there.
const QUEUE_GONE_PAUSE: Duration = Duration::from_secs(1);

/// How long to wait before each further try: a random part of 0.2 s, 0.4 s, … up to a longest delay
/// ("full jitter", <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>), so that a
/// fleet does not come back all at once.
pub(super) struct Backoff {
    ceiling: Duration,
    longest: Duration,
}

impl Backoff {
    pub(super) fn up_to(longest: Duration) -> Self {
        Self { ceiling: FIRST_DELAY, longest }
    }

    pub(super) fn next(&mut self) -> Duration {
        let delay = self.ceiling.mul_f64(rand::random());
        self.ceiling = (self.ceiling * 2).min(self.longest);
        delay
    }
}

/// The sessions that are wanted and not open, over all purposes of a broker.
#[derive(Clone, Default)]
pub(super) struct Missing(Arc<Lack>);

#[derive(Default)]
struct Lack {
    sessions: AtomicUsize,
    /// Why one of them could not be opened, or was lost.
    why: Mutex<Option<String>>,
}

impl Missing {
    pub(super) fn is_none(&self) -> bool {
        self.0.sessions.load(Ordering::Relaxed) == 0
    }

    /// Why a session is missing, as far as that is known.
    pub(super) fn why(&self) -> Option<String> {
        if self.is_none() {
            return None;
        }
        self.0.why.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, why: &str) {
        *self.0.why.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.to_owned());
    }
}

/// One session that is wanted; counted as missing unless it is open.
struct Wanted {
    missing: Missing,
    open: bool,
}

impl Wanted {
    fn new(missing: &Missing) -> Self {
        missing.0.sessions.fetch_add(1, Ordering::Relaxed);
        Self { missing: missing.clone(), open: false }
    }

    fn set_open(&mut self, open: bool) {
        match (std::mem::replace(&mut self.open, open), open) {
            (false, true) => self.missing.0.sessions.fetch_sub(1, Ordering::Relaxed),
            (true, false) => self.missing.0.sessions.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        // It is wanted no longer.
        self.set_open(true);
    }
}

/// Opens sessions for one purpose.
pub(super) struct Reopen {
    pub(super) settings: Arc<BrokerSettings>,
    pub(super) purpose: String,
    wanted: Wanted,
    stop: CancellationToken,
    backoff: Backoff,
    opened: Option<Instant>,
    /// The failure that was logged last, while there is no session.
    failure: Option<String>,
}

impl Reopen {
    pub(super) fn new(
        settings: Arc<BrokerSettings>,
        purpose: String,
        missing: &Missing,
        stop: CancellationToken,
    ) -> Self {
        let wanted = Wanted::new(missing);
        Self {
            settings,
            purpose,
            wanted,
            stop,
            backoff: Backoff::up_to(LONGEST_DELAY),
            opened: None,
            failure: None,
        }
    }

    /// Tries until a session is open; `None` when told to stop.
    pub(super) async fn until_open<S, F>(&mut self, open: impl Fn() -> F) -> Option<S>
    where
        F: Future<Output = Result<S, ConnectError>>,
    {
        let stop = self.stop.clone();
        stop.run_until_cancelled(async {
            if self.opened.take().is_some_and(|opened| opened.elapsed() >= SOUND) {
                self.backoff = Backoff::up_to(LONGEST_DELAY);
            }
            loop {
                if self.failure.is_some() {
                    sleep(self.backoff.next()).await;
                }
                match open().await {
                    Ok(session) => {
                        self.succeeded();
                        return session;
                    }
                    Err(error) => self.failed(error.to_string(), error.advice(), error.is_lasting()),
                }
            }
        })
        .await
    }

    /// Notes that a session is open.
    pub(super) fn succeeded(&mut self) {
        self.wanted.set_open(true);
        self.opened = Some(Instant::now());
        self.failure = None;
        tracing::info!(broker.url = %self.settings.urls, broker.session = self.purpose, "session with RabbitMQ open");
    }

    /// Notes the end of a session, and makes way for what must come before the next. A part that ended with the whole
    /// has no cause of its own: then there is nothing to say of it, and it begins again with the next session.
    pub(super) async fn after(&mut self, end: &End) {
        let Some(cause) = end.cause() else { return self.wanted.set_open(false) };
        self.failed(cause.to_string(), None, false);
        if matches!(cause, Cause::QueueGone(_)) {
            self.stop.run_until_cancelled(sleep(QUEUE_GONE_PAUSE)).await;
        }
    }

    /// `lasting`: somebody has to act.
    fn failed(&mut self, error: String, advice: Option<&str>, lasting: bool) {
        self.wanted.set_open(false);
        self.wanted.missing.note(&error);
        let session = &self.purpose;
        if self.failure.as_ref() == Some(&error) {
            tracing::debug!(broker.session = session, error, "no session with RabbitMQ yet");
            return;
        }
        if lasting {
            tracing::error!(
                broker.session = session,
                error,
                advice,
                "no session with RabbitMQ until somebody acts"
            );
        } else {
            tracing::warn!(
                broker.session = session,
                error,
                advice,
                "no session with RabbitMQ; trying until there is one"
            );
        }
        self.failure = Some(error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_delay_is_short_and_none_is_over_the_longest() {
        for _ in 0..100 {
            let mut backoff = Backoff::up_to(LONGEST_DELAY);
            assert!(backoff.next() <= FIRST_DELAY);
            let delays: Vec<_> = (0..100).map(|_| backoff.next()).collect();
            assert!(delays.iter().all(|delay| *delay <= LONGEST_DELAY));
            assert!(delays.iter().any(|delay| *delay > LONGEST_DELAY / 2));
        }
    }
}
