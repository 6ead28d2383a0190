//! In which language a page is.
//!
//! The script of its text goes before what it declares: themes declare English over Chinese text, and the
//! declaration changes with the theme. Where many languages share a script, the declaration tells them apart.

use crate::fetch::{Letters, Outline, Script};

/// Fewer letters than this say nothing about a page's script.
const FEW_LETTERS: u32 = 40;
/// A text of which one letter in so many is of another script than Latin is taken to be in that script: code, names
/// and English words stand in pages of all languages.
const SHARE: u32 = 8;

/// The language, or only the script where nothing else is known. See [`linkbeat_shared::Details::language`].
pub(super) fn of(outline: &Outline) -> Option<String> {
    let declared = outline.declared_language.as_deref();
    let Some(script) = script(&outline.letters) else { return declared.map(str::to_owned) };
    let (code, languages) = known(script);
    let language = match languages {
        [only] => only,
        many => declared.filter(|declared| many.is_empty() || many.contains(declared)).unwrap_or(code),
    };
    Some(language.to_owned())
}

/// The script that decides, where there is enough text.
fn script(letters: &Letters) -> Option<Script> {
    let total = letters.total();
    if total < FEW_LETTERS {
        return None;
    }
    // A Japanese text has more Han than kana in places, and a Chinese one has no kana.
    let enough = |script: &Script| letters.of(*script) * SHARE >= total;
    if letters.of(Script::Kana) * SHARE * 2 >= total {
        return Some(Script::Kana);
    }
    let others = Script::ALL.into_iter().filter(|script| *script != Script::Latin && enough(script));
    Some(others.max_by_key(|script| letters.of(*script)).unwrap_or(Script::Latin))
}

/// The script's code, and the languages that are written in it: none where they are too many.
fn known(script: Script) -> (&'static str, &'static [&'static str]) {
    match script {
        Script::Latin => ("Latn", &[]),
        Script::Han => ("Hani", &["zh"]),
        Script::Kana => ("Jpan", &["ja"]),
        Script::Hangul => ("Kore", &["ko"]),
        Script::Cyrillic => ("Cyrl", &["ru", "uk", "be", "bg", "sr", "mk", "kk", "ky", "mn", "tg"]),
        Script::Greek => ("Grek", &["el"]),
        Script::Arabic => ("Arab", &["ar", "fa", "ur", "ps", "ku", "ug"]),
        Script::Hebrew => ("Hebr", &["he", "yi"]),
        Script::Thai => ("Thai", &["th"]),
        Script::Devanagari => ("Deva", &["hi", "mr", "ne", "sa"]),
    }
}
