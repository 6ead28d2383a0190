//! Tokens and cookies: random, and known to us only by their hashes.

use data_encoding::BASE64URL_NOPAD;
use linkbeat_store::Hash;
use sha2::{Digest, Sha256};

/// What a token begins with, so that scanners find one that somebody published.
pub(super) const PREFIX: &str = "lb_";

/// The hash by which something secret is known.
pub(super) fn hash_of(secret: &str) -> Hash {
    Sha256::digest(secret.as_bytes()).into()
}

/// 256 random bits as text for cookies, headers and URLs.
pub(super) fn random() -> String {
    BASE64URL_NOPAD.encode(&rand::random::<[u8; 32]>())
}

/// A token that nobody knows yet. It is shown once; its hash is kept.
#[derive(Clone)]
pub struct NewToken(String);

impl NewToken {
    /// A random one.
    #[expect(clippy::new_without_default, reason = "no two are alike")]
    pub fn new() -> Self {
        Self(format!("{PREFIX}{}", random()))
    }

    /// The token.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn hash(&self) -> Hash {
        hash_of(&self.0)
    }
}

impl std::fmt::Debug for NewToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewToken")
    }
}
