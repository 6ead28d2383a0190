//! Numbers packed into bits: Elias gamma codes, and Rice codes that adapt to what went before.

/// A Rice code whose quotient reaches this is written as a gamma code instead.
const ESCAPE: u32 = 12;
/// After so many numbers the older half counts half as much.
const WINDOW: u64 = 4;

/// Writes bits, the highest of a byte first.
#[derive(Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// Bits that are left in the last byte.
    free: u32,
}

impl BitWriter {
    fn bit(&mut self, bit: bool) {
        if self.free == 0 {
            self.bytes.push(0);
            self.free = 8;
        }
        self.free -= 1;
        if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(bit) << self.free;
        }
    }

    fn bits(&mut self, value: u64, count: u32) {
        (0..count).rev().for_each(|place| self.bit(value >> place & 1 == 1));
    }

    /// An Elias gamma code of a number below 2^64 - 1.
    pub(super) fn gamma(&mut self, value: u64) {
        let value = value.saturating_add(1);
        let places = value.ilog2();
        (0..places).for_each(|_| self.bit(false));
        self.bits(value, places + 1);
    }

    pub(super) fn rice(&mut self, value: u64, rice: &mut Rice) {
        let low = rice.low_bits();
        let quotient = value.checked_shr(low).unwrap_or(0);
        if quotient < u64::from(ESCAPE) {
            (0..quotient).for_each(|_| self.bit(true));
            self.bit(false);
            self.bits(value, low);
        } else {
            (0..ESCAPE).for_each(|_| self.bit(true));
            self.gamma(value);
        }
        rice.learn(value);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads what a [`BitWriter`] wrote. `None`: the bytes end too early, or hold no such code.
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn bit(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1 == 1;
        self.at += 1;
        Some(bit)
    }

    fn bits(&mut self, count: u32) -> Option<u64> {
        (0..count).try_fold(0, |value, _| Some(value << 1 | u64::from(self.bit()?)))
    }

    pub(super) fn gamma(&mut self) -> Option<u64> {
        let mut places = 0;
        while !self.bit()? {
            places += 1;
            if places == u64::BITS {
                return None;
            }
        }
        Some((1 << places | self.bits(places)?) - 1)
    }

    pub(super) fn rice(&mut self, rice: &mut Rice) -> Option<u64> {
        let low = rice.low_bits();
        let mut quotient = 0;
        while quotient < ESCAPE && self.bit()? {
            quotient += 1;
        }
        let value =
            if quotient == ESCAPE { self.gamma()? } else { u64::from(quotient) << low | self.bits(low)? };
        rice.learn(value);
        Some(value)
    }
}

/// How large the latest numbers were. Writer and reader learn the same.
pub(super) struct Rice {
    sum: u64,
    count: u64,
}

impl Rice {
    pub(super) fn new() -> Self {
        Self { sum: 4, count: 1 }
    }

    /// How many low bits are written as they are: about those of the mean.
    fn low_bits(&self) -> u32 {
        (0..32).find(|low| self.count << low >= self.sum).unwrap_or(32)
    }

    fn learn(&mut self, value: u64) {
        self.sum = self.sum.saturating_add(value);
        self.count += 1;
        if self.count == WINDOW {
            self.sum /= 2;
            self.count /= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_read_as_they_were_written(values in prop::collection::vec(0..u64::MAX / 4, 0..40), shift in 0_u32..60) {
            let (mut writer, mut rice) = (BitWriter::default(), Rice::new());
            for value in &values {
                writer.rice(value >> shift, &mut rice);
                writer.gamma(value >> shift);
            }
            let bytes = writer.finish();
            let (mut reader, mut rice) = (BitReader::new(&bytes), Rice::new());
            for value in &values {
                prop_assert_eq!(reader.rice(&mut rice), Some(value >> shift));
                prop_assert_eq!(reader.gamma(), Some(value >> shift));
            }
        }
    }
}
