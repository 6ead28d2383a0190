//! What linkbeat says to people, in their language: help, notes and errors. Reports have their own words
//! (`crate::output::words`), as reasons have (`linkbeat_shared::Lang`).
//!
//! Texts are written in English where they arise. Here they are said in another language on their way out. What the
//! catalogue lacks stays English.

mod help;
mod texts;

use std::env;
use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use linkbeat_shared::Lang;

pub(crate) use help::{in_language, spoken};

/// Whether Chinese is spoken. It is set before anything is said.
static CHINESE: AtomicBool = AtomicBool::new(false);

/// Variables that say which language people want, the one that counts most first (POSIX, "Locale"). An empty one says
/// nothing.
const LOCALE: [&str; 3] = ["LC_ALL", "LC_MESSAGES", "LANG"];

/// From now on this language is spoken.
pub(crate) fn speak(lang: Lang) {
    CHINESE.store(lang == Lang::Zh, Relaxed);
}

/// Whether English is spoken.
pub(crate) fn is_english() -> bool {
    !CHINESE.load(Relaxed)
}

/// The language of this process's surroundings.
pub(crate) fn of_environment() -> Lang {
    let said = LOCALE.iter().filter_map(|name| env::var(name).ok()).find(|value| !value.is_empty());
    said.and_then(|locale| locale.parse().ok()).unwrap_or_default()
}

/// The language that a command line asks for. Help is printed before the command line is understood.
pub(crate) fn of_arguments(arguments: &[OsString]) -> Lang {
    let texts: Vec<_> = arguments.iter().filter_map(|argument| argument.to_str()).collect();
    let after = texts.windows(2).find(|pair| pair[0] == "--lang").map(|pair| pair[1]);
    let said = after.or_else(|| texts.iter().find_map(|text| text.strip_prefix("--lang=")));
    let set = env::var("LINKBEAT_OUTPUT_LANG").ok();
    let said = said.and_then(|lang| lang.parse().ok());
    said.or_else(|| set.and_then(|lang| lang.parse().ok())).unwrap_or_else(of_environment)
}

/// A text for people, which may have several lines.
pub(crate) fn said(text: &str) -> String {
    said_in(if is_english() { Lang::En } else { Lang::Zh }, text)
}

