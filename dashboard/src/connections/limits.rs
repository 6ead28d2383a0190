use std::time::Duration;

/// How long a client may take over each thing that it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Over the head of a request. The first one begins with the connection.
    pub head: Duration,
    /// Until it begins the next request.
    pub idle: Duration,
    /// Over the body of a request, before that counts as slow. See [`Limits::slowest`].
    pub body: Duration,
    /// So many bytes of a body, or of an answer, each second are fast enough, however long it is.
    pub slowest: u64,
    /// Over taking anything at all of an answer, and over the whole of it before that counts as slow.
    pub write: Duration,
    /// So often a live view shows that it is there, and whoever looks must still be who they were.
    pub heartbeat: Duration,
    /// How long a feed is answered from memory at least.
    pub feeds: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            body: Duration::from_secs(10),
            slowest: 4_096,
            write: Duration::from_secs(30),
            heartbeat: Duration::from_secs(15),
            feeds: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// How long a body may take of which so many bytes have come.
    pub(super) fn for_body(&self, bytes: u64) -> Duration {
        self.body + self.time_of(bytes)
    }

    /// How long an answer may wait for its client that has taken so many bytes.
    pub(super) fn for_answer(&self, bytes: u64) -> Duration {
        self.write + self.time_of(bytes)
    }

    fn time_of(&self, bytes: u64) -> Duration {
        Duration::from_millis(bytes.saturating_mul(1_000) / self.slowest.max(1))
    }
}
