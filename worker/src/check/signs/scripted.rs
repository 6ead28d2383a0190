//! Whether a page builds its links by script, so that a missing backlink may be there all the same.
//!
//! The rule: a page is scripted if it runs a script and either
//! * there is almost nothing without it: fewer than [`FEW_LINKS`] links and fewer than [`FEW_LETTERS`] letters; or
//! * it loads a script that is known to build lists of links; or a script of its own names a list of links to fetch.
//!
//! Scripts that only count visitors do not count, nor do blocks of data.

use std::sync::LazyLock;

use regex::Regex;

use crate::fetch::Outline;

const FEW_LINKS: u32 = 5;
const FEW_LETTERS: u32 = 200;

/// Scripts that count visitors, show ads, or work on what is there. They build no links.
const COUNTERS: [&str; 23] = [
    "google-analytics.com",
    "googletagmanager.com",
    "googlesyndication.com",
    "hm.baidu.com",
    "zz.bdstatic.com",
    "cloudflareinsights.com",
    "/cdn-cgi/",
    "busuanzi",
    "51.la",
    "cnzz.com",
    "umami",
    "plausible",
    "matomo",
    "clarity.ms",
    "goatcounter",
    "vercount",
    "email-decode",
    "gtag(",
    "__CF$cv$params",
    "serviceWorker.register",
    "wp-emoji",
    "wpemoji",
    "external-link",
];

/// Scripts that build lists of friends, and what a page that uses them says.
const BUILDERS: [&str; 9] = [
    // github.com/hiltay/hexo-circle-of-friends-doc, docs/deployment/frontend.md
    "friend-circle-frontend",
    "hexo-circle-of-friends",
    "fcircle",
    // github.com/willow-god/Friend-Circle-Lite, README.md
    "friend-circle-lite",
    "fclite",
    // unpkg.com/qexo-static and qexo-friends: `loadQexoFriends("qexo-friends", URL)`
    "qexo-friends",
    "loadqexofriends",
    "qexo-static",
    // github.com/Rock-Candy-Tea/Friend-Circle-Frontend, README.md
    "friend-circle-container",
];

/// A list of links among the addresses in a script, such as `'/data/friends.json'` or `"/api/links"`.
static LIST: LazyLock<Regex> = LazyLock::new(|| {
    constant(
        r#"(?i)["'`/](?:[\w./:-]*[/_-])?(?:friends?|links?|flinks?|friend-?links?|blogroll|youlian)(?:[/_-]?(?:list|data|page|all|issues))?(?:\.(?:json|ya?ml|xml|txt|php)|["'`?])"#,
    )
});
/// What fetches something.
static FETCH: LazyLock<Regex> =
    LazyLock::new(|| constant(r"(?i)\bfetch\s*\(|XMLHttpRequest|\baxios\b|\.(?:ajax|getJSON|get)\s*\("));
/// A script of the site that builds its links, by its name. A hash or a version may follow.
static SOURCE: LazyLock<Regex> = LazyLock::new(|| {
    constant(
        r"(?i)(?:^|[/_-])(?:friends?|flinks?|links?|friend-?links?|blogroll)(?:[._-]?(?:page|list|loader|render))?(?:[._-][a-z]*\d[\w-]*)?(?:\.min)?\.m?js(?:$|\?)",
    )
});

/// Whether the page builds its links by script, as far as its outline shows.
pub(super) fn is_scripted(outline: &Outline) -> bool {
    let sources = || outline.sources.iter().map(|source| source.to_lowercase());
    let scripts = || outline.scripts.iter().filter(|script| is_program(script));
    let is_shell = outline.links < FEW_LINKS && outline.letters.total() < FEW_LETTERS;
    if is_shell
        && (sources().any(|source| !is_counter(&source)) || scripts().any(|script| !is_counter(script)))
    {
        return true;
    }
    sources().any(|source| builds(&source) || (SOURCE.is_match(&source) && !is_counter(&source)))
        || scripts().any(|script| builds(&script.to_lowercase()) || fetches_a_list(script))
}

fn builds(text: &str) -> bool {
    BUILDERS.iter().any(|builder| text.contains(builder))
}

fn fetches_a_list(script: &str) -> bool {
    FETCH.is_match(script) && LIST.is_match(script)
}

/// Whether the text of a script is a program, and not nothing, nor data as in JSON.
fn is_program(script: &str) -> bool {
    let script = script.trim_ascii();
    !script.is_empty() && !script.starts_with(['{', '[', '<'])
}

fn is_counter(text: &str) -> bool {
    COUNTERS.iter().any(|counter| text.contains(counter))
}

#[expect(clippy::expect_used, reason = "a constant that a test compiles")]
fn constant(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a regular expression")
}
