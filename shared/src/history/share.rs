//! A part of a whole, as it is shown.

use std::fmt;

/// A part of a whole. It is shown rounded down: 99.996 % is not 100 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    part: u64,
    whole: u64,
}

impl Share {
    /// `None` of nothing: there is no share then, neither 0 % nor 100 %.
    pub fn of(part: u64, whole: u64) -> Option<Self> {
        (whole > 0).then_some(Self { part: part.min(whole), whole })
    }

    /// In hundredths of a percent, rounded down.
    pub fn hundredths(self) -> u64 {
        u64::try_from(u128::from(self.part) * 10_000 / u128::from(self.whole)).unwrap_or(10_000)
    }

    /// In percent with two decimals, rounded down.
    pub fn percent(self) -> f64 {
        // At most 10,000, which a float holds exactly.
        self.hundredths() as f64 / 100.0
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hundredths() {
            10_000 => f.pad("100 %"),
            less => f.pad(&format!("{}.{:02} %", less / 100, less % 100)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_rounded_down_and_nothing_has_no_share() {
        let shown = |part, whole| Share::of(part, whole).map(|share| share.to_string());
        assert_eq!(shown(0, 0), None);
        assert_eq!(shown(0, 7).as_deref(), Some("0.00 %"));
        assert_eq!(shown(7, 7).as_deref(), Some("100 %"));
        assert_eq!(shown(99_999, 100_000).as_deref(), Some("99.99 %"));
        assert_eq!(shown(u64::MAX - 1, u64::MAX).as_deref(), Some("99.99 %"));
        assert_eq!(Share::of(2, 3).map(Share::percent), Some(66.66));
    }
}
