use std::path::Path;

use figment::Figment;
use figment::error::{Actual, Kind};
use figment::providers::Serialized;
use figment::value::Dict;
use linkbeat_store::DatabaseUrl;
use serde::Serialize;

use super::environment::{Environment, variables};
use super::secret::{is_secret, without_userinfo};
use super::source::{FLAG, File, Flags, line_in_file, origin};
use super::{BrokerAddress, Settings};
use crate::exit::Failure;
use crate::lang;

/// The file that is read when no `--config` is given and it exists.
const DEFAULT_FILE: &str = "linkbeat.toml";
/// What to do about a setting whose error has no advice of its own.
const ADVICE: &str = "correct it where it is set; docs/settings.md tells what each setting takes";

/// Merges defaults, file, environment and flags, and parses every value. `flags` has the shape of [`Settings`],
/// without what was not given.
///
/// # Errors
/// A value that cannot be used: the error names the setting and where its value comes from, and shows no password.
pub(crate) fn load(file: Option<&Path>, flags: &impl Serialize) -> Result<Settings, Failure> {
    let merged = merged(file, flags)?;
    merged.extract().map_err(|error| bad_setting(&merged, &error))
}

/// Variables that look like settings and are none, each with the one that may be meant.
pub(crate) fn unknown_variables() -> Vec<(String, Option<String>)> {
    let defaults = Figment::from(Serialized::defaults(Settings::default()));
    let known = defaults.extract().map(|shape: Dict| variables(&shape, "")).unwrap_or_default();
    let set = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let is_unknown = |name: &String| {
        name.starts_with("LINKBEAT_") && !name.starts_with("LINKBEAT_TEST_") && !known.contains(name)
    };
    let meant = |name: &str| {
        let short = name.trim_start_matches("LINKBEAT");
        let longer = known.iter().map(String::as_str).filter(|known| known.ends_with(short));
        longer
            .min_by_key(|known| known.len())
            .or_else(|| nearest(name, known.iter().map(String::as_str)))
            .map(str::to_owned)
    };
    set.filter(is_unknown).map(|name| (name.clone(), meant(&name))).collect()
}

/// The same before its values are parsed.
pub(super) fn merged(file: Option<&Path>, flags: &impl Serialize) -> Result<Figment, Failure> {
    let mut defaults = Settings::default();
    defaults.output.lang = lang::of_environment();
    let defaults = Figment::from(Serialized::defaults(defaults));
    let shape: Dict = defaults.extract().map_err(|error| bad_setting(&defaults, &error))?;
    let mut merged = defaults;
    if let Some(file) = file.or_else(|| Some(Path::new(DEFAULT_FILE)).filter(|file| file.exists())) {
        merged = merged.merge(File::read(file)?);
    }
    Ok(merged.merge(Environment::read(&shape)?).merge(Flags(flags)))
}

/// The first thing that is wrong with the settings.
pub(super) fn bad_setting(all: &Figment, error: &figment::Error) -> Failure {
    let setting = match &error.kind {
        Kind::UnknownField(field, _) if error.path.last() != Some(field) => {
            [error.path.clone(), vec![field.clone()]].concat().join(".")
        }
        _ => error.path.join("."),
    };
    let source = all.find_metadata(&setting).or(error.metadata.as_ref());
    let from = match origin(&setting, source) {
        from if from == FLAG => flag(&setting),
        from => match line_in_file(&setting, source) {
            Some(line) => format!("{from}:{line}"),
            None => from,
        },
    };
    let problem = problem(&setting, &error.kind);
    let failure =
        Failure::usage(format!("bad setting `{}` (from {from}): {problem}", without_userinfo(&setting)))
            .advise(advice(all, &setting));
    Failure { setting: Some(setting), ..failure }
}

/// What is wrong. A value of another type may be quoted, unless the setting is secret.
fn problem(setting: &str, kind: &Kind) -> String {
    match kind {
        Kind::UnknownField(name, expected) if nearest(name, expected.iter().copied()).is_some() => {
            let meant = nearest(name, expected.iter().copied()).unwrap_or_default();
            format!("there is no such setting; did you mean `{meant}`?")
        }
        Kind::UnknownField(_, expected) => format!("there is no such setting, only {}", expected.join(", ")),
        Kind::InvalidType(found, expected) if is_secret(setting) => {
            format!("{} was found, and {expected} was expected", type_of(found))
        }
        // The types of secret settings quote nothing in their errors.
        kind => without_userinfo(&kind.to_string()),
    }
}

/// The name that somebody most likely meant.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let alike = known.map(|known| (strsim::jaro_winkler(name, known), known));
    let best = alike.max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    Some(best).filter(|(alike, _)| *alike > 0.85).map(|(_, known)| known)
}

/// The flag of a setting.
fn flag(setting: &str) -> String {
    let mut names = setting.split('.').filter(|name| name.parse::<usize>().is_err());
    match names.next_back().unwrap_or_default() {
        "headers" => "--header".to_owned(),
        name => format!("--{}", name.replace('_', "-")),
    }
}

