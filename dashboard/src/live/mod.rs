//! What goes on, sent to the pages that show it.
//!
//! One poller of the process reads the database, at most once a second, and only while somebody looks. It makes the parts of
//! pages that go on, once for each language. A view takes the latest ones: it costs no query, and one that is slow misses
//! what came in between, and nothing more.

mod fleet;
mod look;
mod poller;
mod stream;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

use self::fleet::Fleet;

pub(crate) use fleet::{FleetSeen, ask as ask_broker};
pub(crate) use look::{Look, Parts};
pub(crate) use poller::poll;
pub(crate) use stream::stream;

/// Most views at a time. They are half of the connections at most: requests find room beside them.
const VIEWS: u32 = 2_000;

/// The latest look, and who waits for the next one.
#[derive(Debug)]
pub(crate) struct Live {
    latest: watch::Sender<Arc<Parts>>,
    views: Arc<Semaphore>,
    /// Those of them that visitors may have who are not known.
    of_strangers: Arc<Semaphore>,
    /// Somebody looks again.
    watched: Notify,
    heartbeat: Duration,
    fleet: Fleet,
}

/// What a view takes up, until it is dropped.
#[derive(Debug)]
struct Places {
    _view: OwnedSemaphorePermit,
    _stranger: Option<OwnedSemaphorePermit>,
}

impl Live {
    pub(crate) fn new(connections: NonZeroU32, heartbeat: Duration) -> Self {
        let views = VIEWS.min(connections.get().div_ceil(2)) as usize;
        let (latest, _) = watch::channel(Arc::new(Parts::default()));
        Self {
            latest,
            views: Arc::new(Semaphore::new(views)),
            of_strangers: Arc::new(Semaphore::new(views.div_ceil(4))),
            watched: Notify::new(),
            heartbeat,
            fleet: Fleet::default(),
        }
    }

    /// The places of one more view. `None`: there are too many. Visitors who are not known leave places to those who are.
    fn places(&self, is_known: bool) -> Option<Places> {
        let of = |views: &Arc<Semaphore>| Arc::clone(views).try_acquire_owned().ok();
        let stranger = if is_known { None } else { Some(of(&self.of_strangers)?) };
        Some(Places { _view: of(&self.views)?, _stranger: stranger })
    }

    fn subscribe(&self) -> watch::Receiver<Arc<Parts>> {
        let view = self.latest.subscribe();
        self.watched.notify_one();
        view
    }

    async fn until_watched(&self) {
        while self.latest.receiver_count() == 0 {
            self.watched.notified().await;
        }
    }
}
