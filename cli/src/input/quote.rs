//! Quotes values from a file in a message.

/// Most characters shown of a value.
const SHOWN: usize = 60;

/// The value, shortened, with control characters escaped, and without userinfo: a password may stand there.
pub(super) fn quote(value: &str) -> String {
    let value = without_userinfo(value.trim());
    let mut characters = value.chars();
    let mut shown: String = characters.by_ref().take(SHOWN).collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown.escape_debug().to_string()
}

/// Leaves out everything up to the last `@`. In a broken URL nobody can tell where the userinfo ends.
fn without_userinfo(value: &str) -> String {
    let (Some(first), Some(last)) = (value.find('@'), value.rfind('@')) else { return value.to_owned() };
    let start = value[..first].find("://").map_or(0, |scheme| scheme + "://".len());
    format!("{}…{}", &value[..start], &value[last..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_quoted() {
        let cases = [
            ("ftp://me:secret@a/x", "ftp://…@a/x"),
            ("http://me:se/cr@et@a b/", "http://…@a b/"),
            ("me:secret@http://a@b", "…@b"),
            ("//me:secret@a", "…@a"),
            ("http://a/b", "http://a/b"),
        ];
        for (value, quoted) in cases {
            assert_eq!(quote(value), quoted, "{value}");
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped_and_the_rest_cut() {
        assert_eq!(quote("a\u{1b}[2J\u{202e}b"), r"a\u{1b}[2J\u{202e}b");
        assert_eq!(quote(&"友".repeat(61)), format!("{}…", "友".repeat(60)));
    }
}
