//! A reason as one compact word, for columns and attributes that programs read.

use linkbeat_shared::{BodyKind, Reason};

/// Such as `status:404`, `timeout:connect` or `protocol`: the `type` of the JSON form, and its detail.
pub(super) fn reason_word(reason: &Reason) -> String {
    let (word, detail) = match reason {
        Reason::Status { code } => return format!("status:{code}"),
        Reason::UnsafeAddress { address: Some(address) } => return format!("unsafe_address:{address}"),
        Reason::UnsafeAddress { address: None } => return "unsafe_address".to_owned(),
        Reason::Protocol => return "protocol".to_owned(),
        Reason::Body { kind: BodyKind::BrokeOff } => return "body".to_owned(),
        Reason::BacklinkMissing { truncated: false } => return "backlink_missing".to_owned(),
        Reason::Other => return "other".to_owned(),
        Reason::BacklinkMissing { truncated: true } => ("backlink_missing", "truncated"),
        Reason::Timeout { phase } => ("timeout", phase.as_str()),
        Reason::Dns { kind } => ("dns", kind.as_str()),
        Reason::Connect { kind } => ("connect", kind.as_str()),
        Reason::Tls { kind } => ("tls", kind.as_str()),
        Reason::Body { kind } => ("body", kind.as_str()),
        Reason::Redirect { kind } => ("redirect", kind.as_str()),
        Reason::BadUrl { kind } => ("bad_url", kind.as_str()),
        Reason::Noted { note } => ("noted", note.as_str()),
    };
    format!("{word}:{detail}")
}
