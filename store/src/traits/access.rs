use std::fmt::Debug;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::Result;

/// A SHA-256. What is hashed so is random and long, so nobody finds it from its hash.
pub type Hash = [u8; 32];

/// Who may use the dashboard.
#[async_trait]
pub trait Access: Send + Sync + Debug {
    /// What a token with this hash may do; `None`: there is none.
    async fn token(&self, hash: &Hash) -> Result<Option<StoredToken>>;

    /// All tokens, by name.
    async fn tokens(&self) -> Result<Vec<StoredToken>>;

    /// Keeps a new token. `false`: another one has this name.
    async fn add_token(&self, name: &TokenName, hash: &Hash, scope: Scope) -> Result<bool>;

    /// Removes a token. `false`: there is none of this name.
    async fn remove_token(&self, name: &str) -> Result<bool>;

    /// Keeps a session for so long, by the database's clock. Forgets some of those that have ended.
    async fn begin_session(&self, session: &Hash, proof: &Hash, length: Duration) -> Result<()>;

    /// What a session that has not ended was begun with.
    async fn session(&self, session: &Hash) -> Result<Option<Hash>>;

    /// Ends a session.
    async fn end_session(&self, session: &Hash) -> Result<()>;
}

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Look at everything.
    Read,
    /// Also change what the dashboard can change.
    Write,
}

impl Scope {
    /// The word in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Read, Self::Write]
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no scope; there are read and write"))
    }
}

/// What people call a token: 1 to 100 characters, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenName(String);

impl TokenName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The longest name, in characters.
const LONGEST_NAME: usize = 100;

impl FromStr for TokenName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.trim();
        let fits = (1..=LONGEST_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control);
        match fits {
            true => Ok(Self(name.to_owned())),
            false => {
                Err("the name of a token has 1 to 100 characters, none of them a control character"
                    .to_owned())
            }
        }
    }
}

/// A token that was kept, without itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredToken {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// When it was made, by the database's clock.
    pub made_at: DateTime<Utc>,
}
