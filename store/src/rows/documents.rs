//! What a check found, as JSON: columns `reason`, `hidden_reason` and `details`.

use chrono::{DateTime, Utc};
use linkbeat_shared::{Details, Reason};

use crate::error::Fault;
use crate::values::Document;

/// The end of the year 9999, in seconds since 1970: certificates without an end say so (RFC 5280 §4.1.2.5).
const END_OF_TIME: i64 = 253_402_300_799;

/// Reads a reason; `what` names its column.
pub(super) fn reason(document: Option<&Document>, what: &str) -> Result<Option<Reason>, Fault> {
    document.map(|document| document.read(what)).transpose()
}

/// Reads details; `what` names their column.
pub(super) fn details(document: Option<&Document>, what: &str) -> Result<Details, Fault> {
    document.map_or_else(|| Ok(Details::default()), |document| document.read(what))
}

/// Details as they are stored; `None`: nothing to tell.
pub(crate) fn details_document(mut details: Details) -> Option<Document> {
    if let Some(certificate) = &mut details.certificate {
        // Neither database reads years of five digits or before the common era.
        let latest = DateTime::from_timestamp(END_OF_TIME, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
        certificate.expires_at = certificate.expires_at.clamp(DateTime::UNIX_EPOCH, latest);
    }
    (!details.is_empty()).then(|| Document::of(&details))
}
