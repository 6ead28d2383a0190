//! Frames in a stream of bytes (<https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf>, 4.2.3).
//!
//! Bodies pass as they come. Methods and content headers are looked at once they are whole, in place if they lie in one
//! piece. At most one of them is kept here, and what came together with a header that was written anew.

use std::collections::BTreeMap;
use std::io;

use super::fault::Fault;
use super::frame::{BEFORE, BODY, Frame, HEADER, HEARTBEAT, METHOD};
use super::header;
use super::method::{self, Method};

/// What a server sends that speaks another version of AMQP. It then closes.
const OTHER_VERSION: u8 = b'A';
/// The largest frame that is looked at, whatever RabbitMQ's `frame_max` is; and its default.
const LARGEST: usize = 1 << 20;
const DEFAULT_FRAME_MAX: usize = 131_072;
const SMALLEST_FRAME_MAX: usize = 4_096;

/// The frames of one connection.
#[derive(Debug)]
pub(super) struct Frames {
    /// May be given out.
    clear: Vec<u8>,
    given: usize,
    /// Not looked at yet, or not whole.
    raw: Vec<u8>,
    looked_at: usize,
    /// So many bytes of a frame are left that passes.
    passing: usize,
    /// So many bytes of a header are left that was too large.
    skipping: usize,
    largest: usize,
    /// Channels on which a message follows whose delivery was repaired.
    repaired: BTreeMap<u16, Fault>,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            clear: Vec::new(),
            given: 0,
            raw: Vec::new(),
            looked_at: 0,
            passing: 0,
            skipping: 0,
            largest: DEFAULT_FRAME_MAX,
            repaired: BTreeMap::new(),
        }
    }
}

/// What is known of the beginning of some bytes.
#[derive(Default)]
struct Look {
    /// So many bytes may be given out.
    clear: usize,
    /// So many after them are gone,
    gone: usize,
    /// and this takes their place.
    instead: Vec<u8>,
}

impl Frames {
    /// Copies what may be given out; 0: there is nothing yet.
    pub(super) fn give(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.clear.len() && self.looked_at < self.raw.len() {
            let mut raw = std::mem::take(&mut self.raw);
            let look = self.look(&mut raw[self.looked_at..]);
            self.raw = raw;
            let Look { clear, gone, instead } = look?;
            if clear + gone == 0 {
                break;
            }
            self.clear.clear();
            self.clear.extend_from_slice(&self.raw[self.looked_at..][..clear]);
            self.clear.extend_from_slice(&instead);
            self.given = 0;
            self.looked_at += clear + gone;
        }
        let count = into.len().min(self.clear.len() - self.given);
        into[..count].copy_from_slice(&self.clear[self.given..][..count]);
        self.given += count;
        Ok(count)
    }

    /// How much is missing of a frame that has begun; `None`: none has.
    pub(super) fn missing(&self) -> Option<usize> {
        let begun = &self.raw[self.looked_at..];
        match Frame::at(begun) {
            _ if begun.is_empty() => None,
            None => Some(BEFORE - begun.len()),
            Some(frame) => Some(frame.whole().min(self.largest).saturating_sub(begun.len()).max(1)),
        }
    }

    /// Takes what was read, and gives out its beginning where it lies. The rest is kept.
    pub(super) fn take(&mut self, read: &mut [u8]) -> io::Result<usize> {
        self.raw.drain(..std::mem::take(&mut self.looked_at));
        if !self.raw.is_empty() {
            self.raw.extend_from_slice(read);
            return Ok(0);
        }
        let Look { clear, gone, instead } = self.look(read)?;
        self.clear = instead;
        self.given = 0;
        self.raw.extend_from_slice(&read[clear + gone..]);
        Ok(clear)
    }

    /// Looks at frames up to the first that is not whole, or is written anew.
    fn look(&mut self, bytes: &mut [u8]) -> io::Result<Look> {
        if self.skipping > 0 {
            let gone = self.skipping.min(bytes.len());
            self.skipping -= gone;
            return Ok(Look { gone, ..Look::default() });
        }
        let mut clear = 0;
        loop {
            let passed = self.passing.min(bytes.len() - clear);
            self.passing -= passed;
            clear += passed;
            if bytes.get(clear) == Some(&OTHER_VERSION) {
                self.passing = usize::MAX;
                continue;
            }
            let Some(frame) = Frame::at(&bytes[clear..]) else {
                return Ok(Look { clear, ..Look::default() });
            };
            match frame.kind {
                BODY | HEARTBEAT => self.passing = frame.whole(),
                HEADER => match self.header(&frame, &bytes[clear..]) {
                    Judged::Unknown => return Ok(Look { clear, ..Look::default() }),
                    Judged::Good => clear += frame.whole(),
                    Judged::Bad { gone, instead } => return Ok(Look { clear, gone, instead }),
                },
                METHOD if frame.whole() > self.largest => return Err(bad_frame("a method is too large")),
                METHOD => match bytes[clear..].get_mut(..frame.whole()) {
                    None => return Ok(Look { clear, ..Look::default() }),
                    Some(whole) => {
                        self.method(frame.channel, &mut whole[BEFORE..frame.whole() - 1]);
                        clear += frame.whole();
                    }
                },
                _ => return Err(bad_frame("no frame begins here")),
            }
        }
    }

    fn header(&mut self, frame: &Frame, bytes: &[u8]) -> Judged {
        let held = frame.whole().min(self.largest);
        let Some(held) = bytes.get(..held) else { return Judged::Unknown };
        let payload = match held.len() == frame.whole() {
            true => &held[BEFORE..held.len() - 1],
            false => &held[BEFORE..],
        };
        let fault = match self.repaired.remove(&frame.channel) {
            _ if held.len() < frame.whole() => Fault::TooLarge,
            Some(fault) => fault,
            None => match header::check(payload) {
                Ok(()) => return Judged::Good,
                Err(fault) => fault,
            },
        };
        self.skipping = frame.whole() - held.len();
        let instead = frame.around(&header::rewritten(payload, fault));
        Judged::Bad { gone: held.len(), instead }
    }

    fn method(&mut self, channel: u16, payload: &mut [u8]) {
        match method::repair(payload) {
            Method::Tune { frame_max } => {
                let asked = usize::try_from(frame_max).unwrap_or(LARGEST);
                // 0: there is no limit.
                self.largest = if asked == 0 { LARGEST } else { asked.clamp(SMALLEST_FRAME_MAX, LARGEST) };
            }
            Method::RepairedDelivery(fault) => drop(self.repaired.insert(channel, fault)),
            Method::Other => {}
        }
    }
}

/// What a content header was found to be.
enum Judged {
    /// It is not whole yet.
    Unknown,
    Good,
    /// So many bytes of it are at hand, and something else takes its place.
    Bad {
        gone: usize,
        instead: Vec<u8>,
    },
}

fn bad_frame(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not AMQP: {what}"))
}

#[cfg(test)]
mod tests;
