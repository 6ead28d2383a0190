//! The options as fields of a message.

use std::sync::LazyLock;
use std::time::Duration;

use schemars::Schema;
use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::RequestOptions;
use crate::fields::{Fields, kind_of};

/// What the name of a length of time ends with.
const MILLISECONDS: &str = "_ms";

/// The options in messages: those of the schema.
pub(super) static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let schema = schemars::schema_for!(RequestOptions);
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().map(|(name, property)| Field::new(name, property, &schema)).collect()
});

/// One option, as messages have it.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    must_be: MustBe,
}

/// What a value must be.
#[derive(Debug)]
enum MustBe {
    Number { from: u64, to: u64 },
    Text,
    Texts,
    OneOf(Vec<String>),
}

impl Field {
    fn new(name: &str, property: &Value, schema: &Schema) -> Self {
        Self { name: name.to_owned(), must_be: MustBe::of(property, schema) }
    }

    /// The name of the option, if the field is a length of time.
    fn length(&self) -> Option<&str> {
        self.name.strip_suffix(MILLISECONDS)
    }

    /// The option that a value stands for, by its name. It is read once by itself: serde does not say which of several
    /// fields is wrong.
    fn read(&self, value: Value) -> Result<(&str, Value), String> {
        self.must_be.check(&value)?;
        let (key, value) = match self.length() {
            Some(key) => (key, format!("{value}ms").into()),
            None => (self.name.as_str(), value),
        };
        let alone = Map::from_iter([(key.to_owned(), value.clone())]);
        RequestOptions::deserialize(Value::Object(alone)).map_err(|error| error.to_string())?;
        Ok((key, value))
    }
}

impl MustBe {
    fn of(property: &Value, schema: &Schema) -> Self {
        let words = words(property, schema);
        if !words.is_empty() {
            return Self::OneOf(words);
        }
        let types = property["type"].to_string();
        if types.contains("array") {
            Self::Texts
        } else if types.contains("integer") {
            let widest = if property["format"] == "uint32" { u32::MAX.into() } else { u64::MAX };
            let from = property["minimum"].as_u64().unwrap_or(0);
            Self::Number { from, to: property["maximum"].as_u64().unwrap_or(widest) }
        } else {
            Self::Text
        }
    }

    fn check(&self, value: &Value) -> Result<(), String> {
        let fits = match (self, value) {
            (Self::Number { from, to }, Value::Number(number)) => {
                let within = number.as_u64().is_some_and(|number| (*from..=*to).contains(&number));
                return if within { Ok(()) } else { Err(self.whole_number()) };
            }
            (Self::OneOf(words), Value::String(text)) => {
                let known = words.contains(text);
                return if known { Ok(()) } else { Err(format!("must be {}", alternatives(words))) };
            }
            (Self::Text, Value::String(_)) => true,
            (Self::Texts, Value::Array(items)) => items.iter().all(Value::is_string),
            _ => false,
        };
        if fits { Ok(()) } else { Err(format!("must be {}, not {}", self.kind(), kind_of(value))) }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Number { .. } => "a number",
            Self::Text | Self::OneOf(_) => "a string",
            Self::Texts => "an array of strings",
        }
    }

    fn whole_number(&self) -> String {
        match self {
            Self::Number { from, to: u64::MAX } => format!("must be a whole number, {from} or more"),
            Self::Number { from, to } => format!("must be a whole number from {from} to {to}"),
            Self::Text | Self::Texts | Self::OneOf(_) => format!("must be {}", self.kind()),
        }
    }
}

/// The words among which a property lets choose. They stand in a definition of the schema.
fn words(property: &Value, schema: &Schema) -> Vec<String> {
    let refers =
        |part: &Value| part["$ref"].as_str().and_then(|to| to.strip_prefix("#/$defs/")).map(str::to_owned);
    let parts = property["anyOf"].as_array().into_iter().flatten();
    let Some(name) = parts.chain([property]).find_map(refers) else { return Vec::new() };
    let definition = schema.get("$defs").map(|definitions| &definitions[name]);
    let choices = definition.and_then(|definition| definition["oneOf"].as_array()).into_iter().flatten();
    choices.filter_map(|choice| choice["const"].as_str().map(str::to_owned)).collect()
}

fn alternatives(words: &[String]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or ")
}

/// For `#[serde(flatten, serialize_with)]`: writes what was said.
pub(crate) fn serialize<S: Serializer>(options: &RequestOptions, to: S) -> Result<S::Ok, S::Error> {
    let said = serde_json::to_value(options).map_err(S::Error::custom)?;
    let mut fields = Map::new();
    for field in FIELDS.iter() {
        let length = field.length();
        match (&said[length.unwrap_or(&field.name)], length) {
            (Value::Null, _) => {}
            (Value::String(text), Some(_)) => {
                let length = humantime::parse_duration(text).map_err(S::Error::custom)?;
                fields.insert(field.name.clone(), milliseconds(length).into());
            }
            (value, _) => {
                fields.insert(field.name.clone(), value.clone());
            }
        }
    }
    fields.serialize(to)
}

/// Takes what is said from the fields of a message. What is wrong names the field.
pub(crate) fn take(fields: &mut Fields) -> Result<RequestOptions, String> {
    let mut said = Map::new();
    for field in FIELDS.iter() {
        let Some(value) = fields.value(&field.name) else { continue };
        let (key, value) = field.read(value).map_err(|error| format!("{}: {error}", field.name))?;
        said.insert(key.to_owned(), value);
    }
    RequestOptions::deserialize(Value::Object(said)).map_err(|error| error.to_string())
}

fn milliseconds(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