/// The same in this language, whichever is spoken.
pub(crate) fn said_in(lang: Lang, text: &str) -> String {
    if lang == Lang::En {
        return text.to_owned();
    }
    if let Some(text) = translated(text) {
        return text;
    }
    text.split('\n')
        .map(|line| translated(line).unwrap_or_else(|| line.to_owned()))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The Chinese text, if the catalogue has it.
fn translated(text: &str) -> Option<String> {
    let start = text.len() - text.trim_start().len();
    let (before, text) = text.split_at(start);
    texts::MESSAGES
        .iter()
        .find_map(|(english, chinese)| Some(before.to_owned() + &filled(english, chinese, text)?))
}

/// The Chinese text, where this is the English one. `{}` stands for anything, which is taken over; `{t}` for what is
/// translated itself.
fn filled(english: &str, chinese: &str, text: &str) -> Option<String> {
    let mut places = pieces(english).into_iter();
    let mut rest = text.strip_prefix(places.next()?.0)?;
    let mut values = Vec::new();
    let mut places = places.peekable();
    while let Some((piece, is_text)) = places.next() {
        let end = if places.peek().is_none() && piece.is_empty() {
            rest.len()
        } else if places.peek().is_none() {
            rest.len().checked_sub(piece.len()).filter(|end| rest.get(*end..) == Some(piece))?
        } else {
            rest.find(piece)?
        };
        let value = &rest[..end];
        values.push(if is_text { translated(value)? } else { value.to_owned() });
        rest = &rest[end + piece.len()..];
    }
    if !rest.is_empty() {
        return None;
    }
    let mut values = values.into_iter();
    let parts = pieces(chinese).into_iter().enumerate();
    let filled = parts.map(|(number, (piece, _))| {
        let value = if number == 0 { String::new() } else { values.next().unwrap_or_default() };
        value + piece
    });
    Some(filled.collect())
}

/// What stands between the places of a pattern. Each piece but the first has its place before it, and says whether that
/// is `{t}`.
fn pieces(pattern: &str) -> Vec<(&str, bool)> {
    let mut pieces = Vec::new();
    let (mut rest, mut is_text) = (pattern, false);
    while let Some(at) = rest.find("{}").into_iter().chain(rest.find("{t}")).min() {
        pieces.push((&rest[..at], is_text));
        is_text = rest[at..].starts_with("{t}");
        rest = &rest[at + if is_text { 3 } else { 2 }..];
    }
    pieces.push((rest, is_text));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_with_what_stands_in_them() {
        let chinese = |text| translated(text).unwrap();
        assert_eq!(chinese("3 added, 2 updated, 1 unchanged"), "新增 3，更新 2，未变 1");
        assert_eq!(chinese("error: a.csv:2: url: the URL is empty"), "错误：a.csv:2：url：网址为空");
        assert_eq!(
            chinese("error: a: is empty; write one URL per line, or CSV or JSON with names and URLs"),
            "错误：a：为空；请每行写一个网址，或使用带名称和网址的 CSV 或 JSON"
        );
        assert_eq!(
            chinese("there is no schedule nightly; see `linkbeat schedule list`"),
            "没有定时任务 nightly；见 `linkbeat schedule list`"
        );
        assert_eq!(translated("nobody has said this yet"), None);
        assert_eq!(filled("a {} b {} c", "{}，{}", "a 1 b 2 c").as_deref(), Some("1，2"));
        assert_eq!(filled("a {} b", "{}", "a 1 c"), None);
        assert_eq!(filled("a {}", "{}", "a"), None);
    }

    #[test]
    fn the_command_line_counts_before_the_environment() {
        let of = |arguments: &[&str]| of_arguments(&arguments.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(of(&["linkbeat", "--lang", "zh_CN", "check"]), Lang::Zh);
        assert_eq!(of(&["linkbeat", "check", "--lang=zh"]), Lang::Zh);
        assert_eq!(of(&["linkbeat", "--lang", "en"]), Lang::En);
    }

    /// Texts that other texts are put into, that only people with a terminal are asked, or that are English by nature.
    const MADE_OF_OTHERS: [&str; 18] = [
        "{0}",
        "{notice}; {ONCE_MORE}",
        "skipped {}",
        "{question} [y/N]",
        "{url} {what}",
        "{unseen}",
        "{}",
        "no parked message has the id {id}{unseen}",
        "{gone} checks removed; {oldest}",
        "{} found",
        "{problem}. No link was hidden for it; `linkbeat check --resume` goes on with the run",
        "{} is the list's {url}: {what}",
        "warning: {warning}",
        "{} stored may be links of the list:{texts}
--merge-duplicates makes them one link each, with its history",
        "{count} stored that the list no longer has:{}",
        "schedule {name} is {done}; its next tick is {} ({})",
        "schedule {name} is {done}; it is paused",
        "schedule {name} is {done}; it has no ticks left",
    ];

    /// The first argument of each of these calls is said to people.
    const SAYING: [&str; 5] =
        [".advise(", "Failure::usage(", "Failure::infrastructure(", "print_note(", "print_warning("];

    #[test]
    fn what_commands_say_is_said_in_chinese() {
        let mut missing = Vec::new();
        let mut open = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap_or_default();
            let source = source.split("#[cfg(test)]").next().unwrap();
            let calls =
                SAYING.iter().flat_map(|call| source.match_indices(call).map(|(at, _)| at + call.len()));
            missing.extend(calls.filter_map(|at| literal(&source[at..])).filter(|text| {
                let in_use = !MADE_OF_OTHERS.contains(&text.as_str());
                in_use && translated(&with_something(text)).is_none()
            }));
        }
        missing.sort_unstable();
        missing.dedup();
        assert_eq!(missing, [""; 0]);
    }

    /// The text that an argument begins with, if it is one.
    fn literal(argument: &str) -> Option<String> {
        let mut argument = argument.trim_start().trim_start_matches('&');
        for around in ["format!(", "format_args!("] {
            argument = argument.strip_prefix(around).unwrap_or(argument).trim_start();
        }
        let (mut text, mut chars) = (String::new(), argument.strip_prefix('"')?.chars().peekable());
        loop {
            match chars.next()? {
                '"' => return Some(text),
                '\\' => match chars.next()? {
                    '\n' => while chars.next_if(|c| c.is_whitespace()).is_some() {},
                    'n' => text.push('\n'),
                    c => text.push(c),
                },
                c => text.push(c),
            }
        }
    }

    /// The text with something in each of its places.
    fn with_something(text: &str) -> String {
        let mut parts = text.split('{');
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| text + "7" + part.split_once('}').map_or(part, |(_, rest)| rest))
    }

    #[test]
    fn each_place_of_a_text_is_filled() {
        for (english, chinese) in texts::MESSAGES.iter().chain(texts::HELP) {
            let places = |text: &str| text.matches("{}").count() + text.matches("{t}").count();
            assert_eq!(places(english), places(chinese), "{english}");
            assert!(!english.is_empty() && !chinese.is_empty());
        }
    }
}
