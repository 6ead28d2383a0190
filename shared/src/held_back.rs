//! Holding back: where very many links of a run change alike, the fault may be ours, and a person decides.
//!
//! A captive portal answers for every site, a pattern has a typing error, a firewall blocks us: then most links of a
//! run change in the same way for the same reason. Single sites that come and go do not look like that.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Change, Lang};

/// When a run is held back. Only links that were checked before count: a link that is new has nothing to change from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HoldBack {
    /// The least number of links that must change alike; 0: no run is held back.
    pub links: u32,
    /// More than so many percent of the run's links must change alike.
    pub percent: Percent,
}

impl Default for HoldBack {
    fn default() -> Self {
        Self { links: 10, percent: Percent::default() }
    }
}

impl HoldBack {
    /// How many links must change alike for a run to be held back, of whose links so many were checked before.
    /// `None`: such a run is never held back.
    pub fn needed(self, known: u64) -> Option<u64> {
        let part = u128::from(known) * u128::from(self.percent.0) / 100;
        let needed = u64::try_from(part + 1).unwrap_or(u64::MAX).max(self.links.into());
        (self.links > 0 && needed <= known).then_some(needed)
    }
}

/// A part of a run, in whole percent: 0 to 99. As JSON it is a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Percent(u8);

/// A number that is no part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a part of a run is a whole number of percent, from 0 to 99")]
pub struct BadPercent;

impl Percent {
    /// The number.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl Default for Percent {
    fn default() -> Self {
        Self(50)
    }
}

impl TryFrom<u8> for Percent {
    type Error = BadPercent;
    fn try_from(percent: u8) -> Result<Self, BadPercent> {
        if percent < 100 { Ok(Self(percent)) } else { Err(BadPercent) }
    }
}

impl From<Percent> for u8 {
    fn from(percent: Percent) -> Self {
        percent.0
    }
}

impl FromStr for Percent {
    type Err = BadPercent;
    fn from_str(text: &str) -> Result<Self, BadPercent> {
        text.parse::<u8>().map_err(|_| BadPercent).and_then(Self::try_from)
    }
}

/// What was seen in a run that was held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeldBack {
    /// Links of the run that were to be checked and had been checked before it was filed.
    pub known: u64,
    /// Links that changed alike, the most first.
    pub alike: Vec<Alike>,
    /// What a person decided; null: nothing yet.
    pub decision: Option<Decision>,
}

/// Links that were checked before and change in the same way for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Alike {
    /// What the run would do to them.
    pub change: Change,
    /// The type of the reason for which they would be hidden, such as `backlink_missing`; null: they would be shown.
    pub reason: Option<String>,
    /// How many they are.
    pub links: u64,
}

/// What a person decides about a run that was held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Its links are hidden and shown as it found them.
    Applied,
    /// Its links stay as they are.
    Discarded,
}

impl Decision {
    /// The word used in messages and outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Discarded => "discarded",
        }
    }
}

impl HeldBack {
    /// What was seen, as a sentence without its end.
    pub fn seen(&self, lang: Lang) -> String {
        let known = self.known;
        let Some(Alike { change, reason, links }) = self.alike.first() else { return String::new() };
        match (lang, change, reason) {
            (Lang::En, Change::Hidden, Some(reason)) => format!(
                "{links} of the {known} links that were checked before would be hidden for the same reason \
                 ({reason})"
            ),
            (Lang::En, Change::Hidden, None) => {
                format!("{links} of the {known} links that were checked before would be hidden alike")
            }
            (Lang::En, Change::Shown, _) => {
                format!("{links} of the {known} links that were checked before would be shown again at once")
            }
            (Lang::Zh, Change::Hidden, Some(reason)) => {
                format!("此前检查过的 {known} 个链接中，有 {links} 个会因同一原因（{reason}）被隐藏")
            }
            (Lang::Zh, Change::Hidden, None) => {
                format!("此前检查过的 {known} 个链接中，有 {links} 个会一同被隐藏")
            }
            (Lang::Zh, Change::Shown, _) => {
                format!("此前检查过的 {known} 个链接中，有 {links} 个会一同恢复显示")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold_back(links: u32, percent: u8) -> HoldBack {
        HoldBack { links, percent: Percent::try_from(percent).unwrap() }
    }

    #[test]
    fn most_of_a_run_is_more_than_half_of_it_and_at_least_ten() {
        for (known, needed) in [
            (0, None),
            (9, None),
            (10, Some(10)),
            (12, Some(10)),
            (19, Some(10)),
            (20, Some(11)),
            (24, Some(13)),
            (25, Some(13)),
            (1_000_000, Some(500_001)),
        ] {
            assert_eq!(HoldBack::default().needed(known), needed, "{known}");
        }
    }

    #[test]
    fn settings_move_both_bounds() {
        assert_eq!(hold_back(0, 50).needed(1_000), None, "off");
        assert_eq!(hold_back(3, 0).needed(1_000), Some(3));
        assert_eq!(hold_back(3, 90).needed(10), Some(10));
        assert_eq!(hold_back(3, 90).needed(2), None);
        assert_eq!(hold_back(1, 99).needed(5), Some(5), "all");
        assert_eq!(hold_back(u32::MAX, 50).needed(u64::from(u32::MAX)), Some(u32::MAX.into()));
        assert_eq!(hold_back(1, 99).needed(u64::MAX), Some(u64::MAX / 100 * 99 + 15));
    }

    #[test]
    fn needed_is_the_least_number_above_the_part() {
        for known in 1..200_u64 {
            for percent in [0, 1, 25, 33, 50, 67, 99] {
                let by_trial = (1..=known).find(|links| links * 100 > known * u64::from(percent));
                assert_eq!(hold_back(1, percent).needed(known), by_trial, "{known} {percent}");
            }
        }
    }

    #[test]
    fn a_part_is_less_than_the_whole() {
        for bad in ["100", "-1", "50%", "0.5", "half", ""] {
            assert_eq!(bad.parse::<Percent>(), Err(BadPercent), "{bad}");
        }
        assert_eq!(serde_json::from_str::<Percent>("25").unwrap(), "25".parse().unwrap());
        assert!(serde_json::from_str::<Percent>("100").is_err());
    }
}
