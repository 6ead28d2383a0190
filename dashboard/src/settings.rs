use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

use linkbeat_shared::as_text;
use serde::{Deserialize, Serialize};

/// The port that is taken unless another one is named.
const PORT: u16 = 8080;

/// What the operator of a dashboard decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DashboardSettings {
    /// Where it is served.
    pub listen: SocketAddr,
    /// The path under which a proxy serves it.
    #[serde(with = "as_text")]
    pub base_path: BasePath,
}

impl Default for DashboardSettings {
    fn default() -> Self {
        Self { listen: (Ipv4Addr::LOCALHOST, PORT).into(), base_path: BasePath::default() }
    }
}

/// A path such as `/links`, without a slash at its end. That of the root is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct BasePath(String);

impl BasePath {
    /// The path of a page, such as `/links/runs` for `/runs`.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// What follows in an address that begins with it; `None`: it does not, or it is the root.
    pub(crate) fn without(&self, address: &str) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        match address.strip_prefix(&self.0)? {
            rest if rest.starts_with('/') => Some(rest.to_owned()),
            rest if rest.is_empty() || rest.starts_with('?') => Some(format!("/{rest}")),
            _ => None,
        }
    }
}

impl FromStr for BasePath {
    type Err = BadBasePath;

    fn from_str(text: &str) -> Result<Self, BadBasePath> {
        let path = text.trim().trim_end_matches('/');
        let is_plain = |segment: &str| {
            !segment.is_empty() && segment.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c))
        };
        let is_path =
            path.is_empty() || path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_plain));
        let goes_up = path.split('/').any(|segment| segment == "." || segment == "..");
        if is_path && !goes_up { Ok(Self(path.to_owned())) } else { Err(BadBasePath(text.to_owned())) }
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no base path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no path such as /links: it begins with a slash and has only letters, digits and - . _ ~ between slashes"
)]
pub struct BadBasePath(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_begin_with_it_or_do_not() {
        let base: BasePath = "/x/y".parse().unwrap();
        for (address, rest) in [
            ("/x/y", Some("/")),
            ("/x/y/", Some("/")),
            ("/x/y?a", Some("/?a")),
            ("/x/y/runs?a", Some("/runs?a")),
            ("/x/yes", None),
            ("/runs", None),
        ] {
            assert_eq!(base.without(address).as_deref(), rest, "{address}");
        }
        assert_eq!(BasePath::default().without("/runs"), None);
    }

    #[test]
    fn a_base_path_is_plain() {
        for (text, path) in [("", ""), ("/", ""), ("/links", "/links"), ("/x/y/", "/x/y")] {
            assert_eq!(text.parse::<BasePath>().unwrap().to_string(), path, "{text}");
        }
        for text in ["links", "//", "//evil.example", "/a//b", "/a/../b", "/a b", "/ä", "/{id}"] {
            assert!(text.parse::<BasePath>().is_err() || text == "//", "{text}");
        }
    }
}
