//! `<meta http-equiv=refresh>` and the header `Refresh`: where a page sends its visitors by itself.

/// Longest delay in seconds that is taken for a redirect. What waits longer reloads the page for its news.
const MAX_DELAY: u32 = 60;

/// Where a page sends its visitors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refresh {
    /// As it is written: it may be relative.
    pub(crate) url: String,
}

impl Refresh {
    /// Reads a value such as `0; url=/new` (HTML Standard, §4.2.5.3 "Shared declarative refresh steps"). `None`
    /// where it names no URL, and so reloads the page itself, or only after a long time.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let value = value.trim_ascii_start();
        let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
        let (delay, rest) = value.split_at(digits);
        if delay.is_empty() && !rest.starts_with('.') {
            return None;
        }
        if !delay.is_empty() && delay.parse::<u32>().map_or(true, |delay| delay > MAX_DELAY) {
            return None;
        }
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let url = unquoted(without_name(separated(rest)?)).trim();
        (!url.is_empty()).then(|| Self { url: url.to_owned() })
    }
}

/// What stands behind the `;` or `,`, or a blank alone.
fn separated(rest: &str) -> Option<&str> {
    let blank = rest.trim_ascii_start();
    let behind = blank.strip_prefix([';', ',']);
    behind.or_else(|| (blank.len() < rest.len()).then_some(blank)).map(str::trim_ascii_start)
}

/// `url=` may be left out.
fn without_name(rest: &str) -> &str {
    match rest.get(..3) {
        Some(name) if name.eq_ignore_ascii_case("url") => {
            rest[3..].trim_ascii_start().strip_prefix('=').map_or(rest, str::trim_ascii_start)
        }
        _ => rest,
    }
}

fn unquoted(url: &str) -> &str {
    match url.chars().next() {
        Some(quote @ ('"' | '\'')) => url[1..].split(quote).next().unwrap_or_default(),
        _ => url,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_is_read_as_browsers_read_it() {
        for (value, expected) in [
            ("0; url=/new", Some("/new")),
            ("0;URL='https://my.blog/'", Some("https://my.blog/")),
            ("5, url = \"a b\" ", Some("a b")),
            (" 3.5;/new", Some("/new")),
            (".5; url=/new", Some("/new")),
            ("0 /new", Some("/new")),
            ("0;url.html", Some("url.html")),
            ("60;url=/new", Some("/new")),
            ("61;url=/new", None),
            ("0", None),
            ("0;", None),
            ("0;url=", None),
            ("url=/new", None),
            ("0url=/new", None),
            ("99999999999;url=/new", None),
            ("", None),
        ] {
            assert_eq!(Refresh::parse(value).map(|refresh| refresh.url).as_deref(), expected, "{value}");
        }
    }
}
