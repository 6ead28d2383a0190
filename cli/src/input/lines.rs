//! Turns byte offsets into line numbers.

/// Counts lines on the way through a text. It reads each byte once.
pub(super) struct Lines<'a> {
    text: &'a str,
    offset: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, offset: 0, line: 1 }
    }

    /// The line in which `offset` lies, counted from 1. An offset that goes back is taken to lie in the line of the last one.
    pub(super) fn at(&mut self, offset: usize) -> usize {
        if let Some(passed) = self.text.as_bytes().get(self.offset..offset) {
            self.line += passed.iter().filter(|&&byte| byte == b'\n').count();
            self.offset = offset;
        }
        self.line
    }
}
