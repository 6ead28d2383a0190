use std::path::Path;

use figment::Figment;
use figment::providers::{Format, Serialized, Toml};
use figment::value::Dict;
use serde::Serialize;

use super::Settings;
use super::environment::Environment;
use crate::exit::Failure;

/// The file that is read when no `--config` is given and it exists.
const DEFAULT_FILE: &str = "linkbeat.toml";

/// Merges defaults, file, environment and flags. `flags` has the shape of [`Settings`], with what was not
/// given left out.
pub(crate) fn load(file: Option<&Path>, flags: &impl Serialize) -> Result<Settings, Failure> {
    merged(file, flags)?.extract().map_err(|error| bad(&error))
}

/// The same before its values are read.
pub(super) fn merged(file: Option<&Path>, flags: &impl Serialize) -> Result<Figment, Failure> {
    let defaults = Figment::from(Serialized::defaults(Settings::default()));
    let shape: Dict = defaults.extract().map_err(|error| bad(&error))?;
    let mut figment = defaults;
    if let Some(file) = file.or_else(|| Some(Path::new(DEFAULT_FILE)).filter(|file| file.exists())) {
        if !file.is_file() {
            let file = file.display();
            return Err(Failure::usage(format!("the settings file {file} does not exist; see --config")));
        }
        figment = figment.merge(Toml::file_exact(file));
    }
    Ok(figment.merge(Environment::new(shape)).merge(Serialized::defaults(flags)))
}

/// Figment says which setting, and from which file or variable.
pub(super) fn bad(error: &figment::Error) -> Failure {
    let all: Vec<_> = error.clone().into_iter().map(|error| error.to_string()).collect();
    Failure::usage(format!("bad setting: {}", all.join("; ")))
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
        assert_eq!(settings.namespace, "of-flag");
        assert_eq!(settings.database_url, "sqlite://of-file.db");
        assert_eq!(settings.check.timeout.unwrap().as_millis(), 2_000);
        assert_eq!(settings.check.retries.unwrap().get(), 1);
    }

    #[test]
    fn mistakes_in_the_file_name_the_setting_and_the_file() {
        for (text, part) in [
            ("[check]\ntimeout = 'soon'", "check.timeout"),
            ("[check]\ntimeuot = '5s'", "timeuot"),
            ("[check]\nbacklink = 'a(?=b)'", "look-around"),
            ("[output]\nformat = 'xls'", "xls"),
            ("nonsense", "expected"),
        ] {
            let file = file(text);
            let Err(Failure::Usage(message)) = load(Some(file.path()), &NoFlags {}) else { panic!("{text}") };
            assert!(message.contains(part), "{text}: {message}");
        }
        let Err(Failure::Usage(message)) = load(Some(Path::new("/no/such.toml")), &NoFlags {}) else {
            panic!()
        };
        assert!(message.contains("/no/such.toml"), "{message}");
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
