//! Where Redis is: the URL that apps give as their `result_backend`.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

/// A Redis server and one of its databases. As text and in `Debug` it leaves user and password out.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisAddress {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Option<Tls>,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) database: u32,
}

/// How the server is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tls {
    /// PEM file of the only authorities that are trusted, instead of the system's.
    pub(super) authorities: Option<PathBuf>,
}

impl RedisAddress {
    /// Reads `redis://` or `rediss://`. An error quotes nothing.
    pub(in super::super) fn parse(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text).map_err(|_| "the URL of Redis is not valid")?;
        let host = match url.host() {
            None => "localhost".to_owned(),
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
        };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
        let not_utf8 = |_| "user and password of Redis must be UTF-8";
        let user = decoded(url.username()).map_err(not_utf8)?;
        let password = url.password().map(decoded).transpose().map_err(not_utf8)?;
        let database = match url.path().trim_matches('/') {
            "" => 0,
            number => {
                number.parse().map_err(|_| "the path in the URL of Redis must be the number of a database")?
            }
        };
        let mut tls = Tls { authorities: None };
        for (name, value) in url.query_pairs() {
            match (&*name, &*value) {
                ("ssl_ca_certs", file) => tls.authorities = Some(file.into()),
                ("ssl_cert_reqs", "none" | "CERT_NONE") => {
                    return Err(
                        "linkbeat always verifies Redis: name its authority with ssl_ca_certs instead of \
                                ssl_cert_reqs=none",
                    );
                }
                ("ssl_cert_reqs", _) => {}
                _ => return Err("in the URL of Redis linkbeat knows ssl_ca_certs and ssl_cert_reqs alone"),
            }
        }
        let tls = Some(tls).filter(|_| url.scheme() == "rediss");
        let user = Some(user).filter(|user| !user.is_empty());
        Ok(Self { host, port: url.port().unwrap_or(6379), tls, user, password, database })
    }
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls.is_some() { "rediss" } else { "redis" };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        write!(f, "{scheme}://{host}:{}/{}", self.port, self.database)
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisAddress({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_urls_of_apps_are_read_and_shown_without_secrets() {
        for (text, shown, password) in [
            ("redis://", "redis://localhost:6379/0", None),
            ("redis://:p%40ss@cache:6380/3", "redis://cache:6380/3", Some("p@ss")),
            (
                "rediss://me:secret@[::1]/?ssl_cert_reqs=required&ssl_ca_certs=/ca.pem",
                "rediss://[::1]:6379/0",
                Some("secret"),
            ),
        ] {
            let address = RedisAddress::parse(text).unwrap();
            assert_eq!(
                (address.to_string().as_str(), address.password.as_deref()),
                (shown, password),
                "{text}"
            );
            assert!(!format!("{address:?}").contains("secret"));
        }
        assert_eq!(
            RedisAddress::parse("rediss://a/?ssl_ca_certs=/ca").unwrap().tls.unwrap().authorities,
            Some("/ca".into())
        );
        for bad in ["redis://a/b", "redis://a/?x=1", "rediss://a/?ssl_cert_reqs=none", "redis://a:b:c"] {
            assert!(RedisAddress::parse(bad).is_err(), "{bad}");
        }
    }
}
