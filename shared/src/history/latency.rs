//! How long checks took: a histogram, and what is known of those that never came to their end.

use super::histogram::{Histogram, bucket, middle};

/// The version of the stored bytes. Another layout gets another number.
const VERSION: u8 = 1;
/// The same, with time-outs.
const VERSION_WITH_TIMEOUTS: u8 = 2;

/// How long checks took that were answered, and how long those waited at least that were not.
///
/// A time-out says only that the answer would have taken longer than the deadline. It counts with its deadline, and a
/// quantile that it may have moved says "at least".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latency {
    histogram: Histogram,
    sum_ms: u64,
    /// The shortest and the longest.
    ends_ms: Option<(u32, u32)>,
    /// How many timed out, and after how long the first of them did.
    timeouts: Option<(u64, u32)>,
}

/// A quantile of latencies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantile {
    /// Milliseconds, off by at most 5 %.
    pub ms: f64,
    /// Checks timed out that may have taken longer: the quantile is no less than this.
    pub at_least: bool,
}

/// Stored bytes that are no latencies of a version known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are no latencies that this linkbeat can read")]
pub struct BadLatency;

impl Latency {
    /// Adds a check that was answered after so long.
    pub fn answered(&mut self, ms: u32) {
        self.histogram.add(ms);
        self.sum_ms = self.sum_ms.saturating_add(ms.into());
        self.widen(ms, ms);
    }

    /// Adds a check that had no answer when its deadline passed after so long.
    pub fn timed_out(&mut self, ms: u32) {
        self.answered(ms);
        self.add_timeouts(1, ms);
    }

    /// Adds all that another has.
    pub fn merge(&mut self, other: &Self) {
        self.histogram.merge(&other.histogram);
        self.sum_ms = self.sum_ms.saturating_add(other.sum_ms);
        if let Some((shortest, longest)) = other.ends_ms {
            self.widen(shortest, longest);
        }
        if let Some((count, first)) = other.timeouts {
            self.add_timeouts(count, first);
        }
    }

    fn widen(&mut self, shortest: u32, longest: u32) {
        let (least, most) = self.ends_ms.unwrap_or((shortest, longest));
        self.ends_ms = Some((least.min(shortest), most.max(longest)));
    }

    fn add_timeouts(&mut self, more: u64, first: u32) {
        let (count, least) = self.timeouts.unwrap_or((0, first));
        self.timeouts = Some((count + more, least.min(first)));
    }

    /// How many checks there are, those that timed out among them.
    pub fn count(&self) -> u64 {
        self.histogram.count()
    }

    /// How many of them timed out.
    pub fn timeouts(&self) -> u64 {
        self.timeouts.map_or(0, |(count, _)| count)
    }

    /// The mean, to the millisecond. With time-outs it is no less than this.
    pub fn mean_ms(&self) -> Option<u64> {
        self.sum_ms.checked_div(self.count())
    }

    /// The shortest and the longest, exactly.
    pub fn ends_ms(&self) -> Option<(u32, u32)> {
        self.ends_ms
    }

    /// The value below or at which so many in a thousand lie (nearest rank). `None` without any check.
    pub fn quantile(&self, per_mille: u16) -> Option<Quantile> {
        let (shortest, longest) = self.ends_ms?;
        let rank = u128::from(self.count()) * u128::from(per_mille.min(1_000));
        let rank = u64::try_from(rank.div_ceil(1_000)).unwrap_or(u64::MAX).max(1);
        let found = self.histogram.bucket_of_rank(rank)?;
        Some(Quantile {
            ms: middle(found).clamp(shortest.into(), longest.into()),
            at_least: self.timeouts.is_some_and(|(_, first)| bucket(first) <= found),
        })
    }

    /// As it is stored. The first byte is the version of the rest.
    pub fn encode(&self) -> Vec<u8> {
        let (shortest, longest) = self.ends_ms.unwrap_or_default();
        let version = if self.timeouts.is_some() { VERSION_WITH_TIMEOUTS } else { VERSION };
        let mut bytes = vec![version];
        push_number(self.sum_ms, &mut bytes);
        push_number(shortest.into(), &mut bytes);
        push_number((longest - shortest).into(), &mut bytes);
        if let Some((count, first)) = self.timeouts {
            push_number(count, &mut bytes);
            push_number(first.into(), &mut bytes);
        }
        self.histogram.encode(&mut bytes);
        bytes
    }

    /// Reads stored bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadLatency> {
        Self::read(bytes).ok_or(BadLatency)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (version, mut rest) = bytes.split_first()?;
        let sum_ms = take_number(&mut rest)?;
        let shortest = u32::try_from(take_number(&mut rest)?).ok()?;
        let longest = shortest.checked_add(u32::try_from(take_number(&mut rest)?).ok()?)?;
        let timeouts = match *version {
            VERSION => None,
            VERSION_WITH_TIMEOUTS => {
                Some((take_number(&mut rest)?, u32::try_from(take_number(&mut rest)?).ok()?))
            }
            _ => return None,
        };
        let histogram = Histogram::decode(rest)?;
        let ends_ms = (histogram.count() > 0).then_some((shortest, longest));
        Some(Self { histogram, sum_ms, ends_ms, timeouts })
    }
}

