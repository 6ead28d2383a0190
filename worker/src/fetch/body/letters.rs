//! In which script a page's text is written.

/// Longest character reference that is known as one, in bytes.
pub(super) const MAX_REFERENCE: usize = 12;

/// How many letters of each script a text has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Letters {
    counts: [u32; Script::ALL.len()],
    total: u32,
}

/// Scripts that are told apart, by the names of ISO 15924.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    Latin,
    Han,
    Kana,
    Hangul,
    Cyrillic,
    Greek,
    Arabic,
    Hebrew,
    Thai,
    Devanagari,
}

impl Script {
    pub(crate) const ALL: [Self; 10] = [
        Self::Latin,
        Self::Han,
        Self::Kana,
        Self::Hangul,
        Self::Cyrillic,
        Self::Greek,
        Self::Arabic,
        Self::Hebrew,
        Self::Thai,
        Self::Devanagari,
    ];

    /// The script of a letter, by the blocks of Unicode.
    fn of(letter: char) -> Option<Self> {
        Some(match letter {
            'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => Self::Latin,
            '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => Self::Greek,
            '\u{400}'..='\u{52f}' => Self::Cyrillic,
            '\u{590}'..='\u{5ff}' => Self::Hebrew,
            '\u{600}'..='\u{6ff}' | '\u{750}'..='\u{77f}' => Self::Arabic,
            '\u{900}'..='\u{97f}' => Self::Devanagari,
            '\u{e00}'..='\u{e7f}' => Self::Thai,
            '\u{3040}'..='\u{30ff}' => Self::Kana,
            '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}' => Self::Han,
            '\u{1100}'..='\u{11ff}' | '\u{ac00}'..='\u{d7af}' => Self::Hangul,
            _ => return None,
        })
    }
}

impl Letters {
    /// Counts the letters of a text. Character references are no letters.
    pub(super) fn count(&mut self, text: &str) {
        if let Some(letters) = ascii_letters(text) {
            return self.add(Script::Latin, letters);
        }
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            let mut length = letter.len_utf8();
            if letter == '&'
                && let Some(end) = rest.bytes().take(MAX_REFERENCE).position(|byte| byte == b';')
            {
                length = end + 1;
            } else if let Some(script) = Script::of(letter) {
                self.add(script, 1);
            }
            rest = &rest[length..];
        }
    }

    fn add(&mut self, script: Script, letters: u32) {
        let count = &mut self.counts[script as usize];
        *count = count.saturating_add(letters);
        self.total = self.total.saturating_add(letters);
    }

    /// All letters.
    pub(crate) fn total(&self) -> u32 {
        self.total
    }

    /// Letters of this script.
    pub(crate) fn of(&self, script: Script) -> u32 {
        self.counts[script as usize]
    }
}

/// `None`: not all of the text is ASCII, or it may have a character reference. Each loop looks at all bytes, so that it takes
/// many at a time.
fn ascii_letters(text: &str) -> Option<u32> {
    let bytes = text.as_bytes();
    let is_plain = bytes.iter().fold(true, |plain, byte| plain & byte.is_ascii() & (*byte != b'&'));
    // No chunk has more letters than a byte can count.
    let letters_of =
        |chunk: &[u8]| chunk.iter().fold(0_u8, |sum, byte| sum + u8::from(byte.is_ascii_alphabetic()));
    is_plain.then(|| bytes.chunks(usize::from(u8::MAX)).map(|chunk| u32::from(letters_of(chunk))).sum())
}
