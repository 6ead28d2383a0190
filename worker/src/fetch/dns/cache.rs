//! Answers kept as long as they say, and one look-up for all who ask for the same name at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use tokio::time::Instant;

use super::found::Found;

/// Names kept.
const MAX_NAMES: usize = 16_384;

type Asking = BoxFuture<'static, Option<Found>>;

/// What is known of names.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    names: Mutex<HashMap<String, Entry>>,
}

#[derive(Debug)]
enum Entry {
    Known {
        found: Found,
        until: Instant,
    },
    /// Somebody asks. It ends when nobody waits for it any more.
    Asked(WeakShared<Asking>),
}

impl Cache {
    /// What is known of this name, or what `ask` finds. Whoever comes while it is being asked shares the answer.
    pub(crate) async fn get(self: &Arc<Self>, host: &str, ask: impl FnOnce() -> Asking) -> Option<Found> {
        let asking = {
            let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            match names.get(host).and_then(Entry::current) {
                Some(Current::Known(found)) => return Some(found),
                Some(Current::Asked(asking)) => asking,
                None => {
                    make_room(&mut names);
                    let asking = self.keeping(host.to_owned(), ask());
                    if let Some(weak) = asking.downgrade() {
                        names.insert(host.to_owned(), Entry::Asked(weak));
                    }
                    asking
                }
            }
        };
        asking.await
    }

    /// Asks, and keeps what is found.
    fn keeping(self: &Arc<Self>, host: String, ask: Asking) -> Shared<Asking> {
        let cache = Arc::downgrade(self);
        let asking = async move {
            let found = ask.await;
            if let Some(cache) = cache.upgrade() {
                cache.keep(host, found.as_ref());
            }
            found
        };
        asking.boxed().shared()
    }

    fn keep(&self, host: String, found: Option<&Found>) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            Some(found) if !found.ttl().is_zero() => {
                let until = Instant::now() + found.ttl();
                names.insert(host, Entry::Known { found: found.clone(), until });
            }
            _ => drop(names.remove(&host)),
        }
    }
}

enum Current {
    Known(Found),
    Asked(Shared<Asking>),
}

impl Entry {
    fn current(&self) -> Option<Current> {
        match self {
            Self::Known { found, until } => (*until > Instant::now()).then(|| Current::Known(found.clone())),
            Self::Asked(asking) => asking.upgrade().map(Current::Asked),
        }
    }
}

/// Drops what is over; if that is not enough, everything that is known.
fn make_room(names: &mut HashMap<String, Entry>) {
    if names.len() < MAX_NAMES {
        return;
    }
    names.retain(|_, entry| entry.current().is_some());
    if names.len() >= MAX_NAMES / 2 {
        names.retain(|_, entry| matches!(entry, Entry::Asked(_)));
    }
}
