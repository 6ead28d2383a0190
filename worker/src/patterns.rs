//! The backlink patterns of late: all jobs of a run carry the same one, and compiling costs more than a check.

use std::sync::{Mutex, PoisonError};

use linkbeat_shared::{BacklinkPattern, BadPattern};

/// Patterns kept: of more runs than this at once, some are compiled again.
const KEPT: usize = 8;

/// Compiles each pattern once.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    /// The latest last.
    kept: Mutex<Vec<BacklinkPattern>>,
}

impl Patterns {
    /// The pattern of this text.
    pub(crate) fn get(&self, text: &str) -> Result<BacklinkPattern, BadPattern> {
        // Nothing under this lock can panic half-way.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let pattern = match kept.iter().position(|pattern| pattern.as_str() == text) {
            Some(at) => kept.remove(at),
            None => BacklinkPattern::parse(text)?,
        };
        kept.push(pattern.clone());
        if kept.len() > KEPT {
            kept.remove(0);
        }
        Ok(pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_kept_and_no_others() {
        let patterns = Patterns::default();
        for number in 0..2 * KEPT {
            assert_eq!(patterns.get(&format!("a{number}")).unwrap().as_str(), format!("a{number}"));
            patterns.get("often").unwrap();
        }
        assert!(patterns.get("(").is_err());
        let kept = patterns.kept.lock().unwrap();
        assert_eq!(kept.len(), KEPT);
        assert_eq!(kept.last().map(BacklinkPattern::as_str), Some("often"));
    }
}
