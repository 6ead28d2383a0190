//! Why a verdict was given: typed, never prose. Text is made at the edge, see [`crate::Lang`].
//!
//! The JSON form is part of the contract: `{"type":"dns","kind":"nxdomain"}`. A kind that a newer
//! linkbeat added reads as `other` here, so neighbours of different versions understand each other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Note;

/// Why a link is not `up`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Reason {
    /// The final answer's status is not accepted.
    Status {
        /// The HTTP status code (RFC 9110 §15).
        code: u16,
    },
    /// The deadline passed.
    Timeout {
        /// What it was waiting for when it passed.
        phase: Phase,
    },
    /// The host's name gave no address.
    Dns {
        /// How the look-up failed.
        kind: DnsKind,
    },
    /// No connection, or one that was lost before an answer.
    Connect {
        /// How it failed.
        kind: ConnectKind,
    },
    /// The TLS handshake failed.
    Tls {
        /// How it failed.
        kind: TlsKind,
    },
    /// A chain of redirects led nowhere.
    Redirect {
        /// How it failed.
        kind: RedirectKind,
    },
    /// The answer is not HTTP, or breaks its limits.
    Protocol,
    /// The page could not be read to its end before the backlink was found.
    Body {
        /// Why not.
        #[serde(default = "BodyKind::broke_off", skip_serializing_if = "BodyKind::is_broke_off")]
        kind: BodyKind,
    },
    /// The page was read and does not contain the backlink.
    BacklinkMissing {
        /// Only the part of the page up to the size limit was searched.
        #[serde(default)]
        truncated: bool,
    },
    /// The name leads to an address that is not public; nothing was sent to it.
    UnsafeAddress {
        /// The address as text, such as `169.254.169.254`.
        #[serde(default)]
        address: Option<String>,
    },
    /// The URL, or one it redirects to, cannot be fetched.
    BadUrl {
        /// What is wrong with it.
        kind: BadUrlKind,
    },
    /// The page answered, but a check noted this of it and the request hides for it. Never the reason of a verdict:
    /// only that for which a link is hidden.
    Noted {
        /// What was noted.
        note: Note,
    },
    /// A reason that a newer version of linkbeat gave.
    #[serde(other)]
    Other,
}

impl Reason {
    /// The page broke off, or could not be decompressed.
    pub const BROKE_OFF: Self = Self::Body { kind: BodyKind::BrokeOff };

    /// The `type` of its JSON form.
    pub fn type_word(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Timeout { .. } => "timeout",
            Self::Dns { .. } => "dns",
            Self::Connect { .. } => "connect",
            Self::Tls { .. } => "tls",
            Self::Redirect { .. } => "redirect",
            Self::Protocol => "protocol",
            Self::Body { .. } => "body",
            Self::BacklinkMissing { .. } => "backlink_missing",
            Self::UnsafeAddress { .. } => "unsafe_address",
            Self::BadUrl { .. } => "bad_url",
            Self::Noted { .. } => "noted",
            Self::Other => "other",
        }
    }
}

