//! The same call twice does its work once, if the client names the call.
//!
//! The key names the request of the run, so the database knows it. What the call said is kept as a number: another call must
//! not take the same key.

use std::fmt::Debug;
use std::hash::{DefaultHasher, Hasher};

use axum::http::HeaderMap;
use linkbeat_shared::RequestId;
use uuid::Uuid;

use super::problem::Problem;
use crate::serve::App;

/// The header (draft-ietf-httpapi-idempotency-key-header).
const HEADER: &str = "idempotency-key";
/// What requests of the API are named in: "linkbeat api key" in ASCII.
const NAME_SPACE: Uuid = Uuid::from_bytes(*b"linkbeat api key");

/// The key, if the client names one. A call for which it does not matter refuses a bad one, too.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(key) = headers.get(HEADER) else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| (1..=255).contains(&key.trim().len()));
    key.map(Some)
        .ok_or_else(|| Problem::malformed("Idempotency-Key: 1 to 255 characters of ASCII are allowed"))
}

/// The id of the request that this call makes. `call` is what is called, `said` is its body.
pub(super) async fn request_id(
    app: &App,
    headers: &HeaderMap,
    call: &str,
    said: &(impl Debug + Sync),
) -> Result<RequestId, Problem> {
    let Some(key) = key(headers)? else { return Ok(RequestId::new()) };
    let id = RequestId(Uuid::new_v5(&NAME_SPACE, format!("{call} {key}").as_bytes()));
    let mut payload = DefaultHasher::new();
    payload.write(format!("{call} {said:?}").as_bytes());
    if app.ports.store.keep_call(id, payload.finish()).await? {
        Ok(id)
    } else {
        Err(Problem::invalid("Idempotency-Key: another call had this key; take a new one"))
    }
}
