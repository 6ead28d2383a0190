//! Reads what comes from RabbitMQ before lapin does.
//!
//! Anybody who may write to a queue chooses the properties of a message, and RabbitMQ passes them on as they came.
//! lapin's parser calls itself for each table in a table, without a limit: 1,100 of them overflow the stack of its
//! thread, and the process ends. And it ends the connection at the first thing that it cannot parse, such as a text
//! that is not UTF-8. RabbitMQ delivers the message again on the next connection, so one message would stop its queue
//! for ever.
//!
//! So linkbeat looks at each frame that holds such properties, between the socket and lapin. Frames that lapin can parse
//! pass as they came. Others are written anew: what could be read of the properties, and the header
//! [`UNREADABLE`](crate::headers::UNREADABLE) that says what is wrong. The body stays. Whoever takes such a message
//! parks it.

mod fault;
mod frame;
mod frames;
mod header;
mod method;
mod table;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use async_rs::{Runtime, Tokio};
use futures::Stream;
use futures::io::{AsyncRead, AsyncWrite};
use lapin::AsyncTcpStream;

use self::frames::Frames;

/// A connection as lapin makes it, with or without TLS.
type Bare = AsyncTcpStream<<Tokio as Reactor>::TcpStream>;
/// The same, and what comes over it is looked at.
type Guarded = AsyncTcpStream<GuardedStream<Bare>>;

/// Guards a connection.
pub(super) fn guarded(stream: Bare) -> Guarded {
    AsyncTcpStream::Plain(GuardedStream { stream, frames: Frames::default() })
}

/// The current tokio runtime, for connections that are [`guarded`].
pub(super) fn runtime() -> Runtime<RuntimeParts<Tokio, Guarding>> {
    Runtime::new(RuntimeParts::new(Tokio::current(), Guarding(Tokio::current())))
}

/// Tells lapin what its connections are.
#[derive(Debug, Clone)]
pub(super) struct Guarding(Tokio);

impl Reactor for Guarding {
    type TcpStream = GuardedStream<Bare>;
    type Sleep = <Tokio as Reactor>::Sleep;

    /// lapin does not ask for it, and nobody outside of async-rs can write its whole bounds.
    fn register<H: io::Read + io::Write + Send + 'static>(
        &self,
        _: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        Err::<Self::TcpStream, _>(io::ErrorKind::Unsupported.into())
    }

    fn sleep(&self, time: Duration) -> Self::Sleep {
        self.0.sleep(time)
    }

    fn interval(&self, period: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(period)
    }

    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        let connecting = self.0.tcp_connect_addr(address);
        async { Ok(GuardedStream { stream: Bare::Plain(connecting.await?), frames: Frames::default() }) }
    }
}

/// A stream; what is read from it is looked at first.
#[derive(Debug)]
pub(super) struct GuardedStream<S> {
    stream: S,
    frames: Frames,
}

impl<S: AsyncRead + Unpin> AsyncRead for GuardedStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, frames } = self.get_mut();
        loop {
            let given = frames.give(into)?;
            if given > 0 || into.is_empty() {
                return Poll::Ready(Ok(given));
            }
            // No more than what is missing of a frame that has begun: so no more than one frame is kept here.
            let room = frames.missing().unwrap_or(into.len()).min(into.len());
            let read = ready!(Pin::new(&mut *stream).poll_read(context, &mut into[..room]))?;
            if read == 0 {
                return Poll::Ready(Ok(0));
            }
            let given = frames.take(&mut into[..read])?;
            if given > 0 {
                return Poll::Ready(Ok(given));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for GuardedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(context)
    }
}
