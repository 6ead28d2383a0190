//! Where the backlink stands in the text of a page that is read piece by piece. However long the page is, this keeps little
//! of it.

use linkbeat_shared::BacklinkPattern;

/// Bytes of the text that are kept and searched at once.
const KEPT: usize = 1 << 20;

/// Bytes that are searched again with the piece that follows: a backlink may begin in one and end in the next.
const AGAIN: usize = 64 << 10;

/// Characters told before and after a backlink.
const AROUND: usize = 60;

/// The bytes that so many characters have at most.
const AROUND_BYTES: usize = AROUND * 4;

/// The text of a page, as far as it is needed.
#[derive(Debug, Default)]
pub(super) struct Text {
    pattern: Option<BacklinkPattern>,
    kept: String,
    /// Bytes before what is kept.
    passed: u64,
    place: Option<Place>,
}

/// Where the backlink stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Bytes before it.
    pub(super) offset: u64,
    /// It and what stands beside it, in one line.
    pub(super) context: String,
}

impl Text {
    pub(super) fn searched_for(pattern: &BacklinkPattern) -> Self {
        Self { pattern: Some(pattern.clone()), ..Self::default() }
    }

    /// How long the text is so far.
    pub(super) fn bytes(&self) -> u64 {
        self.passed + self.kept.len() as u64
    }

    pub(super) fn push(&mut self, piece: &str) {
        self.kept.push_str(piece);
        if self.kept.len() >= KEPT {
            self.place = self.place.take().or_else(|| self.find(true));
            // What stands before a backlink is told with it.
            let start = boundary(&self.kept, self.kept.len() - AGAIN - AROUND_BYTES);
            self.kept.drain(..start);
            self.passed += start as u64;
        }
    }

    /// Where the backlink stands, now that all of the text is there.
    pub(super) fn place(mut self) -> Option<Place> {
        self.place.take().or_else(|| self.find(false))
    }

    /// `goes_on`: one at the end may be longer than it seems, and is found again with what follows.
    fn find(&self, goes_on: bool) -> Option<Place> {
        let found = self.pattern.as_ref()?.regex().find(&self.kept)?;
        let is_at_end =
            found.end() + AROUND_BYTES > self.kept.len() && found.start() + AGAIN > self.kept.len();
        (!(goes_on && is_at_end)).then(|| Place {
            offset: self.passed + found.start() as u64,
            context: around(&self.kept, found.start(), found.end()),
        })
    }
}

/// Where a character begins, here or a little before.
fn boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// What stands around a place, in one line.
fn around(text: &str, start: usize, end: usize) -> String {
    let before: Vec<char> = text[..start].chars().rev().take(AROUND).collect();
    let before = before.into_iter().rev();
    let found = text[start..end].chars().take(2 * AROUND);
    let context: String = before.chain(found).chain(text[end..].chars().take(AROUND)).collect();
    context.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, piece: usize) -> (u64, Option<Place>) {
        let mut searched = Text::searched_for(&BacklinkPattern::parse(r"my\.blog").unwrap());
        let mut rest = text;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(boundary(rest, piece.min(rest.len())));
            searched.push(now);
            assert!(searched.kept.len() <= KEPT + piece);
            rest = later;
        }
        (searched.bytes(), searched.place())
    }

    #[test]
    fn the_place_is_told_wherever_it_is_and_however_the_text_comes() {
        for before in [0, 10, KEPT - 3, KEPT + 10, 3 * KEPT - AGAIN, 6 * KEPT + 7] {
            let text = format!("{}友 my.blog 链{}", "é".repeat(before / 2), "z".repeat(100));
            for piece in [1_000, 65_536, 300_000] {
                let (bytes, found) = place(&text, piece);
                let found = found.unwrap();
                assert_eq!((bytes, found.offset), (text.len() as u64, text.find("my.blog").unwrap() as u64));
                assert!(found.context.contains("友 my.blog 链zz"), "{before} {piece}: {}", found.context);
            }
        }
    }

    #[test]
    fn what_is_not_there_has_no_place() {
        assert_eq!(place(&"my blog ".repeat(400_000), 10_000), (3_200_000, None));
    }

    #[test]
    fn the_first_one_is_told() {
        let text = format!("my.blog{}my.blog", "z".repeat(2 * KEPT));
        assert_eq!(place(&text, 4_096).1.unwrap().offset, 0);
    }
}
