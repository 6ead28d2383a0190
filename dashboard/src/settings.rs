use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::str::FromStr;

use axum::http::Uri;
use ipnet::IpNet;
use linkbeat_shared::as_text;
use linkbeat_shared::history::Keep;
use serde::{Deserialize, Serialize};

use crate::access::{HostName, PasswordHash, TrustedOrigin};

/// The port that is taken unless another one is named.
const PORT: u16 = 8080;

/// How long a login lasts, in days.
const SESSION_DAYS: u32 = 7;

/// Connections at once.
const CONNECTIONS: NonZeroU32 = NonZeroU32::new(1_024).unwrap();

/// What the operator of a dashboard decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DashboardSettings {
    /// Where it is served.
    pub listen: SocketAddr,
    /// The path under which a proxy serves it.
    #[serde(with = "as_text")]
    pub base_path: BasePath,
    /// The hash of the password. Whoever knows the password may do everything.
    #[serde(with = "as_text::optional")]
    pub password_hash: Option<PasswordHash>,
    /// Whether everybody may look.
    pub open_read: bool,
    /// Whether everybody may have the feeds and badges.
    pub public_feeds: bool,
    /// Names under which the dashboard may be asked where it has no password; those of this machine always may.
    #[serde(with = "texts")]
    pub hosts: Vec<HostName>,
    /// Origins whose pages may send forms here, besides the dashboard's own.
    #[serde(with = "texts")]
    pub trusted_origins: Vec<TrustedOrigin>,
    /// Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How long a login lasts.
    #[serde(with = "as_text")]
    pub sessions: Keep,
    /// The most connections at once.
    pub connections: NonZeroU32,
}

impl Default for DashboardSettings {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, PORT).into(),
            base_path: BasePath::default(),
            password_hash: None,
            open_read: false,
            public_feeds: false,
            hosts: Vec::new(),
            trusted_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            sessions: Keep::days(SESSION_DAYS),
            connections: CONNECTIONS,
        }
    }
}

/// How paths of our own begin.
const OURS: [&str; 14] = [
    "api",
    "assets",
    "changes",
    "feed",
    "links",
    "live",
    "login",
    "logout",
    "parked",
    "preferences",
    "runs",
    "schedules",
    "settings",
    "workers",
];

/// A path such as `/links`, without a slash at its end. That of the root is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct BasePath(String);

impl BasePath {
    /// The path of a page, such as `/links/runs` for `/runs`.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// Whether a path of our own begins like this one, as `/links` does: then one path may mean two pages.
    pub(crate) fn looks_like_ours(&self) -> bool {
        self.0.split('/').nth(1).is_some_and(|first| OURS.contains(&first))
    }

    /// The other way round: `/runs` for `/links/runs`. `None`: it lies elsewhere.
    pub(crate) fn inside(&self, uri: &Uri) -> Option<Uri> {
        let inside = match uri.path_and_query()?.as_str().strip_prefix(self.0.as_str())? {
            inside if inside.starts_with('/') => inside.to_owned(),
            query if query.is_empty() || query.starts_with('?') => format!("/{query}"),
            _ => return None,
        };
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(inside.parse().ok()?);
        Uri::from_parts(parts).ok()
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

/// Texts that are parsed one by one.
mod texts {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<T: Display, S: Serializer>(values: &[T], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(values.iter().map(ToString::to_string))
    }

    pub(super) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<T>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
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
    fn what_lies_below_a_base_path_is_inside() {
        let base: BasePath = "/x/y".parse().unwrap();
        for (uri, inside) in [
            ("/x/y", Some("/")),
            ("/x/y/", Some("/")),
            ("/x/y?a=b", Some("/?a=b")),
            ("/x/y/links?a=b", Some("/links?a=b")),
            ("http://a.example:1/x/y/links", Some("http://a.example:1/links")),
            ("/x/yz", None),
            ("/x", None),
            ("/", None),
        ] {
            let uri: Uri = uri.parse().unwrap();
            assert_eq!(base.inside(&uri).map(|uri| uri.to_string()).as_deref(), inside, "{uri}");
            assert_eq!(BasePath::default().inside(&uri), Some(uri.clone()));
        }
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
