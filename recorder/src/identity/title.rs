//! Whether two titles have something in common.
//!
//! Titles are taken apart into words, and Chinese and Japanese text into pairs of characters. Words that half of all
//! sites have in their titles say nothing, nor do those that a theme or a tool puts there. Titles of which nothing is left
//! are like any other. Accents and the shapes of letters do not count.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;

/// Words that say nothing of a site, in lower case.
const COMMON: [&str; 92] = [
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
    // What tools and themes put there before anybody gives a title.
    "document",
    "title",
    "just",
    "another",
    "app",
    "vite",
    "vue",
    "vuepress",
    "vitepress",
    "react",
    "next",
    "nuxt",
    "astro",
    "svelte",
    "hexo",
    "hugo",
    "jekyll",
    "ghost",
    "halo",
    "typecho",
    "wordpress",
    "links",
    "friends",
    "posts",
    "archives",
    "portfolio",
    "tab",
];
/// The same in Chinese and Japanese. Longer ones first.
const COMMON_PARTS: [&str; 34] = [
    "无标题文档",
    "友情链接",
    "友链",
    "博客园",
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
    let folded = folded(title);
    let mut parts = BTreeSet::new();
    let mut run = String::new();
    // A mark more, so that the last run ends.
    for character in folded.chars().chain(['|']) {
        // Some set blanks between all characters.
        if character == ' ' && run.starts_with(is_ideograph) {
            continue;
        }
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

/// In small letters without accents and ornaments: `Café`, `CAFE` and full-width letters are one word.
fn folded(title: &str) -> String {
    let is_accent = |c: &char| matches!(c, '\u{300}'..='\u{36f}');
    let plain = title.nfkd().filter(|c| !is_accent(c)).nfc();
    // Over capital letters: `ß` has two of them, and the two small sigmas have one.
    plain.flat_map(char::to_uppercase).flat_map(char::to_lowercase).map(without_stroke).collect()
}

/// Letters whose stroke is no mark of its own.
fn without_stroke(c: char) -> char {
    match c {
        'ł' => 'l',
        'đ' => 'd',
        'ø' => 'o',
        c => c,
    }
}
