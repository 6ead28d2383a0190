//! Frames in a stream of bytes (<https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf>, 4.2.3).
//!
//! Bodies pass as they come. Methods and content headers are looked at once they are whole, in place if they lie in one
//! piece. At most one of them is kept here, and what came together with a header that was written anew.

use std::collections::BTreeMap;
use std::io;

use super::fault::Fault;
use super::header;
use super::method::{self, Method};

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const HEARTBEAT: u8 = 8;
const FRAME_END: u8 = 0xce;
/// What a server sends that speaks another version of AMQP. It then closes.
const OTHER_VERSION: u8 = b'A';
/// Type, channel and size, before the payload; and the end, after it.
const BEFORE: usize = 7;
const AROUND: usize = BEFORE + 1;

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

/// The beginning of a frame.
struct Frame {
    kind: u8,
    channel: u16,
    size: u32,
}

impl Frame {
    fn at(bytes: &[u8]) -> Option<Self> {
        let [kind, c1, c2, s1, s2, s3, s4] = *bytes.first_chunk::<BEFORE>()?;
        let (channel, size) = (u16::from_be_bytes([c1, c2]), u32::from_be_bytes([s1, s2, s3, s4]));
        Some(Self { kind, channel, size })
    }

    /// Its length, with all that is around the payload.
    fn whole(&self) -> usize {
        usize::try_from(self.size).unwrap_or(usize::MAX).saturating_add(AROUND)
    }

    /// A frame with another payload.
    fn around(&self, payload: &[u8]) -> Vec<u8> {
        let size = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let [channel, size] = [&self.channel.to_be_bytes()[..], &size.to_be_bytes()];
        [&[self.kind], channel, size, payload, &[FRAME_END]].concat()
    }
}

fn bad_frame(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not AMQP: {what}"))
}

#[cfg(test)]
mod tests {
    use amq_protocol::frame::{AMQPFrame, parse_frame};
    use proptest::prelude::*;

    use super::*;
    use crate::headers::UNREADABLE;

