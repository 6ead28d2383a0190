//! Who asks, and what they may do.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use linkbeat_store::{Hash, Scope};

use super::refusal::Refusal;
use super::secret::hash_of;
use super::{Access, Openness};
use crate::ports::Ports;

/// The cookie of a session.
pub(super) const COOKIE: &str = "linkbeat_session";

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caller {
    may: Option<Scope>,
    /// By a token or a session, or because nobody else reaches the dashboard.
    is_known: bool,
    has_session: bool,
}

impl Caller {
    /// Somebody of whom nothing is known.
    pub(super) fn anybody(access: &Access) -> Self {
        let may = match access.openness {
            Openness::Everything => Some(Scope::Write),
            Openness::Reading => Some(Scope::Read),
            Openness::Nothing => None,
        };
        Self { may, is_known: may == Some(Scope::Write), has_session: false }
    }

    /// Whether it is more than anybody. Strangers have places of their own: they take none from those who are known.
    pub(crate) fn is_known(self) -> bool {
        self.is_known
    }

    /// Whether this may be done.
    pub(crate) fn may(self, scope: Scope) -> bool {
        self.may >= Some(scope)
    }

    /// Whether there is something to log out of.
    pub(crate) fn has_session(self) -> bool {
        self.has_session
    }

    /// Finds out who has this.
    pub(super) async fn of(access: &Access, ports: &Ports, proof: Credential) -> Result<Self, Refusal> {
        let anybody = Self::anybody(access);
        let session = match proof {
            Credential::None => return Ok(anybody),
            Credential::Token(token) => {
                let scope = scope_of_token(ports, &token).await?.ok_or(Refusal::WrongToken)?;
                return Ok(Self { may: Some(scope), is_known: true, has_session: false });
            }
            Credential::Session(session) => session,
        };
        let proof = ports.store.session(&session).await.map_err(|error| no_database(&error))?;
        let may = match proof {
            Some(proof) if access.password.as_ref().is_some_and(|password| password.proof() == proof) => {
                Some(Scope::Write)
            }
            Some(proof) => scope_of_token(ports, &proof).await?,
            None => None,
        };
        // A session that has ended is none.
        let of = |scope| Self { may: anybody.may.max(Some(scope)), is_known: true, has_session: true };
        Ok(may.map_or(anybody, of))
    }
}

/// What a request says about who sent it, known by its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Credential {
    None,
    Token(Hash),
    Session(Hash),
}

impl Credential {
    pub(super) fn among(headers: &HeaderMap) -> Self {
        let session = || session_of(headers).map(Self::Session);
        let token = bearer(headers).map(|token| Self::Token(hash_of(token)));
        token.or_else(session).unwrap_or(Self::None)
    }
}

/// The session whose cookie is among these headers.
pub(super) fn session_of(headers: &HeaderMap) -> Option<Hash> {
    cookie(headers, COOKIE).filter(|value| !value.is_empty()).map(hash_of)
}

async fn scope_of_token(ports: &Ports, hash: &Hash) -> Result<Option<Scope>, Refusal> {
    let token = ports.store.token(hash).await.map_err(|error| no_database(&error))?;
    Ok(token.map(|token| token.scope))
}

fn no_database(error: &linkbeat_store::StoreError) -> Refusal {
    tracing::warn!(%error, "the database did not say who may come in");
    Refusal::NoDatabase
}

/// What stands after `Bearer` (RFC 6750 §2.1). Other schemes belong to proxies before us.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// The value of a cookie (RFC 6265 §5.4).
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// The gate has put it there. Without a gate nobody may do anything.
impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().copied().unwrap_or(Self { may: None, is_known: false, has_session: false }))
    }
}
