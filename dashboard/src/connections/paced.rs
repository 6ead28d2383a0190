//! The body of a request, which ends if it comes too slowly.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};

use hyper::body::{Body, Buf, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use super::limits::Limits;

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Says whether the body of a request was too slow. Each request has one as an extension.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pace(Arc<AtomicBool>);

impl Pace {
    pub(crate) fn was_too_slow(&self) -> bool {
        self.0.load(Relaxed)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the body came too slowly")]
struct TooSlow;

/// A body whose time counts from when somebody reads it.
#[derive(Debug)]
pub(super) struct Paced<B> {
    body: B,
    limits: Limits,
    pace: Pace,
    bytes: u64,
    time: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<B> Paced<B> {
    pub(super) fn new(body: B, limits: Limits, pace: Pace) -> Self {
        Self { body, limits, pace, bytes: 0, time: None }
    }
}

impl<B: Body<Error: Into<Fault>> + Unpin> Body for Paced<B> {
    type Data = B::Data;
    type Error = Fault;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let me = self.get_mut();
        let limits = me.limits;
        let (begun, sleep) =
            me.time.get_or_insert_with(|| (Instant::now(), Box::pin(sleep(limits.for_body(0)))));
        if let Poll::Ready(frame) = Pin::new(&mut me.body).poll_frame(cx) {
            let piece = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
            me.bytes += piece.map_or(0, |piece| piece.remaining() as u64);
            sleep.as_mut().reset(*begun + limits.for_body(me.bytes));
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        match sleep.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                me.pace.0.store(true, Relaxed);
                Poll::Ready(Some(Err(TooSlow.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
