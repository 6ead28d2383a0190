use amq_protocol::frame::{AMQPFrame, parse_frame};
use proptest::prelude::*;

use super::super::frame::FRAME_END;
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
        let kept = header.properties.headers().as_ref().unwrap().inner()["kept"].as_long_string().unwrap();
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
            prop::collection::vec(inner.clone(), 0..6).prop_map(|items| items.concat()).prop_map(long(b'A')),
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