fn type_of(found: &Actual) -> &'static str {
    match found {
        Actual::Str(_) | Actual::Char(_) => "a text",
        Actual::Seq => "a list",
        Actual::Map => "a section",
        Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_) => "a number",
        _ => "another kind of value",
    }
}

/// What to do about a setting, in the words of its own type where it has some.
fn advice(all: &Figment, setting: &str) -> String {
    let value = || all.extract_inner::<String>(setting).ok();
    let own = match setting {
        "database_url" => {
            value().and_then(|text| text.parse::<DatabaseUrl>().err()).map(|error| error.advice())
        }
        "broker_url" => {
            value().and_then(|text| text.parse::<BrokerAddress>().err()).map(|error| error.advice())
        }
        _ => None,
    };
    own.unwrap_or(ADVICE).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[derive(Serialize)]
    struct NoFlags {}

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        #[derive(Serialize)]
        struct Flags {
            namespace: &'static str,
        }
        let file =
            file("namespace = 'of-file'\ndatabase_url = 'sqlite://of-file.db'\n[check]\ntimeout = '2s'\n");
        let settings = load(Some(file.path()), &Flags { namespace: "of-flag" }).unwrap();
        assert_eq!(settings.namespace.to_string(), "of-flag");
        assert_eq!(settings.database_url.to_string(), "sqlite://of-file.db");
        assert_eq!(settings.check.timeout.unwrap().as_millis(), 2_000);
        assert_eq!(settings.check.retries.unwrap().get(), 1);
    }

    #[test]
    fn mistakes_in_the_file_name_the_setting_and_the_file() {
        for (text, part) in [
            ("[check]\ntimeout = 'soon'", "check.timeout"),
            ("[check]\ntimeuot = '5s'", "check.timeuot"),
            ("[check]\n\ntimeuot = '5s'", ":3): there is no such setting; did you mean `timeout`?"),
            ("[output]\nformat = 'xls'", ":2): "),
            ("check.timeout = 'soon'", ":1): "),
            ("[chekc]\ntimeout = '5s'", ":1): there is no such setting; did you mean `check`?"),
            ("[check]\nzzz = 1", "only backlink, "),
            ("[check]\nbacklink = 'a(?=b)'", "look-around"),
            ("[output]\nformat = 'xls'", "xls"),
            ("nonsense", "expected"),
            ("namespace = 'Blog'", "`namespace`"),
            ("database_url = 7", "`database_url`"),
        ] {
            let file = file(text);
            let failure = load(Some(file.path()), &NoFlags {}).unwrap_err().to_string();
            assert!(failure.contains(part), "{text}: {failure}");
            assert!(failure.contains(&file.path().display().to_string()), "{text}: {failure}");
        }
        let failure = load(Some(Path::new("/no/such.toml")), &NoFlags {}).unwrap_err().to_string();
        assert!(failure.contains("/no/such.toml"), "{failure}");
    }

    #[test]
    fn a_bad_url_is_the_settings_error_and_has_its_types_advice() {
        let file = file("broker_url = 'amqp://a,amqps://b'");
        let failure = load(Some(file.path()), &NoFlags {}).unwrap_err();
        assert_eq!(failure.setting.as_deref(), Some("broker_url"));
        assert!(failure.problem.contains("one cluster"), "{failure}");
        assert!(failure.advice.unwrap().contains("the same virtual host"));
    }

    #[test]
    fn a_syntax_error_names_its_place_and_not_its_line() {
        for (text, place) in [
            ("namespace = 'a'\nbroker_url = amqp://me:secret@mq/", ":2:14: "),
            ("database_url = 'postgres://me:secret@db", ":1:"),
            ("[worker]\nheaders = ['X-Key: secret'", ":2:"),
            ("'secret' = 1\n'secret' = 2", ":2:1: "),
            ("[secret]\n[secret]", ":2:"),
            ("secret.a = 1\nsecret.a.b = 2", ":2:"),
            ("broker_url = \"amqp://me:se\\cret@mq\"", ":1:"),
        ] {
            let file = file(text);
            let failure = load(Some(file.path()), &NoFlags {}).unwrap_err().to_string();
            assert!(failure.contains(&format!("{}{place}", file.path().display())), "{text}: {failure}");
            assert!(!failure.contains("secret") && !failure.contains("cret@"), "{text}: {failure}");
        }
    }

    #[test]
    fn every_setting_is_documented() {
        fn paths(dict: &Dict, above: &str, found: &mut Vec<String>) {
            for (key, value) in dict {
                match value.as_dict() {
                    Some(section) => paths(section, &format!("{above}{key}."), found),
                    None => found.push(format!("{above}{key}")),
                }
            }
        }
        let mut settings = Vec::new();
        let dict = Figment::from(Serialized::defaults(Settings::default())).extract().unwrap();
        paths(&dict, "", &mut settings);
        assert!(settings.len() > 20, "{settings:?}");
        let docs = include_str!("../../../docs/settings.md");
        for setting in settings {
            assert!(docs.contains(&format!("| `{setting}` |")), "docs/settings.md lacks {setting}");
        }
    }
}
