//! Content headers: the size and the properties of a message
//! (<https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf>, 4.2.6.1).

use super::fault::Fault;
use super::table::{Fields, check as check_table, texts};
use crate::headers::{MAX_HEADERS, UNREADABLE};

/// Class, weight and body size, before the properties.
const FIXED: usize = 12;
/// Room for the headers that are kept of a message: with all else it fits the smallest frame that AMQP allows (4,096).
const KEPT_BYTES: usize = 2_500;

/// A property.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text(&'static str),
    Table,
    Bytes(usize),
}

/// All properties, in the order of their flags, beginning with the highest bit.
const PROPERTIES: [Kind; 14] = [
    Kind::Text(CONTENT_TYPE),
    Kind::Text("content encoding"),
    Kind::Table,
    Kind::Bytes(1), // delivery mode
    Kind::Bytes(1), // priority
    Kind::Text(CORRELATION_ID),
    Kind::Text(REPLY_TO),
    Kind::Text("expiration"),
    Kind::Text(MESSAGE_ID),
    Kind::Bytes(8), // timestamp
    Kind::Text("type"),
    Kind::Text("user id"),
    Kind::Text("app id"),
    Kind::Text("cluster id"),
];
const CONTENT_TYPE: &str = "content type";
const CORRELATION_ID: &str = "correlation id";
const REPLY_TO: &str = "reply-to";
const MESSAGE_ID: &str = "message id";
/// Those that are kept of an unreadable message.
const KEPT: [&str; 4] = [CONTENT_TYPE, CORRELATION_ID, REPLY_TO, MESSAGE_ID];

/// Whether lapin can parse this header.
pub(super) fn check(payload: &[u8]) -> Result<(), Fault> {
    let mut fields = Fields(payload);
    fields.bytes(FIXED)?;
    for kind in present(fields.u16()?) {
        match kind {
            Kind::Text(name) if str::from_utf8(fields.short()?).is_err() => return Err(Fault::NotUtf8(name)),
            Kind::Text(_) => {}
            Kind::Table => check_table(fields.long()?)?,
            Kind::Bytes(count) => drop(fields.bytes(count)?),
        }
    }
    if fields.is_empty() { Ok(()) } else { Err(Fault::Lengths) }
}

fn present(flags: u16) -> impl Iterator<Item = Kind> {
    PROPERTIES
        .into_iter()
        .enumerate()
        .filter(move |(bit, _)| flags & (0x8000 >> bit) != 0)
        .map(|(_, kind)| kind)
}

/// The same header in a form that lapin can parse, with what could be read, and what is wrong with it. `payload` may
/// end too early.
pub(super) fn rewritten(payload: &[u8], fault: Fault) -> Vec<u8> {
    let mut fixed = [0; FIXED];
    let known = payload.len().min(FIXED);
    fixed[..known].copy_from_slice(&payload[..known]);
    let read = Read::from(&payload[known..]);
    let mut table = Vec::new();
    put_text(&mut table, UNREADABLE, &format!("it cannot be read: {fault}"));
    for (name, text) in read.table.into_iter().flat_map(texts).take(MAX_HEADERS) {
        if name != UNREADABLE && table.len() + name.len() + text.len() <= KEPT_BYTES {
            put_text(&mut table, name, text);
        }
    }
    let mut properties = Vec::with_capacity(table.len() + 64);
    let mut flags = 0_u16;
    for (bit, kind) in PROPERTIES.into_iter().enumerate() {
        match kind {
            Kind::Table => put_long(&mut properties, &table),
            Kind::Text(name) => match read.text(name) {
                Some(text) => put_short(&mut properties, text),
                None => continue,
            },
            Kind::Bytes(_) => continue,
        }
        flags |= 0x8000 >> bit;
    }
    [&fixed[..], &flags.to_be_bytes(), &properties].concat()
}

/// What can be read of properties.
#[derive(Default)]
struct Read<'a> {
    texts: [Option<&'a str>; KEPT.len()],
    table: Option<&'a [u8]>,
}

impl<'a> Read<'a> {
    /// As far as the lengths lead. Where a table says that it goes on beyond the end, its beginning counts.
    fn from(properties: &'a [u8]) -> Self {
        let (mut fields, mut read) = (Fields(properties), Self::default());
        for kind in fields.u16().map(present).into_iter().flatten() {
            let before = fields;
            let taken = match kind {
                Kind::Text(name) => fields.short().map(|text| read.keep(name, text)),
                Kind::Table => fields.long().map(|table| read.table = Some(table)),
                Kind::Bytes(count) => fields.bytes(count).map(drop),
            };
            if taken.is_err() {
                if kind == Kind::Table {
                    read.table = before.0.get(4..);
                }
                break;
            }
        }
        read
    }

    fn keep(&mut self, name: &str, text: &'a [u8]) {
        if let Some(place) = KEPT.iter().position(|kept| *kept == name) {
            self.texts[place] = str::from_utf8(text).ok();
        }
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        KEPT.iter().position(|kept| *kept == name).and_then(|place| self.texts[place])
    }
}

/// Appends a text of at most 255 bytes; a longer one cannot have come as such.
fn put_short(into: &mut Vec<u8>, text: &str) {
    let length = u8::try_from(text.len()).unwrap_or(0);
    into.push(length);
    into.extend_from_slice(&text.as_bytes()[..length.into()]);
}

fn put_long(into: &mut Vec<u8>, bytes: &[u8]) {
    into.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(0).to_be_bytes());
    into.extend_from_slice(bytes);
}

fn put_text(into: &mut Vec<u8>, name: &str, text: &str) {
    put_short(into, name);
    into.push(b'S');
    put_long(into, text.as_bytes());
}
