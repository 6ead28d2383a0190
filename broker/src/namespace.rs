//! The prefix of every name.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

const NAMESPACE_MAX: usize = 64;

/// Prefixes every queue and exchange, such as `linkbeat` in `linkbeat.jobs`: 1 to 64 of `a-z 0-9 _ . -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Namespace(String);

/// One namespace, or several separated by commas, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Namespaces {
    first: Namespace,
    others: Vec<Namespace>,
}

impl Namespaces {
    /// All of them, at least one.
    pub fn all(&self) -> impl Iterator<Item = &Namespace> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The only one, if there is only one.
    pub fn only(&self) -> Option<&Namespace> {
        self.others.is_empty().then_some(&self.first)
    }
}

impl FromStr for Namespaces {
    type Err = BadNamespace;

    fn from_str(text: &str) -> Result<Self, BadNamespace> {
        let mut all = text.split(',').map(|name| name.trim().parse::<Namespace>());
        let first = all.next().unwrap_or(Err(BadNamespace::Form))?;
        let others = all.collect::<Result<Vec<_>, _>>()?;
        let named: HashSet<&Namespace> = std::iter::once(&first).chain(&others).collect();
        if named.len() <= others.len() {
            return Err(BadNamespace::Twice);
        }
        Ok(Self { first, others })
    }
}

impl fmt::Display for Namespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        self.others.iter().try_for_each(|namespace| write!(f, ",{namespace}"))
    }
}

/// Why a text is not a [`Namespace`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadNamespace {
    /// Empty, too long, or another character.
    #[error("a namespace is 1 to {NAMESPACE_MAX} of the characters a-z 0-9 _ . -")]
    Form,
    /// RabbitMQ keeps these names for itself.
    #[error("names that begin with `amq.` belong to RabbitMQ")]
    Reserved,
    /// Of several, one is named twice.
    #[error("a namespace is named twice")]
    Twice,
}

impl Default for Namespace {
    fn default() -> Self {
        Self("linkbeat".to_owned())
    }
}

impl FromStr for Namespace {
    type Err = BadNamespace;

    fn from_str(text: &str) -> Result<Self, BadNamespace> {
        let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"_.-".contains(&c);
        if !(1..=NAMESPACE_MAX).contains(&text.len()) || !text.bytes().all(allowed) {
            return Err(BadNamespace::Form);
        }
        if text == "amq" || text.starts_with("amq.") {
            return Err(BadNamespace::Reserved);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_short_and_plain() {
        for text in ["", "Blog", "a b", "ä", "a/b", &"x".repeat(65)] {
            assert_eq!(text.parse::<Namespace>(), Err(BadNamespace::Form), "{text}");
        }
        for text in ["amq", "amq.x"] {
            assert_eq!(text.parse::<Namespace>(), Err(BadNamespace::Reserved), "{text}");
        }
        assert!("x".repeat(64).parse::<Namespace>().is_ok());
        assert!("amqp".parse::<Namespace>().is_ok());
    }

    #[test]
    fn several_namespaces_are_separated_by_commas() {
        let all = |text: &str| text.parse::<Namespaces>().map(|several| several.to_string());
        assert_eq!(all("blog"), Ok("blog".to_owned()));
        assert_eq!(all("blog, shop"), Ok("blog,shop".to_owned()));
        assert_eq!(all("blog,shop,blog"), Err(BadNamespace::Twice));
        for text in ["", "blog,", ",", "blog,Shop"] {
            assert_eq!(all(text), Err(BadNamespace::Form), "{text}");
        }
        let several: Namespaces = "blog,shop".parse().unwrap();
        assert_eq!((several.only(), several.all().count()), (None, 2));
    }
}
