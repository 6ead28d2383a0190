//! A stream that ends if its client takes too long.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Duration, Instant, Sleep, sleep_until};

use super::limits::Limits;
use super::stage::Stage;

/// A stream that is watched.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    stage: Arc<Stage>,
    limits: Limits,
    reading: Pin<Box<Sleep>>,
    /// Runs while something waits to be written, since then.
    writing: Option<(Instant, Pin<Box<Sleep>>)>,
    answer: Answer,
}

/// How an answer goes to its client.
#[derive(Debug, Default, Clone, Copy)]
struct Answer {
    /// Which request it answers.
    request: u64,
    /// So many bytes are under way.
    bytes: u64,
    /// So long it waited for the client.
    waited: Duration,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, stage: Arc<Stage>, limits: Limits) -> Self {
        let reading = Box::pin(sleep_until(Instant::now() + limits.head));
        Self { stream, stage, limits, reading, writing: None, answer: Answer::default() }
    }

    /// Goes on with a write. It may be pending for so long, and all writes of one answer for so long together.
    fn wrote(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = written {
            self.note(written.as_ref().map_or(0, |bytes| *bytes as u64));
            return Poll::Ready(written);
        }
        let (_, writing) = self.writing.get_or_insert_with(|| {
            self.stage.sends(true);
            let now = Instant::now();
            let left = self.limits.for_answer(self.answer.bytes).saturating_sub(self.answer.waited);
            (now, Box::pin(sleep_until(now + left.min(self.limits.write))))
        });
        ready!(writing.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// So many bytes are on their way.
    fn note(&mut self, bytes: u64) {
        if let Some((since, _)) = self.writing.take() {
            self.stage.sends(false);
            self.answer.waited += since.elapsed();
        }
        let request = self.stage.requests();
        if self.answer.request != request {
            self.answer = Answer { request, ..Answer::default() };
        }
        self.answer.bytes += bytes;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        let before = buf.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut me.stream).poll_read(cx, buf) {
            if buf.filled().len() > before {
                me.stage.hears();
            }
            return Poll::Ready(read);
        }
        let Some(deadline) = me.stage.deadline(&me.limits) else { return Poll::Pending };
        if me.reading.deadline() != deadline {
            me.reading.as_mut().reset(deadline);
        }
        ready!(me.reading.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let me = self.get_mut();
        let written = Pin::new(&mut me.stream).poll_write(cx, buf);
        me.wrote(cx, written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let me = self.get_mut();
        let written = Pin::new(&mut me.stream).poll_write_vectored(cx, bufs);
        me.wrote(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
