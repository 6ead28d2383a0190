//! What a check is waiting for right now, and what it has seen. The layers that know say so here: the resolver,
//! the connector, the TLS handshake.
//!
//! A timeout can only be explained by what it cut off, and the layers below reqwest have no other way to report
//! it. They run inside the check's own task, so a task-local carries it. A connection that hyper finishes in the
//! background belongs to no check. What it reports is dropped.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::time::Duration;

use linkbeat_shared::{Certificate, Phase, Phases};
use tokio::time::Instant;

use super::certificate;
use super::safety::is_public;
use crate::explain::Chain;

tokio::task_local! {
    static PROGRESS: Progress;
    static ATTEMPT: Attempt;
}

/// Most addresses of a host that are dialled in one request.
pub(super) const MAX_DIALLED: usize = 6;

struct Progress {
    phase: Cell<Phase>,
    /// When that began, and how long each of [`Phases::MEASURED`] took before, in microseconds.
    clock: Cell<(Instant, [u32; 5])>,
    connected: Cell<bool>,
    dialled: Cell<Dialled>,
    addresses: RefCell<Vec<IpAddr>>,
    dialled_at: Cell<Option<Instant>>,
    /// One of the attempts has a connection.
    has_connection: Cell<bool>,
    /// TLS handshakes begun since the latest connection began.
    handshakes: Cell<u8>,
    /// In DER; read only when the try is over.
    certificate: RefCell<Option<Vec<u8>>>,
    /// Whoever listens to the check.
    chain: Option<Box<Chain>>,
}

/// One of several connections that are tried for one request.
#[derive(Default)]
struct Attempt {
    address: Option<IpAddr>,
    connected: Cell<bool>,
}

/// What kinds of addresses the latest connection was tried to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Dialled {
    /// At least one public address.
    pub(crate) public: bool,
    /// At least one IPv4 address.
    pub(crate) v4: bool,
    /// Nothing but this machine itself.
    pub(crate) loopback: bool,
}

impl Progress {
    /// Something else is waited for now.
    fn enters(&self, phase: Phase) {
        let (now, (since, mut spent)) = (Instant::now(), self.clock.get());
        let former = self.phase.replace(phase);
        if let Some(place) = Phases::MEASURED.iter().position(|measured| *measured == former) {
            let micros = u32::try_from((now - since).as_micros()).unwrap_or(u32::MAX);
            spent[place] = spent[place].saturating_add(micros);
        }
        self.clock.set((now, spent));
    }
}

/// Runs one try of a check. The other functions of this module are about that try.
///
/// Not an async function, which would take up the future's size twice in every check.
pub(crate) fn watch<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let progress = Progress {
        phase: Cell::new(Phase::Queue),
        clock: Cell::new((Instant::now(), [0; 5])),
        connected: Cell::new(false),
        dialled: Cell::new(Dialled::default()),
        addresses: RefCell::default(),
        dialled_at: Cell::new(None),
        has_connection: Cell::new(false),
        handshakes: Cell::new(0),
        certificate: RefCell::default(),
        chain: Chain::begin(),
    };
    PROGRESS.scope(progress, future)
}

/// Runs one of several attempts to connect. `address`: dial this one instead of the first that is found.
/// With its output comes whether it got a connection.
pub(super) async fn attempt<F: Future>(address: Option<IpAddr>, future: F) -> (F::Output, bool) {
    let attempt = Attempt { address, connected: Cell::new(false) };
    ATTEMPT
        .scope(attempt, async {
            let output = future.await;
            let connected = ATTEMPT.try_with(|attempt| attempt.connected.get());
            (output, connected.unwrap_or(false))
        })
        .await
}

/// The address that this attempt has to dial, where it is not the first one.
pub(super) fn address_to_dial() -> Option<IpAddr> {
    ATTEMPT.try_with(|attempt| attempt.address).ok()?
}

/// A request begins. Until the connector is asked, it is taken to go over a kept connection.
pub(crate) fn request_begins() {
    report(|progress| {
        progress.enters(Phase::Headers);
        progress.connected.set(false);
        progress.addresses.borrow_mut().clear();
        progress.dialled_at.set(None);
        progress.has_connection.set(false);
        progress.handshakes.set(0);
    });
}

/// The check waits for this now.
pub(crate) fn enter(phase: Phase) {
    report(|progress| {
        progress.enters(phase);
        if let Some(chain) = &progress.chain {
            chain.enters(phase);
        }
        if phase == Phase::Tls {
            progress.handshakes.set(progress.handshakes.get().saturating_add(1));
        }
    });
    if matches!(phase, Phase::Tls | Phase::Headers) {
        let _ = ATTEMPT.try_with(|attempt| {
            attempt.connected.set(true);
            report(|progress| progress.has_connection.set(true));
        });
    }
}

