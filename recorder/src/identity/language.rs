//! Whether two pages are in one language.

/// Codes that mean one language, or languages that sites use for each other (ISO 639).
const SAME: [&[&str]; 5] =
    [&["no", "nb", "nn"], &["id", "in"], &["he", "iw"], &["sr", "hr", "bs", "sh"], &["tl", "fil"]];

/// Whether the two may be the same. Where only a script is known of one, the other need only be written in it.
pub(super) fn alike(known: &str, seen: &str) -> bool {
    known == seen
        || SAME.iter().any(|same| same.contains(&known) && same.contains(&seen))
        || (is_script(known) != is_script(seen) && script(known) == script(seen))
}

/// Codes of scripts begin with a capital letter (ISO 15924).
fn is_script(code: &str) -> bool {
    code.starts_with(|c: char| c.is_ascii_uppercase())
}

/// The script that a language is written in.
fn script(code: &str) -> &str {
    match code {
        script if is_script(script) => script,
        "zh" => "Hani",
        "ja" => "Jpan",
        "ko" => "Kore",
        "ru" | "uk" | "be" | "bg" | "sr" | "mk" | "kk" | "ky" | "mn" | "tg" => "Cyrl",
        "el" => "Grek",
        "ar" | "fa" | "ur" | "ps" | "ku" | "ug" => "Arab",
        "he" | "yi" => "Hebr",
        "th" => "Thai",
        "hi" | "mr" | "ne" | "sa" => "Deva",
        _ => "Latn",
    }
}
