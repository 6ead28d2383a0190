//! The environment as a source of settings: every setting has the variable of its path.

use std::ffi::OsString;

use figment::value::{Dict, Map, Value};
use figment::{Error, Metadata, Profile, Provider};

use crate::exit::Failure;

/// The prefix of every variable.
const PREFIX: &str = "LINKBEAT_";
/// What [`Metadata`] calls the environment.
pub(super) const NAME: &str = "environment variable";

/// The variable of a setting.
pub(super) fn variable(setting: &str) -> String {
    format!("{PREFIX}{}", setting.replace('.', "_").to_uppercase())
}

/// The variables of all settings.
pub(super) fn variables(defaults: &Dict, above: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (key, default) in defaults {
        let setting = format!("{above}{key}");
        match default.as_dict() {
            Some(inner) => found.extend(variables(inner, &format!("{setting}."))),
            None => found.push(variable(&setting)),
        }
    }
    found
}

/// What the variables say.
pub(super) struct Environment(Dict);

impl Environment {
    /// Reads the variables of all settings that `defaults` has.
    ///
    /// # Errors
    /// A variable that is not UTF-8.
    pub(super) fn read(defaults: &Dict) -> Result<Self, Failure> {
        Self::read_from(&|variable| std::env::var_os(variable), defaults)
    }

    fn read_from(lookup: &dyn Fn(&str) -> Option<OsString>, defaults: &Dict) -> Result<Self, Failure> {
        section(lookup, defaults, "").map(Self)
    }
}

/// The settings of a section that have a variable. `above` is the section's path.
fn section(lookup: &dyn Fn(&str) -> Option<OsString>, defaults: &Dict, above: &str) -> Result<Dict, Failure> {
    let mut found = Dict::new();
    for (key, default) in defaults {
        let setting = format!("{above}{key}");
        let value = match default {
            Value::Dict(_, inner) => {
                let inner = section(lookup, inner, &format!("{setting}."))?;
                (!inner.is_empty()).then(|| Value::from(inner))
            }
            default => text(lookup, &setting)?.map(|text| typed(&text, default)),
        };
        found.extend(value.map(|value| (key.clone(), value)));
    }
    Ok(found)
}

/// The text of a setting's variable. An error does not quote it: it may be a password.
fn text(lookup: &dyn Fn(&str) -> Option<OsString>, setting: &str) -> Result<Option<String>, Failure> {
    let variable = variable(setting);
    lookup(&variable).map(OsString::into_string).transpose().map_err(|_| Failure {
        setting: Some(setting.to_owned()),
        ..Failure::usage(format!("bad setting `{setting}` (from {variable}): the variable is not UTF-8 text"))
            .advise("set it to UTF-8 text; in a URL, percent-encode other bytes")
    })
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
        Metadata::named(NAME)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Map::from([(Profile::Default, self.0.clone())]))
    }
}

#[cfg(test)]
mod tests {
    use figment::Figment;
    use figment::providers::Serialized;

    use super::*;
    use crate::settings::Settings;
    use crate::settings::load::bad_setting;

    fn read(lookup: fn(&str) -> Option<OsString>) -> Result<Settings, Failure> {
        let defaults = Figment::from(Serialized::defaults(Settings::default()));
        let shape = defaults.extract::<Dict>().unwrap();
        let all = defaults.merge(Environment::read_from(&lookup, &shape)?);
        all.extract().map_err(|error| bad_setting(&all, &error))
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
            Some(text.into())
        })
        .unwrap();
        assert_eq!(settings.database_url.to_string(), "sqlite://other.db");
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

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_not_utf_8_is_named_and_not_quoted() {
        use std::os::unix::ffi::OsStringExt;
        let secret = || OsString::from_vec(b"amqp://me:secret\xff@mq/".to_vec());
        for setting in ["LINKBEAT_BROKER_URL", "LINKBEAT_CHECK_RETRIES", "LINKBEAT_WORKER_HEADERS"] {
            let defaults = Figment::from(Serialized::defaults(Settings::default()));
            let lookup = |name: &str| (name == setting).then(secret);
            let read = Environment::read_from(&lookup, &defaults.extract().unwrap());
            let error = read.err().unwrap().to_string();
            assert!(error.contains(setting) && error.contains("UTF-8"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
