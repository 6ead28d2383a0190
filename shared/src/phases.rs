//! How long each phase of a check took.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Phase;

/// How long the phases of a check took, in milliseconds, over all its redirects: to look up addresses, to connect, the TLS
/// handshakes, to wait for the heads of answers, and to read the page. In messages an array of these five.
///
/// Part of the contract, like [`crate::Reason`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Phases([u32; 5]);

impl Phases {
    /// The phases that are measured, in the order in which a check meets them.
    pub const MEASURED: [Phase; 5] = [Phase::Dns, Phase::Connect, Phase::Tls, Phase::Headers, Phase::Body];

    /// From how long each of [`Phases::MEASURED`] took. `None`: no time was spent in any.
    pub fn of(spent: [Duration; 5]) -> Option<Self> {
        let millis = spent.map(|time| u32::try_from(time.as_millis()).unwrap_or(u32::MAX));
        (spent.iter().any(|time| !time.is_zero())).then_some(Self(millis))
    }

    /// Each phase with its milliseconds.
    pub fn iter(self) -> impl Iterator<Item = (Phase, u32)> {
        Self::MEASURED.into_iter().zip(self.0)
    }

    /// The milliseconds of all together.
    pub fn total_ms(self) -> u64 {
        self.0.iter().copied().map(u64::from).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_says_them_in_messages() {
        let spent = [3, 20, 31, 88, 2].map(Duration::from_millis);
        let phases = Phases::of(spent).unwrap();
        assert_eq!(serde_json::to_string(&phases).unwrap(), "[3,20,31,88,2]");
        assert_eq!(serde_json::from_str::<Phases>("[3,20,31,88,2]").unwrap(), phases);
        assert_eq!((phases.total_ms(), phases.iter().nth(3)), (144, Some((Phase::Headers, 88))));
        assert_eq!(Phases::of([Duration::ZERO; 5]), None);
        for bad in ["[1,2,3,4]", "[1,2,3,4,5,6]", "[-1,0,0,0,0]", "{}"] {
            assert!(serde_json::from_str::<Phases>(bad).is_err(), "{bad}");
        }
    }
}
