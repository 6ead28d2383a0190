//! Addresses that take no messages at the moment. Each is logged once. After one publisher has given up there, the next
//! ones try only once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::parcel::{Parcel, Receiver};

/// All addresses that are hindered. There are few: those of ours, the kinds of events, and the replies as one.
#[derive(Default)]
pub(super) struct Hindered(Mutex<HashMap<String, Hindrance>>);

#[derive(Default)]
struct Hindrance {
    /// Publishers that go on trying.
    waiting: usize,
    /// Somebody has tried long enough.
    given_up: bool,
}

impl Hindered {
    /// Somebody begins to wait, until what is returned is dropped.
    pub(super) fn wait(&self, parcel: &Parcel, cause: &str) -> Waiting<'_> {
        let address = address_of(parcel);
        let mut all = self.lock();
        let known = all.contains_key(address);
        all.entry(address.to_owned()).or_default().waiting += 1;
        drop(all);
        if !known {
            let name = parcel.routing_key.as_str();
            tracing::warn!(address = name, cause, "RabbitMQ takes no messages for this address; waiting");
        }
        Waiting { all: self, address: address.to_owned() }
    }

    /// A message got through.
    pub(super) fn got_through(&self, parcel: &Parcel) {
        if let Some(hindrance) = self.lock().get_mut(address_of(parcel)) {
            hindrance.given_up = false;
        }
        self.forget(address_of(parcel));
    }

    /// Somebody has given up: the next ones try once.
    pub(super) fn give_up(&self, parcel: &Parcel, cause: &str) {
        let known = {
            let mut all = self.lock();
            let hindrance = all.entry(address_of(parcel).to_owned()).or_default();
            std::mem::replace(&mut hindrance.given_up, true)
        };
        if !known {
            let address = parcel.routing_key.as_str();
            tracing::warn!(
                address,
                cause,
                "a message is given up; until one is taken there, others are offered once"
            );
        }
    }

    /// Whether somebody has given up there, and nothing got through since.
    pub(super) fn is_hopeless(&self, parcel: &Parcel) -> bool {
        self.lock().get(address_of(parcel)).is_some_and(|hindrance| hindrance.given_up)
    }

    fn forget(&self, address: &str) {
        let mut all = self.lock();
        if all.get(address).is_some_and(|hindrance| hindrance.waiting == 0 && !hindrance.given_up) {
            all.remove(address);
            drop(all);
            tracing::info!(address, "RabbitMQ takes messages again");
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Hindrance>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One publisher that waits.
pub(super) struct Waiting<'a> {
    all: &'a Hindered,
    address: String,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(hindrance) = self.all.lock().get_mut(&self.address) {
            hindrance.waiting = hindrance.waiting.saturating_sub(1);
        }
        self.all.forget(&self.address);
    }
}

/// Replies go to queues without number, so they count as one address.
fn address_of(parcel: &Parcel) -> &str {
    if parcel.receiver == Receiver::Asker { "replies" } else { parcel.routing_key.as_str() }
}
