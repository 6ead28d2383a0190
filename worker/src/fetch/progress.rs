//! What a check is waiting for right now and what it has seen, told by the layers that know: the resolver,
//! the connector, the TLS handshake.
//!
//! A timeout can only be explained by what it cut off, and the layers below reqwest have no other way to
//! say so. They run inside the check's own task, so a task-local carries it. A connection that hyper
//! finishes in the background belongs to no check; what it tells goes nowhere.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;

use linkbeat_shared::{Certificate, Phase};

use super::certificate;
use super::safety::is_public;

tokio::task_local! {
    static PROGRESS: Progress;
}

struct Progress {
    phase: Cell<Phase>,
    connected: Cell<bool>,
    dialled: Cell<Dialled>,
    /// In DER; read only when the try is over.
    certificate: RefCell<Option<Vec<u8>>>,
}

/// What kinds of addresses the latest connection was tried to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Dialled {
    /// At least one public address.
    pub(crate) public: bool,
    /// At least one IPv4 address.
    pub(crate) v4: bool,
}

/// Runs one try of a check; the functions of this module speak about it.
///
/// Not an async function, which would take up the future's size twice in every check.
pub(crate) fn watch<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let progress = Progress {
        phase: Cell::new(Phase::Headers),
        connected: Cell::new(false),
        dialled: Cell::new(Dialled::default()),
        certificate: RefCell::default(),
    };
    PROGRESS.scope(progress, future)
}

/// A request begins. Until the connector is asked, it is taken to go over a kept connection.
pub(crate) fn request_begins() {
    tell(|progress| {
        progress.phase.set(Phase::Headers);
        progress.connected.set(false);
    });
}

/// The check waits for this now.
pub(crate) fn enter(phase: Phase) {
    tell(|progress| progress.phase.set(phase));
}

/// A new connection is being made.
pub(crate) fn connection_begins() {
    tell(|progress| {
        progress.phase.set(Phase::Connect);
        progress.connected.set(true);
    });
}

/// These addresses are about to be dialled.
pub(crate) fn dialling(addresses: &[IpAddr]) {
    tell(|progress| {
        progress.phase.set(Phase::Connect);
        progress.dialled.set(Dialled {
            public: addresses.iter().copied().any(is_public),
            v4: addresses.iter().any(IpAddr::is_ipv4),
        });
    });
}

/// A server showed this certificate, in DER.
pub(crate) fn shown(certificate: &[u8]) {
    tell(|progress| drop(progress.certificate.replace(Some(certificate.to_owned()))));
}

/// The certificate that the last server with one showed, accepted or not.
pub(crate) fn certificate() -> Option<Certificate> {
    PROGRESS.try_with(|progress| certificate::read(progress.certificate.borrow().as_ref()?)).ok()?
}

/// What the check waits for.
pub(crate) fn phase() -> Phase {
    PROGRESS.try_with(|progress| progress.phase.get()).unwrap_or(Phase::Other)
}

/// Whether the latest request went over a connection kept from an earlier one.
pub(crate) fn connection_was_kept() -> bool {
    PROGRESS.try_with(|progress| !progress.connected.get()).unwrap_or(false)
}

/// What was dialled last.
pub(crate) fn dialled() -> Dialled {
    PROGRESS.try_with(|progress| progress.dialled.get()).unwrap_or_default()
}

fn tell(news: impl FnOnce(&Progress)) {
    // Outside of a check nobody listens.
    let _ = PROGRESS.try_with(news);
}
