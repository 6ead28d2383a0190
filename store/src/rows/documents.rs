//! What a check found, as JSON: columns `reason`, `hidden_reason` and `details`.

use chrono::{DateTime, Utc};
use linkbeat_shared::{Details, Known, Reason};
use serde::{Deserialize, Serialize};

use crate::error::Fault;
use crate::values::Document;

/// The end of the year 9999, in seconds since 1970: certificates without an end say so (RFC 5280 §4.1.2.5).
const END_OF_TIME: i64 = 253_402_300_799;

/// What `links.details` holds: what the latest check saw, and what the page was like before.
#[derive(Serialize)]
struct OfLink {
    #[serde(flatten)]
    details: Details,
    #[serde(skip_serializing_if = "Known::is_empty")]
    known: Known,
}

/// What `links.details` holds besides the details.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Besides {
    known: Known,
}

/// Reads `links.details`: twice, because `flatten` would copy all of it first.
pub(super) fn of_link(document: Option<&Document>) -> Result<(Details, Known), Fault> {
    let Some(document) = document else { return Ok((Details::default(), Known::default())) };
    let Besides { known } = document.read("links.details")?;
    Ok((document.read("links.details")?, known))
}

/// `links.details` as it is stored; `None`: nothing to tell.
pub(crate) fn link_document(details: Details, known: Known) -> Option<Document> {
    let stored = OfLink { details: storable(details), known };
    (!(stored.details.is_empty() && stored.known.is_empty())).then(|| Document::of(&stored))
}

/// Reads a reason; `what` names its column.
pub(super) fn reason(document: Option<&Document>, what: &str) -> Result<Option<Reason>, Fault> {
    document.map(|document| document.read(what)).transpose()
}

/// Reads details; `what` names their column.
pub(super) fn details(document: Option<&Document>, what: &str) -> Result<Details, Fault> {
    document.map_or_else(|| Ok(Details::default()), |document| document.read(what))
}

/// Details of one check as they are stored; `None`: nothing to tell. Title and language are kept with the link
/// alone: a history of them would be most of what is stored of a check.
pub(crate) fn details_document(details: Details) -> Option<Document> {
    let details = storable(Details { title: None, language: None, ..details });
    (!details.is_empty()).then(|| Document::of(&details))
}

/// All details of a check that only proposes a change, so that it can be judged again.
pub(super) fn proposed_document(details: Details) -> Option<Document> {
    let details = storable(details);
    (!details.is_empty()).then(|| Document::of(&details))
}

fn storable(mut details: Details) -> Details {
    if let Some(certificate) = &mut details.certificate {
        // Neither database reads years of five digits or before the common era.
        let latest = DateTime::from_timestamp(END_OF_TIME, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
        certificate.expires_at = certificate.expires_at.clamp(DateTime::UNIX_EPOCH, latest);
    }
    details
}
