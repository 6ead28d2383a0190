//! The ways in for requests. Behind all of them is one path: a request is filed as a run, once, by [`crate::Outbox`].

mod asked;
mod celery;
mod counts;
mod requests;
mod schedules;

use std::time::Duration;

use linkbeat_shared::wire::Unreadable;
use linkbeat_shared::{LinkSelection, Request};

pub(crate) use celery::CeleryDoor;
pub use celery::{BackendAddress, BadBackend, CelerySettings, RedisAddress};
pub use counts::RequestCounts;
pub use requests::Intake;
pub use schedules::{CannotRun, RunNow, Scheduler, run_now};

use crate::ProducerSettings;

/// How long a fault of our own is waited out before a request is tried again: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Whether an app may ask for these links, and for so many at once.
fn admit(request: &Request, settings: &ProducerSettings) -> Result<(), Unreadable> {
    let limit = settings.max_links_per_request;
    match &request.links {
        LinkSelection::Given(links) if links.named() > limit => {
            Err(asked::too_many_links(links.named(), limit))
        }
        links => settings.allow.refusal(links).map_or(Ok(()), |why| Err(Unreadable::Invalid(why.to_owned()))),
    }
}
