//! The setting that says where results go.

use std::fmt;
use std::str::FromStr;

use super::RedisAddress;

/// Where results go. As text and in `Debug` it leaves user names and passwords out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackendAddress {
    /// `rpc://`: to the process that sent the task.
    Rpc,
    /// `redis://` or `rediss://`.
    Redis(RedisAddress),
    /// `django-db`: the table of django-celery-results.
    Django,
    /// `disabled://`: nowhere.
    Disabled,
}

/// A backend that linkbeat cannot serve, and why. It quotes nothing: a password may stand there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}. linkbeat serves rpc://, redis://, rediss://, django-db and disabled://")]
pub struct BadBackend(&'static str);

impl FromStr for BackendAddress {
    type Err = BadBackend;

    fn from_str(text: &str) -> Result<Self, BadBackend> {
        let scheme = text.split(':').next().unwrap_or_default();
        Err(BadBackend(match scheme {
            "rpc" => return Ok(Self::Rpc),
            "redis" | "rediss" => return RedisAddress::parse(text).map(Self::Redis).map_err(BadBackend),
            "django-db" => return Ok(Self::Django),
            "disabled" => return Ok(Self::Disabled),
            "db" | "database" => DATABASE,
            scheme if scheme.starts_with("db+") || scheme.starts_with("sqla+") => DATABASE,
            "django-cache" => "the backend django-cache keeps its results as Python pickles",
            "sentinel" => "linkbeat does not speak to Redis Sentinel: name the server itself with redis://",
            "amqp" => "Celery itself no longer has the backend amqp://",
            _ => "this is no backend that linkbeat can write to",
        }))
    }
}

const DATABASE: &str = "the backend db+… keeps its results as Python pickles, which only Python can write";

impl fmt::Display for BackendAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rpc => f.write_str("rpc://"),
            Self::Redis(address) => address.fmt(f),
            Self::Django => f.write_str("django-db"),
            Self::Disabled => f.write_str("disabled://"),
        }
    }
}
