//! What the pages say, in each language: a catalogue in a file of its own. The compiler sees to it that each has all texts.

mod accept;
mod en;
mod texts;
mod zh;

use std::fmt::{Display, Write};

use linkbeat_shared::Lang;

pub(super) use accept::preferred;
pub(crate) use texts::Texts;

impl Texts {
    /// The texts of a language.
    pub(in crate::pages) fn of(lang: Lang) -> &'static Self {
        match lang {
            Lang::En => &en::TEXTS,
            Lang::Zh => &zh::TEXTS,
        }
    }
}

/// A text with values in its places `{}`, in their order.
pub(crate) fn fill(text: &str, values: &[&dyn Display]) -> String {
    let (mut filled, mut pieces) = (String::new(), text.split("{}"));
    filled.push_str(pieces.next().unwrap_or_default());
    for (number, piece) in pieces.enumerate() {
        if let Some(value) = values.get(number) {
            // Writing to a string cannot fail.
            let _ = write!(filled, "{value}");
        }
        filled.push_str(piece);
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_every_text_with_the_same_places() {
        let (english, chinese) = (Texts::of(Lang::En).all(), Texts::of(Lang::Zh).all());
        for ((name, english), (_, chinese)) in english.into_iter().zip(chinese) {
            assert!(!english.trim().is_empty() && !chinese.trim().is_empty(), "{name} is empty");
            let places = |text: &str| text.matches("{}").count();
            assert_eq!(places(english), places(chinese), "{name}: {english} / {chinese}");
        }
    }

    #[test]
    fn values_take_their_places() {
        assert_eq!(fill("{} of {}.", &[&1, &"two"]), "1 of two.");
        assert_eq!(fill("plain", &[&1]), "plain");
        assert_eq!(fill("{} {}", &[&"{}"]), "{} ", "a value is not read again");
    }
}
