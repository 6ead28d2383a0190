//! A histogram of milliseconds with seven buckets for each doubling.
//!
//! The buckets are fixed. So histograms are merged by adding their counts, in any order, and the result is the same as if
//! all values had come into one. A quantile is off by less than 5 % of the value: a bucket's upper end is 2^(1/7) of its
//! lower end, and the middle that is taken, the harmonic mean of the ends, is off by at most (2^(1/7) - 1) / (2^(1/7) + 1)
//! = 4.95 % of either.

use super::bits::{BitReader, BitWriter, Rice};

/// Where the buckets of one doubling begin: 2^(n/7) times 2^32, rounded up. Whole numbers, so that every machine has the
/// same buckets.
const BEGINNINGS: [u64; 8] = [
    4_294_967_296,
    4_742_028_354,
    5_235_623_779,
    5_780_597_312,
    6_382_296_874,
    7_046_627_052,
    7_780_107_035,
    8_589_934_592,
];
const PER_DOUBLING: u8 = 7;

/// How many values lie in each bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    /// The first bucket that has values.
    first: u8,
    /// The counts from there to the last bucket that has values. The values of a link lie close together.
    counts: Vec<u64>,
}

impl Histogram {
    /// Adds a value.
    pub fn add(&mut self, ms: u32) {
        *self.count_of(bucket(ms)) += 1;
    }

    /// Adds all values of another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in other.buckets().filter(|(_, count)| *count > 0) {
            *self.count_of(bucket) += count;
        }
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The count of a bucket, to be made larger.
    fn count_of(&mut self, bucket: u8) -> &mut u64 {
        if self.counts.is_empty() {
            self.first = bucket;
        }
        if bucket < self.first {
            let before = usize::from(self.first - bucket);
            self.counts.splice(0..0, std::iter::repeat_n(0, before));
            self.first = bucket;
        }
        let place = usize::from(bucket - self.first);
        if place >= self.counts.len() {
            self.counts.resize(place + 1, 0);
        }
        &mut self.counts[place]
    }

    fn buckets(&self) -> impl Iterator<Item = (u8, u64)> {
        (self.first..=u8::MAX).zip(self.counts.iter().copied())
    }

    /// The bucket in which the value of this rank lies: 1 is the smallest value's.
    pub(super) fn bucket_of_rank(&self, rank: u64) -> Option<u8> {
        let mut seen = 0;
        let reached = |(bucket, count)| {
            seen += count;
            (seen >= rank).then_some(bucket)
        };
        self.buckets().find_map(reached)
    }

    /// Writes the first bucket and then the counts from there to the last one, each as its difference from the one
    /// before: neighbours are alike.
    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        let Some(further) = self.counts.len().checked_sub(1) else { return };
        bytes.push(self.first);
        let (mut bits, mut rice, mut before) = (BitWriter::default(), Rice::new(), 0);
        bits.gamma(further as u64);
        for count in &self.counts {
            bits.rice(zigzag(before, *count), &mut rice);
            before = *count;
        }
        bytes.extend(bits.finish());
    }

    /// Reads what [`Histogram::encode`] wrote; `None` if it is something else.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let Some((first, rest)) = bytes.split_first() else { return Some(Self::default()) };
        let (mut bits, mut rice, mut before) = (BitReader::new(rest), Rice::new(), 0);
        let last = first.checked_add(u8::try_from(bits.gamma()?).ok()?)?;
        let mut histogram = Self::default();
        for bucket in *first..=last {
            let count = unzigzag(before, bits.rice(&mut rice)?)?;
            if count > 0 {
                *histogram.count_of(bucket) = count;
            }
            before = count;
        }
        Some(histogram)
    }
}

/// The bucket of a value: 0 for 0, and from 1 on by size.
pub(super) fn bucket(ms: u32) -> u8 {
    let Some(doublings) = ms.checked_ilog2() else { return 0 };
    let scaled = u64::from(ms) << (32 - doublings);
    let within = BEGINNINGS[1..].iter().take_while(|beginning| **beginning <= scaled).count();
    // At most 31 doublings.
    1 + PER_DOUBLING * u8::try_from(doublings).unwrap_or(31) + u8::try_from(within).unwrap_or_default()
}

/// The value that stands for a bucket: the harmonic mean of the smallest and the largest whole number in it. No other is
/// as near to both, by ratio.
pub(super) fn middle(bucket: u8) -> f64 {
    let Some(number) = bucket.checked_sub(1) else { return 0.0 };
    let (doublings, within) = (u32::from(number / PER_DOUBLING), usize::from(number % PER_DOUBLING));
    let first_at_or_above =
        |beginning: u64| (((u128::from(beginning) << doublings) + (1 << 32) - 1) >> 32) as f64;
    let smallest = first_at_or_above(BEGINNINGS[within]);
    let largest = first_at_or_above(BEGINNINGS[within + 1]) - 1.0;
    2.0 * smallest * largest / (smallest + largest)
}

/// The difference as a number without a sign: 0, -1, 1, -2, 2, … become 0, 1, 2, 3, 4, …
fn zigzag(before: u64, now: u64) -> u64 {
    if now >= before { (now - before) * 2 } else { (before - now) * 2 - 1 }
}

fn unzigzag(before: u64, code: u64) -> Option<u64> {
    if code.is_multiple_of(2) { before.checked_add(code / 2) } else { before.checked_sub(code / 2 + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_bucket_is_within_five_percent_of_every_value_in_it() {
        let samples = (0..31).flat_map(|power| (0..64).map(move |n| (1_u32 << power) + (n << power >> 6)));
        for ms in (0..200_000).chain(samples).chain([i32::MAX as u32, u32::MAX]) {
            let (value, estimate) = (f64::from(ms), middle(bucket(ms)));
            assert!((estimate - value).abs() <= 0.05 * value, "{ms}: {estimate}");
        }
    }

    #[test]
    fn buckets_are_ordered_as_their_values() {
        for ms in 0..200_000 {
            assert!(bucket(ms) <= bucket(ms + 1), "{ms}");
        }
        assert_eq!((bucket(0), bucket(1), bucket(2), bucket(4)), (0, 1, 8, 15));
        assert_eq!(bucket(u32::MAX), 224);
    }
}
