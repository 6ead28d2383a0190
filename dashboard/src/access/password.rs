//! The password, known to us only by its hash.

use std::fmt;
use std::str::FromStr;

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc};
use linkbeat_store::Hash;

use super::secret;

/// The fewest characters of a password.
pub const SHORTEST_PASSWORD: usize = 8;

/// The most bytes of what is tried as a password.
pub(super) const LONGEST: usize = 1_024;

/// What argon2 makes of a password, as a PHC string such as `$argon2id$v=19$m=19456,t=2,p=1$…$…`.
///
/// `Debug` does not show it: a weak password could be found from it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

/// A text that is no hash of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no argon2 hash of a password; `linkbeat dashboard password` makes one")]
pub struct BadPasswordHash;

impl PasswordHash {
    /// The hash of a password, with a random salt and the parameters that OWASP recommends. Takes some 50 ms and 19 MiB.
    pub fn of(password: &str) -> Result<Self, BadPasswordHash> {
        let hash: phc::PasswordHash =
            Argon2::default().hash_password(password.as_bytes()).map_err(|_| BadPasswordHash)?;
        Ok(Self(hash.to_string()))
    }

    /// Whether this is the password. Takes as long as [`PasswordHash::of`].
    pub(super) fn is_of(&self, password: &str) -> bool {
        let hash = phc::PasswordHash::new(&self.0);
        hash.is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    }

    /// What a session is begun with. Another password makes it worthless.
    pub(super) fn proof(&self) -> Hash {
        secret::hash_of(&self.0)
    }
}

impl FromStr for PasswordHash {
    type Err = BadPasswordHash;

    fn from_str(text: &str) -> Result<Self, BadPasswordHash> {
        let text = text.trim();
        let hash = phc::PasswordHash::new(text).map_err(|_| BadPasswordHash)?;
        let is_whole = text.starts_with("$argon2") && hash.salt.is_some() && hash.hash.is_some();
        if is_whole { Ok(Self(text.to_owned())) } else { Err(BadPasswordHash) }
    }
}

impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_by_its_hash() {
        let hash = PasswordHash::of("correct horse").unwrap();
        let read: PasswordHash = hash.to_string().parse().unwrap();
        assert!(read.is_of("correct horse") && !read.is_of("correct horse ") && !read.is_of(""));
        assert!(hash.to_string().starts_with("$argon2id$") && !format!("{hash:?}").contains('$'));
        assert_ne!(PasswordHash::of("correct horse").unwrap().proof(), hash.proof());
        for text in [
            "",
            "correct horse",
            "$argon2id$v=19$m=19456,t=2,p=1",
            "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$a",
        ] {
            assert_eq!(text.parse::<PasswordHash>(), Err(BadPasswordHash), "{text}");
        }
    }
}
