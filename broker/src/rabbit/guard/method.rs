//! Methods: what RabbitMQ says besides contents. Some repeat texts that others have chosen, such as a routing key.

use std::ops::Range;

use super::fault::Fault;
use super::table::Fields;

/// One field of a method's arguments.
#[derive(Clone, Copy)]
enum Field {
    /// A text.
    Text(&'static str),
    /// So many bytes of something else.
    Bytes(usize),
}
use Field::{Bytes, Text};

/// The methods from RabbitMQ that repeat texts, up to the last one
/// (<https://www.rabbitmq.com/amqp-0-9-1-reference>).
fn layout(class: u16, method: u16) -> &'static [Field] {
    match (class, method) {
        // connection.close, channel.close
        (10, 50) | (20, 40) => &[Bytes(2), Text("reply text")],
        // connection.blocked
        (10, 60) => &[Text("reason")],
        // queue.declare-ok
        (50, 11) => &[Text("queue")],
        // basic.cancel
        (60, 30) => &[Text("consumer tag")],
        // basic.return
        (60, 50) => &[Bytes(2), Text("reply text"), Text("exchange"), Text("routing key")],
        // basic.deliver
        (60, 60) => &[Text("consumer tag"), Bytes(9), Text("exchange"), Text("routing key")],
        // basic.get-ok
        (60, 71) => &[Bytes(9), Text("exchange"), Text("routing key")],
        _ => &[],
    }
}

/// What a method was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// RabbitMQ's limit for a frame.
    Tune {
        frame_max: u32,
    },
    /// A message follows; one of the texts about it was repaired.
    RepairedDelivery(Fault),
    Other,
}

/// Reads a method, and puts `?` in place of what is not UTF-8 in its texts: nobody needs them as they were.
pub(super) fn repair(payload: &mut [u8]) -> Method {
    let mut fields = Fields(payload);
    let (Ok(class), Ok(method)) = (fields.u16(), fields.u16()) else { return Method::Other };
    if (class, method) == (10, 30) {
        let limit = fields.bytes(2).and_then(|_| fields.u32());
        return limit.map_or(Method::Other, |frame_max| Method::Tune { frame_max });
    }
    let mut repaired = None;
    for (name, place) in bad_texts(payload, layout(class, method)) {
        replace_bad_bytes(&mut payload[place]);
        repaired = Some(Fault::NotUtf8(name));
    }
    match repaired {
        Some(fault) if matches!((class, method), (60, 60 | 71)) => Method::RepairedDelivery(fault),
        _ => Method::Other,
    }
}

/// Which texts are not UTF-8, and where they are. Hardly ever there is one, so this allocates nothing.
fn bad_texts(payload: &[u8], layout: &[Field]) -> Vec<(&'static str, Range<usize>)> {
    let (mut fields, mut bad) = (Fields(&payload[4..]), Vec::new());
    for field in layout {
        let read = match field {
            Bytes(count) => fields.bytes(*count).map(drop),
            Text(name) => fields.short().map(|text| {
                if str::from_utf8(text).is_err() {
                    let end = payload.len() - fields.0.len();
                    bad.push((*name, end - text.len()..end));
                }
            }),
        };
        if read.is_err() {
            break;
        }
    }
    bad
}

fn replace_bad_bytes(mut text: &mut [u8]) {
    while let Err(error) = str::from_utf8(text) {
        let bad = error.valid_up_to();
        text[bad] = b'?';
        text = &mut text[bad + 1..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deliver(routing_key: &[u8]) -> Vec<u8> {
        let length = u8::try_from(routing_key.len()).unwrap();
        [&[0, 60, 0, 60, 1, b't'][..], &[0; 9], &[1, b'x', length], routing_key].concat()
    }

    #[test]
    fn texts_that_are_not_utf_8_become_readable_and_the_rest_stays() {
        let mut good = deliver("schlüssel".as_bytes());
        let before = good.clone();
        assert_eq!((repair(&mut good), good), (Method::Other, before));

        let mut bad = deliver(b"a\xffb\xc3(\xe2\x82");
        assert_eq!(repair(&mut bad), Method::RepairedDelivery(Fault::NotUtf8("routing key")));
        assert_eq!(bad, deliver(b"a?b?(??"));
    }

    #[test]
    fn a_reply_text_that_was_cut_within_a_letter_is_repaired() {
        let mut close = [&[0, 20, 0, 40, 1, 0x94, 4][..], b"403\xc3"].concat();
        assert_eq!(repair(&mut close), Method::Other);
        assert!(close.ends_with(b"403?"));
    }

    #[test]
    fn the_limit_for_frames_is_read() {
        let mut tune = [0, 10, 0, 30, 7, 0xff, 0, 2, 0, 0, 0, 60];
        assert_eq!(repair(&mut tune), Method::Tune { frame_max: 131_072 });
        for end in 0..tune.len() {
            repair(&mut tune[..end]);
        }
    }
}
