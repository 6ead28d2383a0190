//! The title of a page, as it is kept.

use htmlize::unescape;

/// Characters of a title that are kept.
const MAX_TITLE: usize = 200;
/// Titles of pages that a site or a wall shows in passing. They say nothing of the site.
const IN_PASSING: [&str; 37] = [
    "just a moment...",
    "attention required!",
    "one moment, please",
    "checking your browser",
    "please wait",
    "loading",
    "redirecting",
    "ddos-guard",
    "请稍候",
    "正在跳转",
    "请稍等",
    "加载中",
    // Anubis, Vercel, SiteGround, Sucuri and other walls.
    "making sure you're not a bot",
    "vercel security checkpoint",
    "robot challenge screen",
    "human verification",
    "安全验证",
    "人机验证",
    "人机识别",
    "安全检测",
    "访问验证",
    "正在验证",
    "verifying you are human",
    "verify you are human",
    "bot verification",
    "access denied",
    // Errors that come with 200.
    "403 forbidden",
    "404 not found",
    "500 internal server error",
    "502 bad gateway",
    "503 service",
    "504 gateway",
    "database error",
    // While the site is worked on.
    "maintenance",
    "under maintenance",
    "site maintenance",
    "网站维护",
];

/// The title in one line, without invisible characters. `None` where nothing is left, or it is one shown in passing.
pub(super) fn cleaned(title: &str) -> Option<String> {
    let text = unescape(title);
    let words: Vec<_> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    let title: String = words.join(" ").chars().filter(|c| !is_invisible(*c)).take(MAX_TITLE).collect();
    let title = title.trim();
    let lower = title.to_lowercase();
    let in_passing = IN_PASSING.iter().any(|known| lower.starts_with(known));
    (!title.is_empty() && !in_passing).then(|| title.to_owned())
}

/// Characters without a shape, and those that turn the direction of the text around them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fffd}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_bounded_line() {
        assert_eq!(cleaned("  Tom &amp;\n\t I&nbsp;\u{202e}x "), Some("Tom & I x".to_owned()));
        assert_eq!(cleaned(&"é".repeat(500)).unwrap().chars().count(), MAX_TITLE);
        for nothing in [
            "",
            " \n",
            "&#8203;",
            "Just a moment...",
            "Loading…",
            "Redirecting to /x",
            "Making sure you&#39;re not a bot!",
            "Maintenance mode",
            "网站维护中",
            "502 Bad Gateway",
            "Verifying you are human. This may take a few seconds.",
        ] {
            assert_eq!(cleaned(nothing), None, "{nothing}");
        }
    }
}
