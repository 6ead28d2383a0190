//! The beginning of one frame (<https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf>, 4.2.3).

pub(super) const METHOD: u8 = 1;
pub(super) const HEADER: u8 = 2;
pub(super) const BODY: u8 = 3;
pub(super) const HEARTBEAT: u8 = 8;
pub(super) const FRAME_END: u8 = 0xce;
/// Type, channel and size, before the payload; and the end, after it.
pub(super) const BEFORE: usize = 7;
const AROUND: usize = BEFORE + 1;

/// The beginning of a frame.
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) channel: u16,
    size: u32,
}

impl Frame {
    pub(super) fn at(bytes: &[u8]) -> Option<Self> {
        let [kind, c1, c2, s1, s2, s3, s4] = *bytes.first_chunk::<BEFORE>()?;
        let (channel, size) = (u16::from_be_bytes([c1, c2]), u32::from_be_bytes([s1, s2, s3, s4]));
        Some(Self { kind, channel, size })
    }

    /// Its length, with all that is around the payload.
    pub(super) fn whole(&self) -> usize {
        usize::try_from(self.size).unwrap_or(usize::MAX).saturating_add(AROUND)
    }

    /// A frame with another payload.
    pub(super) fn around(&self, payload: &[u8]) -> Vec<u8> {
        let size = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let [channel, size] = [&self.channel.to_be_bytes()[..], &size.to_be_bytes()];
        [&[self.kind], channel, size, payload, &[FRAME_END]].concat()
    }
}
