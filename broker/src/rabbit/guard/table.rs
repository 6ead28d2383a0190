//! Tables of headers, and the fields they are made of
//! (<https://www.rabbitmq.com/amqp-0-9-1-errata#section_3>).

use super::fault::Fault;

/// How deep tables and arrays may lie in each other. RabbitMQ's own (`x-death`) lie three deep.
pub(super) const MAX_DEPTH: usize = 16;
/// How many headers and items of arrays a message may have, at all depths together.
pub(super) const MAX_ENTRIES: usize = 1_024;

/// What is left to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (bytes, rest) = self.0.split_at_checked(count).ok_or(Fault::Lengths)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(Fault::Lengths)?;
        self.0 = rest;
        Ok(*bytes)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Fault> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Fault> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_be_bytes)
    }

    /// A short string, whatever its bytes are.
    pub(super) fn short(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.u8()?;
        self.bytes(length.into())
    }

    /// A long string, a table or an array: they begin with their length.
    pub(super) fn long(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.u32()?;
        self.bytes(usize::try_from(length).unwrap_or(usize::MAX))
    }
}

/// Whether lapin can read this table.
pub(super) fn check(table: &[u8]) -> Result<(), Fault> {
    check_table(Fields(table), MAX_DEPTH, &mut MAX_ENTRIES.clone())
}

fn check_table(mut fields: Fields<'_>, depth: usize, entries: &mut usize) -> Result<(), Fault> {
    while !fields.is_empty() {
        if str::from_utf8(fields.short()?).is_err() {
            return Err(Fault::NotUtf8("name of a header"));
        }
        check_value(&mut fields, depth, entries)?;
    }
    Ok(())
}

fn check_array(mut fields: Fields<'_>, depth: usize, entries: &mut usize) -> Result<(), Fault> {
    while !fields.is_empty() {
        check_value(&mut fields, depth, entries)?;
    }
    Ok(())
}

fn check_value(fields: &mut Fields<'_>, depth: usize, entries: &mut usize) -> Result<(), Fault> {
    *entries = entries.checked_sub(1).ok_or(Fault::TooMany)?;
    let deeper = || depth.checked_sub(1).ok_or(Fault::TooDeep);
    match fields.u8()? {
        b'F' => check_table(Fields(fields.long()?), deeper()?, entries),
        b'A' => check_array(Fields(fields.long()?), deeper()?, entries),
        kind => skip(fields, kind),
    }
}

/// Passes over a value that holds no other values.
fn skip(fields: &mut Fields<'_>, kind: u8) -> Result<(), Fault> {
    let size = match kind {
        b'S' | b'x' => return fields.long().map(drop),
        b'V' => 0,
        b't' | b'b' | b'B' => 1,
        b's' | b'u' | b'U' => 2,
        b'i' | b'I' | b'f' => 4,
        b'D' => 5,
        b'l' | b'L' | b'd' | b'T' => 8,
        unknown => return Err(Fault::UnknownType(unknown)),
    };
    fields.bytes(size).map(drop)
}

/// The headers of this table that are texts, as far as it can be read.
pub(super) fn texts(table: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    let mut fields = Fields(table);
    let entries = std::iter::from_fn(move || entry(&mut fields).ok()).take(MAX_ENTRIES);
    entries.filter_map(|(name, text)| Some((str::from_utf8(name).ok()?, str::from_utf8(text?).ok()?)))
}

type Entry<'a> = (&'a [u8], Option<&'a [u8]>);

fn entry<'a>(fields: &mut Fields<'a>) -> Result<Entry<'a>, Fault> {
    let name = fields.short()?;
    let text = match fields.u8()? {
        b'S' => Some(fields.long()?),
        b'F' | b'A' => {
            fields.long()?;
            None
        }
        kind => {
            skip(fields, kind)?;
            None
        }
    };
    Ok((name, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(kind: u8, inside: &[u8]) -> Vec<u8> {
        let length = u32::try_from(inside.len()).unwrap();
        [&[kind][..], &length.to_be_bytes(), inside].concat()
    }

    fn named(name: &str, value: &[u8]) -> Vec<u8> {
        [&[u8::try_from(name.len()).unwrap()], name.as_bytes(), value].concat()
    }

    #[test]
    fn depth_is_bounded_in_tables_and_arrays() {
        let nested = |kind: u8, depth: usize| {
            (0..depth).fold(vec![b'V'], |inside, _| match kind {
                b'F' => long(kind, &named("a", &inside)),
                _ => long(kind, &inside),
            })
        };
        for kind in *b"FA" {
            assert_eq!(check(&named("a", &nested(kind, MAX_DEPTH))), Ok(()));
            for depth in [MAX_DEPTH + 1, 1_100, 20_000] {
                assert_eq!(check(&named("a", &nested(kind, depth))), Err(Fault::TooDeep));
            }
        }
    }

    #[test]
    fn the_number_of_entries_is_bounded_at_all_depths_together() {
        let items = |count| named("a", &long(b'A', &vec![b'V'; count]));
        assert_eq!(check(&items(MAX_ENTRIES - 1)), Ok(()));
        assert_eq!(check(&items(MAX_ENTRIES)), Err(Fault::TooMany));
        let beside = [items(MAX_ENTRIES / 2), items(MAX_ENTRIES / 2)].concat();
        assert_eq!(check(&beside), Err(Fault::TooMany));
    }

    #[test]
    fn each_fault_is_told() {
        let cases = [
            (named("a", b"Z"), Fault::UnknownType(b'Z')),
            (named("a", b"I\0\0\0"), Fault::Lengths),
            (named("a", b"S\xff\xff\xff\xffx"), Fault::Lengths),
            (vec![5, b'a'], Fault::Lengths),
            (vec![1, b'a'], Fault::Lengths),
            (vec![1, 0xff, b'V'], Fault::NotUtf8("name of a header")),
        ];
        for (table, fault) in cases {
            assert_eq!(check(&table), Err(fault), "{table:?}");
        }
    }

    #[test]
    fn texts_are_read_as_far_as_they_can_be() {
        let table = [
            named("deep", &long(b'F', b"\xff\xff")),
            named("number", b"I\0\0\0\x07"),
            named("kept", &long(b'S', b"yes")),
            named("binary", &long(b'S', b"\xff")),
            named("bad", b"Z"),
            named("lost", &long(b'S', b"no")),
        ];
        assert_eq!(texts(&table.concat()).collect::<Vec<_>>(), [("kept", "yes")]);
    }
}