/// A new connection is being made.
pub(crate) fn connection_begins() {
    report(|progress| {
        progress.enters(Phase::Connect);
        progress.connected.set(true);
        if let Some(chain) = &progress.chain {
            chain.enters(Phase::Connect);
        }
    });
}

/// The connection is there, or cannot be had.
pub(super) fn connection_ends<C, E>(connected: &Result<C, E>) {
    if connected.is_ok() {
        enter(Phase::Headers);
    }
}

/// These addresses may be dialled now, the first at once.
pub(crate) fn dialling(addresses: &[IpAddr]) {
    let addresses = &addresses[..addresses.len().min(MAX_DIALLED)];
    report(|progress| {
        progress.enters(Phase::Connect);
        progress.dialled.set(Dialled {
            public: addresses.iter().copied().any(is_public),
            v4: addresses.iter().any(IpAddr::is_ipv4),
            loopback: addresses.iter().all(IpAddr::is_loopback),
        });
        progress.addresses.replace(addresses.to_vec());
        progress.dialled_at.set(Some(Instant::now()));
        if let Some(chain) = &progress.chain {
            chain.dials(addresses);
        }
    });
}

/// The address that the attempt of this number may dial; the first attempt is 0.
pub(super) fn address(attempt: usize) -> Option<IpAddr> {
    PROGRESS.try_with(|progress| progress.addresses.borrow().get(attempt).copied()).ok()?
}

/// When the first of the addresses was dialled.
pub(super) fn dialled_at() -> Option<Instant> {
    PROGRESS.try_with(|progress| progress.dialled_at.get()).ok()?
}

/// Whether one of the attempts of the latest request has a connection.
pub(super) fn is_connected() -> bool {
    PROGRESS.try_with(|progress| progress.has_connection.get()).unwrap_or(false)
}

/// A server showed this certificate, in DER.
pub(crate) fn shown(certificate: &[u8]) {
    report(|progress| {
        let former = progress.certificate.replace(Some(certificate.to_owned()));
        let is_new = former.is_none_or(|former| former != certificate);
        if let Some(chain) = progress.chain.as_ref().filter(|_| is_new)
            && let Some(certificate) = certificate::read(certificate)
        {
            chain.shows(certificate);
        }
    });
}

/// The certificate that the last server with one showed, accepted or not.
pub(crate) fn certificate() -> Option<Certificate> {
    PROGRESS.try_with(|progress| certificate::read(progress.certificate.borrow().as_ref()?)).ok()?
}

/// Whether a server showed a certificate.
pub(super) fn saw_certificate() -> bool {
    PROGRESS.try_with(|progress| progress.certificate.borrow().is_some()).unwrap_or(false)
}

/// What the check waits for.
pub(crate) fn phase() -> Phase {
    PROGRESS.try_with(|progress| progress.phase.get()).unwrap_or(Phase::Other)
}

/// The head of the answer is there, and its page is read. For whoever listens it has begun with the answer.
pub(super) fn reading_begins() {
    report(|progress| progress.enters(Phase::Body));
}

/// How long each phase of the try took, up to now.
pub(super) fn phases() -> Option<Phases> {
    let spent = PROGRESS.try_with(|progress| {
        progress.enters(progress.phase.get());
        progress.clock.get().1
    });
    Phases::of(spent.ok()?.map(|micros| Duration::from_micros(micros.into())))
}

/// TLS handshakes begun for the latest connection.
pub(super) fn handshakes() -> u8 {
    PROGRESS.try_with(|progress| progress.handshakes.get()).unwrap_or(0)
}

/// Whether the latest request went over a connection kept from an earlier one.
pub(crate) fn connection_was_kept() -> bool {
    PROGRESS.try_with(|progress| !progress.connected.get()).unwrap_or(false)
}

/// What was dialled last.
pub(crate) fn dialled() -> Dialled {
    PROGRESS.try_with(|progress| progress.dialled.get()).unwrap_or_default()
}

/// Which chain this try is to whoever listens to the check; 0: nobody does.
pub(crate) fn chain() -> u32 {
    let number = |progress: &Progress| progress.chain.as_ref().map_or(0, |chain| chain.number());
    PROGRESS.try_with(number).unwrap_or_default()
}

/// Tells whoever listens to the check.
pub(crate) fn tell(news: impl FnOnce(&Chain)) {
    report(|progress| {
        if let Some(chain) = &progress.chain {
            news(chain);
        }
    });
}

fn report(news: impl FnOnce(&Progress)) {
    // Outside of a check nobody listens.
    let _ = PROGRESS.try_with(news);
}
