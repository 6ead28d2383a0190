//! Who may come in, and what blogs read: over real sockets and a real database.

#![expect(clippy::unwrap_used, reason = "a test ends where it meets what it does not expect")]

mod access;
mod connections;
mod explained;
mod feeds;
mod known;
mod live;
mod proxied;
mod served;
mod strangers;
mod twice;