/// Seven bits in each byte, the lowest first. The highest bit says that more follow.
fn push_number(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for place in 0..10 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f).checked_shl(7 * place)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A check: how long it took, and whether that was its deadline.
    type Check = (u32, bool);

    fn latency(checks: &[Check]) -> Latency {
        let mut latency = Latency::default();
        for (ms, timed_out) in checks {
            if *timed_out { latency.timed_out(*ms) } else { latency.answered(*ms) }
        }
        latency
    }

    fn merged<'a>(parts: impl IntoIterator<Item = &'a Latency>) -> Latency {
        let mut whole = Latency::default();
        parts.into_iter().for_each(|part| whole.merge(part));
        whole
    }

    fn checks(most: usize) -> impl Strategy<Value = Vec<Check>> {
        let ms = prop_oneof![0_u32..200, 0_u32..60_000, Just(i32::MAX as u32)];
        prop::collection::vec((ms, prop::bool::weighted(0.1)), 0..most)
    }

    proptest! {
        #[test]
        fn merging_does_not_depend_on_order_or_grouping(
            (parts, shuffled) in prop::collection::vec(checks(20), 1..8)
                .prop_flat_map(|parts| (Just(parts.clone()), Just(parts).prop_shuffle())),
            cut in any::<prop::sample::Index>(),
        ) {
            let whole = latency(&parts.concat());
            let shuffled: Vec<Latency> = shuffled.iter().map(|part| latency(part)).collect();
            let (some, others) = shuffled.split_at(cut.index(shuffled.len()));
            prop_assert_eq!(&merged(&shuffled), &whole);
            prop_assert_eq!(&merged([&merged(some), &merged(others)]), &whole);
            prop_assert_eq!(merged(&shuffled).encode(), whole.encode());
        }

        #[test]
        fn it_reads_as_it_was_written(checks in checks(300)) {
            let whole = latency(&checks);
            prop_assert_eq!(Latency::decode(&whole.encode()).unwrap(), whole);
        }

        #[test]
        fn quantiles_are_those_of_the_sorted_values_within_five_percent(checks in checks(300), per_mille in 0_u16..=1_000) {
            let mut values: Vec<u32> = checks.iter().map(|(ms, _)| *ms).collect();
            values.sort_unstable();
            let Some(quantile) = latency(&checks).quantile(per_mille) else {
                prop_assert!(values.is_empty());
                return Ok(());
            };
            let rank = (values.len() * usize::from(per_mille)).div_ceil(1_000).max(1);
            let exact = f64::from(values[rank - 1]);
            prop_assert!((quantile.ms - exact).abs() <= 0.05 * exact, "{} for {exact}", quantile.ms);
            let censored = |ms: &u32| checks.contains(&(*ms, true));
            if values[..rank].iter().any(censored) {
                prop_assert!(quantile.at_least, "the answer may have taken longer");
            }
            if quantile.at_least {
                let near = checks.iter().any(|(ms, timed_out)| *timed_out && f64::from(*ms) <= exact * 1.11);
                prop_assert!(near, "nothing timed out so early");
            }
        }

        #[test]
        fn other_bytes_are_refused_or_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(latency) = Latency::decode(&bytes) {
                let _ = latency.quantile(500);
            }
        }
    }

    #[test]
    fn without_checks_there_is_nothing_to_tell() {
        let none = Latency::default();
        assert_eq!((none.quantile(500), none.mean_ms(), none.count()), (None, None, 0));
        assert_eq!(Latency::decode(&none.encode()).unwrap(), none);
        for bad in [&[][..], &[0], &[3, 0, 0, 0], &[1, 0x80]] {
            assert_eq!(Latency::decode(bad), Err(BadLatency), "{bad:?}");
        }
    }

    /// Numbers that look random and are the same each time (Marsaglia's xorshift64).
    fn uniform(state: &mut u64) -> f64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A day in which a site is checked from once an hour to every ten seconds.
    #[test]
    fn a_day_takes_at_most_110_bytes() {
        let mut state = 88_172_645_463_325_252;
        for checks in [1, 24, 48, 96, 288, 1_440, 8_640] {
            for (name, spread, timeouts) in
                [("steady", 0.2, 0.0), ("usual", 0.6, 0.01), ("wide", 1.2, 0.05), ("log-uniform", 0.0, 0.01)]
            {
                let mut day = Latency::default();
                for _ in 0..checks {
                    let (angle, radius) = (uniform(&mut state), uniform(&mut state));
                    let normal =
                        (-2.0 * radius.max(1e-12).ln()).sqrt() * (std::f64::consts::TAU * angle).cos();
                    let ms =
                        if spread > 0.0 { 200.0 * (spread * normal).exp() } else { 5_000_f64.powf(angle) };
                    if uniform(&mut state) < timeouts || ms >= 5_000.0 {
                        day.timed_out(5_000);
                    } else {
                        day.answered(ms as u32);
                    }
                }
                let bytes = day.encode().len();
                assert!(bytes <= 110, "{name}, {checks} checks: {bytes} bytes");
            }
        }
    }
}
