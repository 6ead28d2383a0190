//! The request of a schedule, as it is stored: in the form in which it would travel.

use crate::wire::{Message, RequestMessage, Unreadable, decode, encode};
use crate::{Request, RequestId};

/// Why a request cannot be stored, or cannot be read back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadStoredRequest {
    /// It names too many links.
    #[error(
        "the list makes the request {bytes} bytes long, and at most {limit} can be stored: import the list, and \
         schedule the links of its group or tag"
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Another linkbeat has stored it, or somebody has changed it.
    #[error("the stored request cannot be read: {0}")]
    Unreadable(#[from] Unreadable),
}

/// The request as it is stored. Where the answer goes is not kept: nobody waits for the answer of a tick.
pub fn stored_request(request: &Request) -> Result<String, BadStoredRequest> {
    let bytes = encode(&RequestMessage::from(request));
    if bytes.len() > RequestMessage::MAX_BYTES {
        return Err(BadStoredRequest::TooLarge { bytes: bytes.len(), limit: RequestMessage::MAX_BYTES });
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The stored request, under this id.
pub fn read_request(stored: &str, id: RequestId) -> Result<Request, BadStoredRequest> {
    Ok(Request { id, ..decode::<RequestMessage>(stored.as_bytes())?.into_request(None)? })
}
