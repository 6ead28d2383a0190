//! Whether a link's page became another one: its title shares nothing with the one that is known, or it is in
//! another language. Pure.
//!
//! A site may show something else for a day, so one check is not enough: it takes two in a row. What is known then
//! stays, and so does the note, until the page is like it again or a person hides or shows the link by hand.

mod language;
mod title;

use std::collections::BTreeSet;

use linkbeat_shared::{Details, Kept, Known, Note};

/// Checks in a row that must differ.
const IN_A_ROW: u32 = 2;

/// What is known after a check, and the notes that the check gets. `familiar`: what the link is called, such as its
/// name and its host. A title that has something of it is the link's own.
pub(crate) fn compare(known: &Known, seen: &Details, familiar: &[&str]) -> (Known, BTreeSet<Note>) {
    let title = next(&known.title, seen.title.as_deref(), |known, seen| {
        title::share(known, seen) || familiar.iter().any(|familiar| title::names(seen, familiar))
    });
    let language = next(&known.language, seen.language.as_deref(), language::alike);
    let notes = [(&title, Note::TitleChanged), (&language, Note::LanguageChanged)]
        .into_iter()
        .filter_map(|(kept, note)| (kept.differed_in_a_row >= IN_A_ROW).then_some(note))
        .collect();
    (Known { title, language }, notes)
}