macro_rules! kinds {
    ($(#[$doc:meta])* $name:ident { $($(#[$case_doc:meta])* $case:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum $name {
            $($(#[$case_doc])* #[serde(rename = $word)] $case,)+
            /// Anything else, or a kind that a newer version of linkbeat knows.
            #[serde(rename = "other", other)]
            Other,
        }

        impl $name {
            /// The word used in messages and outputs.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$case => $word,)+ Self::Other => "other" }
            }
        }
    };
}

kinds! {
    /// What a check was waiting for.
    Phase {
        /// The host's address.
        Dns = "dns",
        /// A TCP connection.
        Connect = "connect",
        /// The TLS handshake.
        Tls = "tls",
        /// The answer's status line and headers.
        Headers = "headers",
        /// The page, which was needed for the backlink.
        Body = "body",
        /// A turn at a busy host: the deadline passed before the first byte was sent.
        Queue = "queue",
    }
}

kinds! {
    /// How a DNS look-up failed.
    DnsKind {
        /// The name does not exist (RFC 8020).
        Nxdomain = "nxdomain",
        /// The name's servers failed (RFC 1035 §4.1.1, RCODE 2).
        Servfail = "servfail",
        /// The name's servers refused to answer.
        Refused = "refused",
        /// The name exists but has no address.
        NoAddress = "no_address",
        /// Aliases that lead in a circle, or too many of them.
        CnameLoop = "cname_loop",
        /// No answer in time, while other names were answered.
        Timeout = "timeout",
    }
}

kinds! {
    /// How a connection failed.
    ConnectKind {
        /// Nobody listens there.
        Refused = "refused",
        /// Reset by the other side before an answer.
        Reset = "reset",
        /// Closed by the other side before an answer.
        Closed = "closed",
        /// The host cannot be reached.
        Unreachable = "unreachable",
    }
}

kinds! {
    /// How a TLS handshake failed.
    TlsKind {
        /// The certificate's time is over.
        Expired = "expired",
        /// The certificate's time has not begun.
        NotYetValid = "not_yet_valid",
        /// The certificate vouches for itself.
        SelfSigned = "self_signed",
        /// The certificate is for another host.
        WrongHost = "wrong_host",
        /// Nobody we trust issued it.
        UnknownIssuer = "unknown_issuer",
        /// The server left out an intermediate certificate.
        IncompleteChain = "incomplete_chain",
        /// The issuer took the certificate back.
        Revoked = "revoked",
        /// The server speaks nothing newer than TLS 1.1.
        OldProtocol = "old_protocol",
        /// The server accepts none of the ciphers that linkbeat has. It asks for CBC, for RSA key exchange or for
        /// DHE, which are no longer safe.
        NoCommonCipher = "no_common_cipher",
        /// The host's name has a label that begins or ends with a hyphen. linkbeat cannot ask for it by name, and
        /// without that the server shows another certificate.
        UnsupportedName = "unsupported_name",
    }
}

kinds! {
    /// How a chain of redirects failed.
    RedirectKind {
        /// It came back to a URL already visited.
        Loop = "loop",
        /// More hops than allowed (10).
        TooMany = "too_many",
        /// A redirect status without a `Location`.
        NoLocation = "no_location",
        /// A `Location` that is no URL.
        BadLocation = "bad_location",
    }
}

kinds! {
    /// Why a page was not searched to its end.
    BodyKind {
        /// It broke off, or could not be decompressed. A message leaves this one out.
        BrokeOff = "broke_off",
        /// The backlink pattern takes too long on this page.
        PatternTooSlow = "pattern_too_slow",
    }
}

impl BodyKind {
    fn broke_off() -> Self {
        Self::BrokeOff
    }

    fn is_broke_off(&self) -> bool {
        *self == Self::BrokeOff
    }
}

kinds! {
    /// What is wrong with a URL.
    BadUrlKind {
        /// Its host cannot be looked up.
        Host = "host",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_keep_their_json_form() {
        let cases = [
            (Reason::Status { code: 404 }, r#"{"type":"status","code":404}"#),
            (Reason::Timeout { phase: Phase::Body }, r#"{"type":"timeout","phase":"body"}"#),
            (Reason::Dns { kind: DnsKind::Nxdomain }, r#"{"type":"dns","kind":"nxdomain"}"#),
            (Reason::Protocol, r#"{"type":"protocol"}"#),
            (Reason::BROKE_OFF, r#"{"type":"body"}"#),
            (Reason::Body { kind: BodyKind::PatternTooSlow }, r#"{"type":"body","kind":"pattern_too_slow"}"#),
            (
                Reason::BacklinkMissing { truncated: false },
                r#"{"type":"backlink_missing","truncated":false}"#,
            ),
        ];
        for (reason, json) in cases {
            assert_eq!(serde_json::to_string(&reason).unwrap(), json);
            assert_eq!(serde_json::from_str::<Reason>(json).unwrap(), reason);
            assert!(json.starts_with(&format!(r#"{{"type":"{}""#, reason.type_word())), "{json}");
        }
    }

    #[test]
    fn words_of_a_newer_version_are_read_as_other() {
        let read = |json: &str| serde_json::from_str::<Reason>(json).unwrap();
        assert_eq!(read(r#"{"type":"soft_404","score":3}"#), Reason::Other);
        assert_eq!(read(r#"{"type":"tls","kind":"ech_required"}"#), Reason::Tls { kind: TlsKind::Other });
        // No version has ever written these kinds, but their words were in the schema once.
        for kind in ["empty", "too_long", "control_character", "scheme"] {
            let json = format!(r#"{{"type":"bad_url","kind":"{kind}"}}"#);
            assert_eq!(read(&json), Reason::BadUrl { kind: BadUrlKind::Other });
        }
    }
}
