//! Who may come in, and what they may do.
//!
//! Every request goes through [`gate`], which stands around the whole router. So no route can be forgotten. It refuses
//! what is odd or comes from another site, finds out who asks ([`Caller`]), and asks for the right that the method needs:
//! reading for GET, HEAD and OPTIONS, writing for all others. For the API the router says 404 and 405 before the gate
//! says 401 and 403. Handlers that want to know who asks take [`Caller`] as an extractor.

mod area;
mod attempts;
mod caller;
mod client;
mod gate;
mod headers;
mod host;
mod login;
mod lookout;
mod odd;
mod origin;
mod password;
mod protection;
mod refusal;
mod secret;

use std::time::Duration;

use ipnet::IpNet;
use linkbeat_store::Scope;
use tokio::sync::Semaphore;

pub(crate) use caller::Caller;
pub(crate) use client::Client;
pub(crate) use gate::gate;
pub use host::{BadHost, HostName};
pub(crate) use login::{LoginRefused, forgetting_cookie};
pub(crate) use lookout::Lookout;
pub use origin::{BadOrigin, TrustedOrigin};
pub use password::{BadPasswordHash, PasswordHash, SHORTEST_PASSWORD};
pub use protection::Unprotected;
pub(crate) use protection::check;
pub use secret::NewToken;

use crate::fresh::{Fresh, Length, Room};
use crate::settings::DashboardSettings;
use caller::Credential;
use refusal::Refusal;

/// Requests that are carried out at once. Streams count only until they begin.
const AT_ONCE: usize = 256;
/// The same by whoever is not known. They take no places of those who are known.
const STRANGERS_AT_ONCE: usize = 64;

/// Logins and tokens that are looked after at once without asking more than once for each.
const LOOKOUTS: usize = 1_000;

/// Passwords that are checked at once. Each takes a processor and 19 MiB.
const VERIFIED_AT_ONCE: usize = 2;

/// What the gate goes by.
#[derive(Debug)]
pub(crate) struct Access {
    openness: Openness,
    public_feeds: bool,
    password: Option<PasswordHash>,
    hosts: Vec<HostName>,
    origins: Vec<TrustedOrigin>,
    proxies: Vec<IpNet>,
    sessions: Duration,
    attempts: attempts::Attempts,
    verifying: Semaphore,
    under_way: Semaphore,
    /// Of requests by whoever is not known.
    strangers: Semaphore,
    /// Who somebody was at the last heartbeat.
    lookouts: Fresh<Credential, Caller, Refusal>,
}

/// What everybody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Openness {
    /// All: only this machine reaches the dashboard, and nobody has set a password.
    Everything,
    /// Read.
    Reading,
    /// Nothing.
    Nothing,
}

impl Access {
    /// Whether a call that needs this right needs a token or a session too.
    pub(crate) fn needs_token(&self, right: Scope) -> bool {
        match self.openness {
            Openness::Everything => false,
            Openness::Reading => right == Scope::Write,
            Openness::Nothing => true,
        }
    }

    pub(crate) fn new(settings: &DashboardSettings, heartbeat: Duration) -> Self {
        let length = Length { least: heartbeat / 3, times: 0, most: heartbeat };
        Self {
            openness: Openness::of(settings),
            public_feeds: settings.public_feeds,
            password: settings.password_hash.clone(),
            hosts: settings.hosts.clone(),
            origins: settings.trusted_origins.clone(),
            proxies: settings.trusted_proxies.clone(),
            sessions: settings.sessions.duration(),
            attempts: attempts::Attempts::default(),
            verifying: Semaphore::new(VERIFIED_AT_ONCE),
            under_way: Semaphore::new(AT_ONCE),
            strangers: Semaphore::new(STRANGERS_AT_ONCE),
            lookouts: Fresh::new(length, Room { answers: LOOKOUTS, weight: 0, weigh: |_| 0 }),
        }
    }
}

impl Access {
    /// Whether the feeds are for everybody, and so for every page.
    pub(crate) fn has_public_feeds(&self) -> bool {
        self.public_feeds
    }

    /// Whether anybody may have the feeds.
    pub(crate) fn gives_feeds_to_all(&self) -> bool {
        self.public_feeds || self.openness != Openness::Nothing
    }
}

impl Openness {
    fn of(settings: &DashboardSettings) -> Self {
        if settings.open_read {
            Self::Reading
        } else if settings.password_hash.is_none() && protection::only_from_here(settings.listen.ip()) {
            Self::Everything
        } else {
            Self::Nothing
        }
    }
}