/// A check that saw nothing changes nothing. One that saw something alike takes its place: pages change little by
/// little.
fn next(kept: &Kept, seen: Option<&str>, alike: impl Fn(&str, &str) -> bool) -> Kept {
    let Some(seen) = seen else { return kept.clone() };
    match &kept.value {
        Some(value) if value != seen && !alike(value, seen) => {
            Kept { differed_in_a_row: kept.differed_in_a_row.saturating_add(1), ..kept.clone() }
        }
        _ => Kept { value: Some(seen.to_owned()), differed_in_a_row: 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(title: Option<&str>, language: Option<&str>) -> Details {
        let (title, language) = (title.map(Box::from), language.map(Box::from));
        Details { title, language, ..Details::default() }
    }

    /// The notes of the last of these checks.
    fn notes(checks: &[Details]) -> Vec<Note> {
        let mut known = (Known::default(), BTreeSet::new());
        for check in checks {
            known = compare(&known.0, check, &["Tom", "tom.example"]);
        }
        Vec::from_iter(known.1)
    }

    #[test]
    fn two_checks_in_a_row_must_differ() {
        let (garden, casino) =
            (seen(Some("A green garden"), Some("en")), seen(Some("Slot gacor"), Some("id")));
        let down = Details::default();
        let changed = vec![Note::TitleChanged, Note::LanguageChanged];
        for (checks, expected) in [
            (vec![&garden], vec![]),
            (vec![&casino, &casino], vec![]),
            (vec![&garden, &casino], vec![]),
            (vec![&garden, &casino, &casino], changed.clone()),
            (vec![&garden, &casino, &casino, &casino], changed.clone()),
            (vec![&garden, &casino, &garden, &casino], vec![]),
            (vec![&garden, &casino, &casino, &garden], vec![]),
            (vec![&garden, &casino, &down, &casino], changed.clone()),
            (vec![&garden, &casino, &casino, &down], changed),
        ] {
            let checks: Vec<_> = checks.into_iter().cloned().collect();
            assert_eq!(notes(&checks), expected, "{checks:?}");
        }
    }

    #[test]
    fn a_title_that_changes_little_by_little_is_followed() {
        let titles = ["A green garden", "A garden of stones", "Stones and sea", "The open sea"];
        assert!(notes(&titles.map(|title| seen(Some(title), None))).is_empty());
    }

    /// Titles of one site before and after, none of which may be noted. With the pages of `worker/tests/signs.rs`
    /// they are what false alarms are measured on.
    #[test]
    fn living_friends_are_not_noted() {
        let pairs = [
            ("Tom's Garden", "Tom's Garden"),
            ("Tom's Garden", "Garden notes"),
            ("Tom's Garden | Home", "About | Tom's Garden"),
            ("Garden", "GARDEN!"),
            ("Tom's Blog", "Tomsblog"),
            ("My little corner", "tom.example"),
            ("My little corner", "Tom writes"),
            ("Hello World", "Tom"),
            ("张三的博客", "张三的小站"),
            ("张三的博客", "张三 - 记录生活"),
            ("张三的博客", "首页 | 张三的博客"),
            ("技术笔记 - 张三", "张三"),
            ("技术笔记", "技术与生活"),
            ("云游君的小站", "云游君"),
            ("小明的部落格", "小明"),
            ("ＴＯＭ的空间", "tom 的空间"),
            ("Ｇａｒｄｅｎ", "garden"),
            ("技術メモ", "技術メモ帳"),
            ("ブログ｜花", "花のブログ"),
            ("Заметки Ивана", "Иван: заметки"),
            ("Café Noir", "CAFÉ NOIR — accueil"),
            ("(3) Tom's Garden", "Tom's Garden"),
            ("Tom's Garden – 2025", "Tom's Garden – 2026"),
            ("Home", "Tom's Garden"),
            ("Tom's Garden", "Home"),
            ("Tom's Garden", "Welcome!"),
            ("张三的博客", "首页"),
            ("Blog", "博客"),
            ("", "Tom"),
            ("🌸", "Tom"),
            ("GardenNotes", "Garden Notes"),
            ("garden-notes", "Garden_Notes"),
            ("Tom’s Garden", "Tom's garden"),
            ("정원 이야기", "정원"),
            ("บันทึกของสวน", "บันทึก"),
            ("404 Garden", "Garden"),
            ("Straße & Meer", "STRASSE UND MEER"),
            ("Tom's Garden", "Tom's Garden — Page 2 of 9"),
            ("tomgarden.example", "Tom Garden"),
            ("小明的博客 - 记录生活", "小明 | Xiaoming"),
            ("Łąka i morze", "łąka"),
            ("Блог Ивана", "Иван"),
            ("云游君的小站", "云 游 君"),
            ("Tom", "𝐓𝐨𝐦"),
            ("Dvořák", "DVORAK"),
            ("Łódź", "lodz"),
            ("Straße", "STRASSE"),
            ("ΣΗΜΕΙΩΣΕΙΣ", "Σημειώσεις"),
            ("İstanbul", "istanbul"),
            ("ｶﾞｰﾃﾞﾝ", "ガーデン"),
            ("Sân vườn", "San vuon"),
            ("Ёлка", "Елка"),
            ("Vite App", "Tom's Garden"),
            ("Just another WordPress site", "Tom's Garden"),
            ("友情链接", "张三"),
        ];
        for (before, after) in pairs {
            let [before, after] = [before, after].map(|title| seen(Some(title), None));
            assert_eq!(notes(&[before.clone(), after.clone(), after.clone()]), [], "{before:?} {after:?}");
        }
        assert!(pairs.len() >= 30);
    }

    #[test]
    fn a_name_that_says_nothing_excuses_nothing() {
        let (garden, casino) = (seen(Some("A green garden"), None), seen(Some("Best casino"), None));
        let mut known = Known::default();
        for check in [&garden, &casino, &casino] {
            let notes;
            (known, notes) = compare(&known, check, &["a", "127.0.0.1", "博客"]);
            assert_eq!(notes.is_empty(), known.title.differed_in_a_row < IN_A_ROW);
        }
        assert_eq!(known.title.differed_in_a_row, IN_A_ROW);
    }

    #[test]
    fn lost_friends_are_noted() {
        for (before, after) in [
            ("Garden notes", "Slot Gacor Hari Ini Terpercaya"),
            ("Garden notes", "Best Online Casino 2026"),
            ("My garden blog", "Best casino blog"),
            ("张三的博客", "澳门赌场官网"),
            ("张三的博客", "Buy cheap pills"),
            ("技术笔记", "成人视频在线观看"),
            ("云游君的小站", "域名出售"),
            ("小明的博客", "小说下载网的博客"),
            ("Garden notes", "hugedomains"),
            ("花のブログ", "副業で稼ぐ方法"),
            ("Заметки сада", "Казино онлайн"),
            ("Welcome to the garden", "Welcome to the casino"),
            ("Tom's Garden | Home", "Casino Bonus | Home"),
            ("小明的博客 - 首页", "彩票平台 - 首页"),
            ("技术笔记 2025", "棋牌游戏 2025"),
            ("Hexo 笔记", "Hexo casino"),
            ("花 の 庭", "カジノ ゲーム"),
        ] {
            let [before, after] = [before, after].map(|title| seen(Some(title), None));
            assert_eq!(notes(&[before, after.clone(), after.clone()]), [Note::TitleChanged], "{after:?}");
        }
    }

    #[test]
    fn a_language_is_another_only_where_both_are_known() {
        for (before, after, noted) in [
            (Some("en"), Some("en"), false),
            (Some("en"), Some("id"), true),
            (Some("zh"), Some("en"), true),
            (Some("zh"), Some("Latn"), true),
            (Some("Latn"), Some("en"), false),
            (Some("en"), Some("Latn"), false),
            (Some("Cyrl"), Some("uk"), false),
            (Some("Cyrl"), Some("en"), true),
            (Some("no"), Some("nb"), false),
            (Some("in"), Some("id"), false),
            (None, Some("en"), false),
            (Some("en"), None, false),
        ] {
            let [before, after] = [before, after].map(|language| seen(None, language));
            let expected = Vec::from_iter(noted.then_some(Note::LanguageChanged));
            assert_eq!(
                notes(&[before.clone(), after.clone(), after.clone()]),
                expected,
                "{before:?} {after:?}"
            );
        }
    }
}
