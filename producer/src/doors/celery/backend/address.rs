//! The setting that says where results go.

use std::fmt;
use std::str::FromStr;

/// Where results go. As text and in `Debug` it leaves passwords out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackendAddress {
    /// `rpc://`: to the process that sent the task.
    Rpc,
    /// `disabled://`: nowhere.
    Disabled,
}

/// A backend that linkbeat cannot serve, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; linkbeat serves rpc:// and disabled://")]
pub struct BadBackend(String);

impl FromStr for BackendAddress {
    type Err = BadBackend;

    fn from_str(text: &str) -> Result<Self, BadBackend> {
        let scheme = text.split(':').next().unwrap_or_default().to_ascii_lowercase();
        let why = match scheme.as_str() {
            "rpc" => return Ok(Self::Rpc),
            "disabled" | "" => return Ok(Self::Disabled),
            "database" | "db" => PICKLED,
            scheme if scheme.starts_with("db+") || scheme.starts_with("sqla+") => PICKLED,
            "amqp" => "Celery itself no longer has the backend amqp://",
            "django-cache" => "the backend django-cache keeps its results as Python pickles",
            _ => "this is no backend that linkbeat can write to",
        };
        Err(BadBackend(why.to_owned()))
    }
}

const PICKLED: &str =
    "the backend db+… keeps its results as Python pickles, which only Python can write safely";

impl fmt::Display for BackendAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rpc => f.write_str("rpc://"),
            Self::Disabled => f.write_str("disabled://"),
        }
    }
}