    /// All that is given out of these pieces.
    fn through(pieces: &[&[u8]], room: usize) -> Vec<u8> {
        let (mut frames, mut out, mut into) = (Frames::default(), Vec::new(), vec![0; room]);
        for piece in pieces {
            let mut piece = *piece;
            loop {
                let given = frames.give(&mut into).unwrap();
                out.extend_from_slice(&into[..given]);
                if given > 0 {
                    continue;
                }
                if piece.is_empty() {
                    break;
                }
                let read = frames.missing().unwrap_or(room).min(room).min(piece.len());
                let mut bytes = piece[..read].to_vec();
                piece = &piece[read..];
                let given = frames.take(&mut bytes).unwrap();
                out.extend_from_slice(&bytes[..given]);
            }
        }
        out
    }

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let size = u32::try_from(payload.len()).unwrap();
        [&[kind, 0, 1][..], &size.to_be_bytes(), payload, &[FRAME_END]].concat()
    }

    /// The header of a message of 2 bytes.
    fn content(properties: &[u8]) -> Vec<u8> {
        frame(HEADER, &[&[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2][..], properties].concat())
    }

    fn deliver(routing_key: &[u8]) -> Vec<u8> {
        let length = u8::try_from(routing_key.len()).unwrap();
        frame(METHOD, &[&[0, 60, 0, 60, 1, b't'][..], &[0; 9], &[1, b'x', length], routing_key].concat())
    }

    fn delivery(routing_key: &[u8], properties: &[u8]) -> Vec<u8> {
        [deliver(routing_key), content(properties), frame(BODY, b"{}")].concat()
    }

    fn parsed(mut bytes: &[u8]) -> Vec<AMQPFrame> {
        let mut frames = Vec::new();
        while !bytes.is_empty() {
            let (rest, frame) = parse_frame(bytes).expect("lapin can parse it");
            frames.push(frame);
            bytes = rest;
        }
        frames
    }

    fn fault(frame: &AMQPFrame) -> String {
        let AMQPFrame::Header(1, header) = frame else { panic!("{frame:?}") };
        assert_eq!(header.body_size, 2);
        let table = header.properties.headers().as_ref().unwrap();
        String::from_utf8(table.inner()[UNREADABLE].as_long_string().unwrap().as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn a_message_that_lapin_cannot_parse_says_what_is_wrong_and_keeps_the_rest() {
        let type_and_id = b"\x00\xa0\x02id\x01\xff";
        let reply_to = b"\x02\x00\x01\xff";
        let cases: [(&[u8], &[u8], &str); 7] = [
            (b"key", b"\x00\xa0\x02id\x05ok", "lengths"),
            (b"key", b"\x00\x20\x01\xff", "its type is not UTF-8"),
            (b"key", reply_to, "its reply-to is not UTF-8"),
            (b"key", b"\x20\x00\x00\x00\x00\x03\x01aZ", "type 0x5a"),
            (b"key", b"\x20\x00\x00\x00\x00\x09\x01a", "lengths"),
            (b"key", b"\x00", "lengths"),
            (b"k\xff", b"\x00\x00", "its routing key is not UTF-8"),
        ];
        for (key, properties, expected) in cases {
            let good = delivery(b"key", b"\x80\x00\x04text");
            let bytes = [good.clone(), delivery(key, properties), good.clone()].concat();
            let out = through(&[&bytes], 65_536);
            assert!(out.starts_with(&good) && out.ends_with(&good));
            let frames = parsed(&out);
            let fault = fault(&frames[4]);
            assert!(fault.contains(expected), "{fault}");
            assert_eq!(frames[5], AMQPFrame::Body(1, b"{}".to_vec()));
        }
        let frames = parsed(&through(&[&delivery(b"", type_and_id)], 65_536));
        let AMQPFrame::Header(_, header) = &frames[1] else { panic!() };
        assert_eq!(header.properties.message_id().as_ref().unwrap().as_str(), "id");
    }

    #[test]
    fn a_header_that_is_larger_than_a_frame_is_cut_in_passing() {
        let text = vec![b'x'; 200_000];
        let length = |of: usize| u32::try_from(of).unwrap().to_be_bytes();
        let table = [b"\x04keptS\x00\x00\x00\x03yes\x01aS", &length(text.len())[..], &text[..]].concat();
        let properties = [b"\x20\x00", &length(table.len())[..], &table].concat();
        let bytes = [delivery(b"", &properties), delivery(b"", b"\x00\x00")].concat();
        for room in [100, 4_096, 1 << 20] {
            let frames = parsed(&through(&[&bytes], room));
            assert_eq!(frames.len(), 6);
            assert!(fault(&frames[1]).ends_with("its properties are larger than a frame"));
            let AMQPFrame::Header(_, header) = &frames[1] else { panic!() };
            let kept =
                header.properties.headers().as_ref().unwrap().inner()["kept"].as_long_string().unwrap();
            assert_eq!(kept.as_bytes(), b"yes");
        }
    }

    #[test]
    fn what_is_no_frame_ends_the_stream_and_another_version_passes() {
        let mut frames = Frames::default();
        assert!(frames.take(&mut [9, 0, 0, 0, 0, 0, 0, 0]).is_err());
        assert_eq!(through(&[b"AMQP\0\0", b"\x09\x01"], 100), b"AMQP\0\0\x09\x01");
    }

    fn value() -> impl Strategy<Value = Vec<u8>> {
        let long = |kind: u8| {
            move |bytes: Vec<u8>| {
                let size = u32::try_from(bytes.len()).unwrap().to_be_bytes();
                [&[kind][..], &size, &bytes].concat()
            }
        };
        let leaf = prop_oneof![
            Just(b"V".to_vec()),
            Just(b"t\x01".to_vec()),
            Just(b"s\x00\x01".to_vec()),
            Just(b"D\x00\x00\x00\x00\x01".to_vec()),
            any::<i64>().prop_map(|number| [&b"l"[..], &number.to_be_bytes()].concat()),
            prop::collection::vec(any::<u8>(), 0..20).prop_map(long(b'S')),
        ];
        leaf.prop_recursive(12, 64, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6)
                    .prop_map(|items| items.concat())
                    .prop_map(long(b'A')),
                prop::collection::vec(("[a-zé]{0,8}", inner), 0..6)
                    .prop_map(|items| entries(&items))
                    .prop_map(long(b'F')),
            ]
        })
    }

    fn entries(items: &[(String, Vec<u8>)]) -> Vec<u8> {
        let entry = |(name, value): &(String, Vec<u8>)| {
            [&[u8::try_from(name.len()).unwrap()], name.as_bytes(), value].concat()
        };
        items.iter().flat_map(entry).collect()
    }

    prop_compose! {
        /// Well-formed properties: content type, headers, delivery mode, correlation id.
        fn properties()(
            content_type in "[a-z/]{0,20}",
            headers in prop::collection::vec(("[a-z]{1,8}", value()), 0..8),
            id in "\\PC{0,40}",
        ) -> Vec<u8> {
            let short = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
            let table = entries(&headers);
            let size = u32::try_from(table.len()).unwrap().to_be_bytes();
            [&[0xb4, 0][..], &short(&content_type), &size, &table, &[2], &short(&id)].concat()
        }
    }

    /// The bytes in pieces of these lengths, over and over.
    fn cut<'a>(mut bytes: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        for length in lengths.iter().cycle() {
            if bytes.is_empty() {
                break;
            }
            let (piece, rest) = bytes.split_at((*length).min(bytes.len()));
            pieces.push(piece);
            bytes = rest;
        }
        pieces
    }

    proptest! {
        #[test]
        fn well_formed_frames_pass_as_they_came(
            all in prop::collection::vec(properties(), 1..6),
            lengths in prop::collection::vec(1_usize..300, 1..6),
            room in 1_usize..600,
        ) {
            let bytes: Vec<u8> = all.iter().flat_map(|properties| delivery(b"key", properties)).collect();
            parsed(&bytes);
            prop_assert_eq!(through(&cut(&bytes, &lengths), room), bytes);
        }

        #[test]
        fn whatever_comes_lapin_can_parse_it_and_what_it_could_parse_stays(
            properties in properties(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            cut_at in prop::option::of(any::<prop::sample::Index>()),
            lengths in prop::collection::vec(1_usize..300, 1..6),
            room in 1_usize..600,
        ) {
            let mut properties = properties;
            for (place, byte) in changes {
                let place = place.index(properties.len());
                properties[place] = byte;
            }
            if let Some(end) = cut_at {
                properties.truncate(end.index(properties.len()));
            }
            let good = delivery(b"key", b"\x00\x00");
            let bytes = [delivery(b"key", &properties), good.clone()].concat();
            let out = through(&cut(&bytes, &lengths), room);
            prop_assert_eq!(parsed(&out).len(), 6);
            prop_assert!(out.ends_with(&good));
            if parse_frame(&content(&properties)[..]).is_ok() {
                prop_assert_eq!(out, bytes);
            }
        }

        #[test]
        fn bytes_at_random_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), room in 1_usize..64) {
            let (mut frames, mut into) = (Frames::default(), vec![0; room]);
            for piece in bytes.chunks(room) {
                while frames.give(&mut into).is_ok_and(|given| given > 0) {}
                if frames.take(&mut piece.to_vec()).is_err() {
                    break;
                }
            }
        }
    }
}
