//! What a link's own page was like, kept with the link so that a later check can tell that it became another.

use serde::{Deserialize, Serialize};

/// What is known of a link's own page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Known {
    /// Its title.
    pub title: Kept,
    /// Its language, as [`crate::Details::language`] says it.
    pub language: Kept,
}

/// One thing that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// What it was, as long as nothing else took its place.
    pub value: Option<String>,
    /// How many checks in a row saw something quite different.
    pub differed_in_a_row: u32,
}

impl Known {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
