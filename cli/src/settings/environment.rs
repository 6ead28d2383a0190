//! The environment as a source of settings: every setting has the variable of its path.

use figment::value::{Dict, Map, Value};
use figment::{Error, Metadata, Profile, Provider};

/// The prefix of every variable.
pub(super) const PREFIX: &str = "LINKBEAT_";
/// How errors call a variable.
pub(super) const NAME: &str = "environment variable";

/// Reads the variables of all settings that `defaults` has.
pub(super) struct Environment {
    defaults: Dict,
    lookup: fn(&str) -> Option<String>,
}

impl Environment {
    pub(super) fn new(defaults: Dict) -> Self {
        Self { defaults, lookup: |name| std::env::var(name).ok() }
    }

    /// The settings below `path` that have a variable.
    fn read(&self, defaults: &Dict, path: &str) -> Dict {
        let mut found = Dict::new();
        for (key, default) in defaults {
            let variable = format!("{path}{}", key.to_uppercase());
            let value = match default {
                Value::Dict(_, section) => {
                    let section = self.read(section, &format!("{variable}_"));
                    if section.is_empty() { None } else { Some(Value::from(section)) }
                }
                default => (self.lookup)(&variable).map(|text| typed(&text, default)),
            };
            if let Some(value) = value {
                found.insert(key.clone(), value);
            }
        }
        found
    }
}

/// A variable's text takes the type that its setting's default has: `200` is a text for `accept`.
fn typed(text: &str, default: &Value) -> Value {
    match default {
        Value::Num(..) | Value::Bool(..) => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
        Value::Array(..) => Value::from(
            text.split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(str::to_owned)
                .collect::<Vec<_>>(),
        ),
        _ => Value::from(text),
    }
}

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named(NAME).interpolater(|_, keys| format!("{PREFIX}{}", keys.join("_").to_uppercase()))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Map::from([(Profile::Default, self.read(&self.defaults, PREFIX))]))
    }
}

#[cfg(test)]
mod tests {
    use figment::Figment;
    use figment::providers::Serialized;

    use super::*;
    use crate::settings::Settings;

    fn read(lookup: fn(&str) -> Option<String>) -> Result<Settings, Box<Error>> {
        let defaults = Figment::from(Serialized::defaults(Settings::default()));
        let dict = defaults.extract::<Dict>().unwrap();
        defaults.merge(Environment { defaults: dict, lookup }).extract().map_err(Box::new)
    }

    #[test]
    fn every_setting_has_the_variable_of_its_path() {
        let settings = read(|name| {
            let text = match name {
                "LINKBEAT_DATABASE_URL" => "sqlite://other.db",
                "LINKBEAT_BROKER_CA" => "/etc/linkbeat/ca.pem",
                "LINKBEAT_CHECK_TIMEOUT" => "3s",
                "LINKBEAT_CHECK_ACCEPT" => "200",
                "LINKBEAT_CHECK_RECHECK_AFTER" => "10m",
                "LINKBEAT_CHECK_BACKLINK" => "42",
                "LINKBEAT_CHECK_WHITE_LIST" => "my own, 7",
                "LINKBEAT_CHECK_RETRIES" => "4",
                "LINKBEAT_WORKER_PER_HOST" => "3",
                _ => return None,
            };
            Some(text.to_owned())
        })
        .unwrap();
        assert_eq!(settings.database_url, "sqlite://other.db");
        assert_eq!(settings.broker_tls().ca.unwrap().to_str(), Some("/etc/linkbeat/ca.pem"));
        assert_eq!(settings.check.timeout.unwrap().as_millis(), 3_000);
        assert_eq!(settings.check.accept.unwrap().to_string(), "200");
        assert_eq!(settings.check.recheck_after.unwrap().as_millis(), 600_000);
        assert_eq!(settings.check.backlink.unwrap().as_str(), "42");
        assert_eq!(settings.check.white_list, ["my own", "7"]);
        assert_eq!((settings.check.retries.unwrap().get(), settings.worker.per_host), (4, 3));
    }

    #[test]
    fn a_bad_value_names_its_variable() {
        let error = read(|name| (name == "LINKBEAT_CHECK_HIDE_AFTER").then(|| "0".into())).unwrap_err();
        assert!(error.to_string().contains("LINKBEAT_CHECK_HIDE_AFTER"), "{error}");
    }
}
