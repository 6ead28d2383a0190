use std::fmt;

use askama::filters::{Html, HtmlSafe};
use linkbeat_shared::readable_url;

/// An address of somebody else's site, as a link if it is http or https. Whoever follows it is not told about.
#[derive(Debug, Clone)]
pub(crate) struct Outside(String);

impl Outside {
    pub(crate) fn new(address: &impl fmt::Display) -> Self {
        Self(address.to_string())
    }
}

impl fmt::Display for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = askama::filters::escape(readable_url(&self.0), Html).map_err(|_| fmt::Error)?;
        let is_web = self.0.starts_with("http://") || self.0.starts_with("https://");
        if !is_web {
            return write!(f, "<bdi>{text}</bdi>");
        }
        let address = askama::filters::escape(&self.0, Html).map_err(|_| fmt::Error)?;
        write!(f, "<a href=\"{address}\" rel=\"noopener noreferrer nofollow\"><bdi>{text}</bdi></a>")
    }
}

impl HtmlSafe for Outside {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_web_is_linked_and_everything_is_escaped() {
        assert_eq!(Outside::new(&"javascript:alert(1)").to_string(), "<bdi>javascript:alert(1)</bdi>");
        assert_eq!(Outside::new(&"data:text/html,<b>").to_string(), "<bdi>data:text/html,&#60;b&#62;</bdi>");
        let hostile = Outside::new(&"https://a.example/\"><script>").to_string();
        assert!(hostile.starts_with("<a href=\"https://a.example/&#34;&#62;&#60;script&#62;\""), "{hostile}");
    }
}
