//! Text from strangers that cannot steer a terminal.

/// The text with every character replaced that moves, hides or reorders others: control characters,
/// line separators and the bidirectional controls (Unicode Standard Annex #9 §2).
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if steers(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn only_what_steers_is_replaced() {
        assert_eq!(plain("a\u{1b}[2J\u{9b}1m\u{202e}b\u{2028}c\n"), "a�[2J�1m�b�c�");
        let kept = "小明 👨\u{200d}💻 é";
        assert_eq!(plain(kept), kept);
    }
}
