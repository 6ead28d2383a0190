//! Each setting with its value and where that comes from, for people. Secrets are not shown.

use std::path::Path;

use figment::value::{Dict, Value};
use linkbeat_broker::BrokerUrls;
use linkbeat_producer::BackendAddress;
use linkbeat_store::DatabaseUrl;
use linkbeat_worker::ProxyUrl;
use serde::Serialize;

use super::BrokerAddress;
use super::load::{bad_setting, merged};
use super::secret::{HIDDEN, is_secret, without_userinfo};
use super::source::origin;
use crate::exit::Failure;

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Origin {
    /// Its path, such as `check.timeout`.
    pub(crate) name: String,
    /// Its value, as far as it may be shown.
    pub(crate) value: String,
    /// `flag`, `default`, the variable, or the file.
    pub(crate) from: String,
}

impl Origin {
    /// Nobody has set it.
    pub(crate) fn is_default(&self) -> bool {
        self.from == "default"
    }
}

/// All settings in the order of their paths. The parameters are those of [`super::load`].
pub(crate) fn origins(file: Option<&Path>, flags: &impl Serialize) -> Result<Vec<Origin>, Failure> {
    let all = merged(file, flags)?;
    let settings = all.extract::<Dict>().map_err(|error| bad_setting(&all, &error))?;
    let mut found = Vec::new();
    collect(&settings, "", &mut |name, value| {
        found.push(Origin {
            value: shown(&name, value),
            from: origin(&name, all.find_metadata(&name)),
            name,
        });
    });
    Ok(found)
}

fn collect(dict: &Dict, above: &str, each: &mut impl FnMut(String, &Value)) {
    for (key, value) in dict {
        match value.as_dict() {
            Some(section) => collect(section, &format!("{above}{key}."), each),
            None => each(format!("{above}{key}"), value),
        }
    }
}

fn shown(name: &str, value: &Value) -> String {
    match (name, value) {
        ("broker_url", Value::String(_, text)) => redacted::<BrokerAddress>(text),
        ("celery.broker_url", Value::String(_, text)) => redacted::<BrokerUrls>(text),
        ("celery.backend", Value::String(_, text)) => redacted::<BackendAddress>(text),
        ("database_url" | "celery.database_url", Value::String(_, text)) => redacted::<DatabaseUrl>(text),
        ("worker.proxy", Value::String(_, text)) => redacted::<ProxyUrl>(text),
        // A header may well be an API key.
        ("worker.headers", Value::Array(_, headers)) => {
            let name = |header: &Value| header.as_str()?.split_once(':').map(|(name, _)| name.to_owned());
            let names = headers.iter().map(|header| name(header).unwrap_or_default() + ": " + HIDDEN);
            names.collect::<Vec<_>>().join(", ")
        }
        // What should not stand there may still be a secret.
        (name, value) if is_secret(name) && !matches!(value, Value::Empty(..)) => HIDDEN.to_owned(),
        (_, Value::Array(_, items)) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        (_, value) => plain(value),
    }
}

/// The text of a URL whose type leaves secrets out.
fn redacted<Url: std::str::FromStr + ToString>(text: &str) -> String {
    text.trim().parse::<Url>().map_or_else(|_| HIDDEN.to_owned(), |url| url.to_string())
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(_, text) => without_userinfo(text),
        Value::Empty(..) => String::new(),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Flags {
        namespace: &'static str,
    }

    #[test]
    fn each_setting_says_where_it_comes_from_and_keeps_its_secrets() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "database_url = 'postgres://me:secret@db/links?password=secret'\n\
                    broker_url = 'amqps://me:secret@a, amqps://me:secret@b:1/'\n\
                    [worker]\nheaders = ['X-Key: secret']\nproxy = 'http://me:secret@proxy:3128'\n\
                    allow_network = ['10.0.0.0/8', '127.0.0.0/8']\n";
        std::fs::write(file.path(), text).unwrap();
        let found = origins(Some(file.path()), &Flags { namespace: "of-flag" }).unwrap();
        let value = |name: &str| found.iter().find(|origin| origin.name == name).unwrap();
        let path = file.path().display().to_string();
        for (name, shown, from) in [
            ("namespace", "of-flag", "flag"),
            ("database_url", "postgres://me@db/links", path.as_str()),
            ("broker_url", "amqps://a:5671/,amqps://b:1/", &path),
            ("worker.headers", "X-Key: (not shown)", &path),
            ("worker.proxy", "http://proxy:3128", &path),
            ("worker.allow_network", "10.0.0.0/8, 127.0.0.0/8", &path),
            ("worker.per_host", "8", "default"),
            ("check.backlink", "", "default"),
        ] {
            assert_eq!((value(name).value.as_str(), value(name).from.as_str()), (shown, from), "{name}");
        }
        assert!(!format!("{found:?}").contains("secret"));
    }

    #[test]
    fn what_cannot_be_read_as_a_url_is_not_shown_at_all() {
        let text = Value::from("me:secret@host");
        for name in ["broker_url", "database_url", "worker.proxy"] {
            assert_eq!(shown(name, &text), HIDDEN);
        }
    }
}
