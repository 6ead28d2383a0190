//! Whether a dashboard may be served where it is to be served.

use std::net::{IpAddr, SocketAddr};

use linkbeat_store::{Access, StoreError};

use crate::settings::DashboardSettings;

/// Why a dashboard is not served.
#[derive(Debug, thiserror::Error)]
pub enum Unprotected {
    /// Anybody could change everything.
    #[error("dashboard.listen {0} can be reached from other machines, and nothing says who may come in")]
    Open(SocketAddr),
    /// It is not known whether there are tokens.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Unprotected {
    /// What to do about it.
    pub fn advice(&self) -> String {
        match self {
            Self::Open(_) => "set a password (`linkbeat dashboard password` makes the value of dashboard.password_hash), \
                              or make a token (`linkbeat tokens add NAME --scope read|write`), or let everybody look and \
                              nobody change anything (--open-read), or listen on 127.0.0.1"
                .to_owned(),
            Self::Store(error) => error.advice().to_owned(),
        }
    }
}

/// Whether only this machine reaches this address.
pub(super) fn only_from_here(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Fails unless something says who may come in, or only this machine reaches the dashboard.
pub(crate) async fn check(
    settings: &DashboardSettings,
    store: &(impl Access + ?Sized),
) -> Result<(), Unprotected> {
    let is_protected =
        only_from_here(settings.listen.ip()) || settings.password_hash.is_some() || settings.open_read;
    if is_protected || !store.tokens().await?.is_empty() {
        return Ok(());
    }
    Err(Unprotected::Open(settings.listen))
}
