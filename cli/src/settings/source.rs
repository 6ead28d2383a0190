//! The sources of settings that are not the environment: the settings file and the flags.

use std::path::{Path, PathBuf};

use figment::providers::Serialized;
use figment::value::{Dict, Map};
use figment::{Error, Metadata, Profile, Provider};
use serde::Serialize;

use crate::exit::Failure;

/// What [`Metadata`] calls the flags.
pub(super) const FLAG: &str = "flag";

/// A settings file, read and parsed.
pub(super) struct File {
    path: PathBuf,
    settings: Dict,
}

impl File {
    /// Reads a file. Errors name the place and never quote the line, which may hold a password.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        if !path.is_file() {
            let problem = format!("the settings file {shown} does not exist");
            return Err(Failure::usage(problem).advise("see --config"));
        }
        let bytes = std::fs::read(path)
            .map_err(|error| Failure::usage(format!("the settings file {shown} cannot be read: {error}")))?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Failure::usage(format!("the settings file {shown} is not UTF-8 text")))?;
        let settings = toml::from_str(&text).map_err(|error| syntax_error(path, &text, &error))?;
        Ok(Self { path: path.to_owned(), settings })
    }
}

fn syntax_error(path: &Path, text: &str, error: &toml::de::Error) -> Failure {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    // The message quotes a key that stands there twice, and a password may be mistaken for a key.
    let problem = match error.message() {
        message if message.starts_with("duplicate key") => "a key stands there twice",
        message => message.lines().next().unwrap_or_default(),
    };
    let place = path.display();
    Failure::usage(format!("bad settings file: {place}:{line}:{column}: {}", without_quotes(problem)))
        .advise("correct it there; the line is not shown, as it may hold a password")
}

/// Without what stands in backticks, unless it is one character of TOML's grammar.
fn without_quotes(problem: &str) -> String {
    let parts = problem.split('`').enumerate();
    let shown = parts.map(|(n, part)| if n % 2 == 1 && part.chars().count() > 3 { "…" } else { part });
    shown.collect::<Vec<_>>().join("`")
}

impl Provider for File {
    fn metadata(&self) -> Metadata {
        Metadata::from("settings file", self.path.as_path())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Map::from([(Profile::Default, self.settings.clone())]))
    }
}

/// The flags of one command, in the shape of [`super::Settings`].
pub(super) struct Flags<'a, T>(pub(super) &'a T);

impl<T: Serialize> Provider for Flags<'_, T> {
    fn metadata(&self) -> Metadata {
        Metadata::named(FLAG)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Serialized::defaults(self.0).data()
    }
}

/// The line of the settings file in which a setting stands. Its values have no places by now, so its name is looked for.
pub(super) fn line_in_file(setting: &str, source: Option<&Metadata>) -> Option<usize> {
    let file = source?.source.as_ref()?.file_path()?;
    let text = std::fs::read_to_string(file).ok()?;
    let mut section = String::new();
    let is_meant =
        |name: &str| setting.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    text.lines().zip(1..).find_map(|(line, number)| {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
            section = format!("{}.", name.trim());
            return (name.trim() == setting).then_some(number);
        }
        let (key, _) = line.split_once('=')?;
        is_meant(&format!("{section}{}", key.trim())).then_some(number)
    })
}

/// Where the value of a setting comes from: `flag`, the variable, the file, or `default`.
pub(super) fn origin(setting: &str, source: Option<&Metadata>) -> String {
    let Some(source) = source else { return "default".to_owned() };
    match source.source.as_ref().and_then(|source| source.file_path()) {
        Some(file) => file.display().to_string(),
        None if source.name == super::environment::NAME => super::environment::variable(setting),
        None if source.name == FLAG => FLAG.to_owned(),
        None => "default".to_owned(),
    }
}
