//! Whether two titles have something in common.
//!
//! Titles are taken apart into words, and Chinese and Japanese text into pairs of characters. Words that half of all
//! sites have in their titles say nothing. Titles of which nothing is left are like any other.

use std::collections::BTreeSet;

/// Words that say nothing of a site, in lower case.
const COMMON: [&str; 65] = [
    "the",
    "and",
    "for",
    "with",
    "from",
    "your",
    "our",
    "you",
    "all",
    "are",
    "home",
    "homepage",
    "index",
    "blog",
    "blogs",
    "weblog",
    "site",
    "website",
    "page",
    "welcome",
    "official",
    "personal",
    "online",
    "main",
    "untitled",
    "news",
    "world",
    "hello",
    "best",
    "free",
    "new",
    "www",
    "com",
    "net",
    "org",
    "http",
    "https",
    "example",
    "about",
    "der",
    "die",
    "das",
    "und",
    "les",
    "des",
    "mon",
    "del",
    "los",
    "las",
    "mes",
    "accueil",
    "inicio",
    "блог",
    "сайт",
    "главная",
    "domain",
    "to",
    "my",
    "of",
    "in",
    "on",
    "at",
    "is",
    "by",
    "an",
];
/// The same in Chinese and Japanese. Longer ones first.
const COMMON_PARTS: [&str; 30] = [
    "个人博客",
    "個人部落格",
    "的部落格",
    "部落格",
    "的博客",
    "的小站",
    "个人网站",
    "个人主页",
    "博客",
    "部落",
    "首页",
    "首頁",
    "主页",
    "小站",
    "官网",
    "网站",
    "網站",
    "网页",
    "欢迎",
    "歡迎",
    "来到",
    "官方",
    "个人",
    "空间",
    "のブログ",
    "ブログ",
    "ホーム",
    "在线",
    "下载",
    "的",
];
/// Shortest word that counts inside another one.
const MIN_INSIDE: usize = 3;

/// Whether the titles share anything, or one of them says nothing.
pub(super) fn share(one: &str, other: &str) -> bool {
    let (one, other) = (parts(one), parts(other));
    one.is_empty() || other.is_empty() || overlap(&one, &other)
}

/// Whether the title has something of this name.
pub(super) fn names(title: &str, name: &str) -> bool {
    overlap(&parts(title), &parts(name))
}

fn overlap(one: &BTreeSet<String>, other: &BTreeSet<String>) -> bool {
    one.iter().any(|part| other.contains(part)) || inside(one, other) || inside(other, one)
}

/// Whether a word of one stands at the beginning or end of a word of the other, as in `tomsgarden`.
fn inside(one: &BTreeSet<String>, other: &BTreeSet<String>) -> bool {
    let words = one.iter().filter(|word| word.chars().count() >= MIN_INSIDE);
    words.into_iter().any(|word| {
        other.iter().any(|longer| longer.starts_with(word.as_str()) || longer.ends_with(word.as_str()))
    })
}

fn parts(title: &str) -> BTreeSet<String> {
    let folded: String = title.chars().map(folded).collect::<String>().to_lowercase();
    let mut parts = BTreeSet::new();
    let mut run = String::new();
    // A blank more, so that the last run ends.
    for character in folded.chars().chain([' ']) {
        let goes_on = run.chars().next().is_none_or(|first| is_ideograph(first) == is_ideograph(character));
        if !is_part_of_word(character) || !goes_on {
            take(&std::mem::take(&mut run), &mut parts);
        }
        if is_part_of_word(character) {
            run.push(character);
        }
    }
    parts
}

/// Adds what a run of letters consists of.
fn take(run: &str, parts: &mut BTreeSet<String>) {
    if !run.starts_with(is_ideograph) {
        let is_word = run.chars().count() >= 2 && !run.chars().all(|c| c.is_ascii_digit());
        if is_word && !COMMON.contains(&run) {
            parts.insert(run.to_owned());
        }
        return;
    }
    let mut rest = run.to_owned();
    for common in COMMON_PARTS {
        rest = rest.replace(common, " ");
    }
    for piece in rest.split(' ').filter(|piece| !piece.is_empty()) {
        let characters: Vec<_> = piece.chars().collect();
        if let [single] = characters[..] {
            parts.insert(single.to_string());
        }
        parts.extend(characters.windows(2).map(String::from_iter));
    }
}

/// Marks belong to the letters before them, as vowels do in Thai.
fn is_part_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '\u{300}'..='\u{36f}' | '\u{900}'..='\u{97f}' | '\u{e00}'..='\u{e7f}')
}

/// Written without blanks between words.
fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

/// Full-width letters are the same letters (Unicode, block FF00).
fn folded(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => u32::from(c).checked_sub(0xfee0).and_then(char::from_u32).unwrap_or(c),
        c => c,
    }
}
