//! A stream of which only so many bytes are read: what reads it may keep all that it is given.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream with a bound.
pub(super) struct Bounded<S> {
    stream: S,
    left: usize,
}

/// The other side sent more than the bound.
#[derive(Debug, thiserror::Error)]
#[error("too many bytes")]
struct Over;

impl<S> Bounded<S> {
    /// So many bytes may be read.
    pub(super) fn new(stream: S, most: usize) -> Self {
        Self { stream, left: most }
    }

    /// From now on any number may be read.
    pub(super) fn lift(&mut self) {
        self.left = usize::MAX;
    }
}

/// Whether it is this error that ended a handshake.
pub(super) fn is_over(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|cause| cause.is::<Over>())
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left == 0 {
            return Poll::Ready(Err(io::Error::other(Over)));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.left = self.left.saturating_sub(buffer.filled().len() - before);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
