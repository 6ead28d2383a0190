//! Values of the types in [`crate::schema::sql`], in Rust and in both databases.

use std::io::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{Array, Binary, Text, Timestamptz};
use diesel::sqlite::{Sqlite, SqliteValue};
use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

use crate::error::Fault;
use crate::schema::sql;

/// The id of a link, a run, a job or a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, AsExpression, FromSqlRow)]
#[diesel(sql_type = sql::Id)]
pub(crate) struct Id(pub(crate) Uuid);

/// The ids of a job's links.
#[derive(Debug, Clone, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = sql::Ids)]
pub(crate) struct Ids(pub(crate) Vec<Uuid>);

/// A moment, to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, AsExpression, FromSqlRow)]
#[diesel(sql_type = sql::Moment)]
pub(crate) struct Moment(pub(crate) DateTime<Utc>);

impl Moment {
    /// By the clock of this process.
    pub(crate) fn now() -> Self {
        Self(Utc::now())
    }

    /// As SQLite keeps it: its texts sort by time.
    fn text(self) -> String {
        self.0.to_rfc3339_opts(SecondsFormat::Micros, true)
    }
}

/// A reason or details, as the text of a JSON document. It has no U+0000, which PostgreSQL keeps in no document: nobody's
/// message may fail a batch for that.
#[derive(Debug, Clone, Eq, Serialize, AsExpression, FromSqlRow)]
#[diesel(sql_type = sql::Document)]
pub(crate) struct Document(Box<str>);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.text())
    }
}

/// Values as SQLite takes many at once: see its table-valued function `json_each`.
pub(crate) fn json(values: &(impl Serialize + ?Sized)) -> String {
    #[expect(clippy::expect_used, reason = "plain structs with string keys always serialize")]
    serde_json::to_string(values).expect("plain values serialize")
}

impl Document {
    /// As it is stored.
    pub(crate) fn of(value: &impl Serialize) -> Self {
        let text = json(value);
        // This is how U+0000 is written. The same characters may also follow an escaped backslash.
        let text = if text.contains("\\u0000") { without_nul(value) } else { text };
        Self(text.into_boxed_str())
    }

    /// The text of one of its fields.
    pub(crate) fn text_of(&self, field: &str) -> Option<String> {
        let document: Value = serde_json::from_str(&self.0).ok()?;
        document.get(field)?.as_str().map(str::to_owned)
    }

    /// What was stored; `what` names it.
    pub(crate) fn read<T: DeserializeOwned>(&self, what: &str) -> Result<T, Fault> {
        serde_json::from_str(&self.0).map_err(|error| Fault::Corrupt(format!("{what}: {error}")))
    }
}

/// PostgreSQL writes the fields in an order of its own.
impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        let read = |document: &Self| serde_json::from_str::<Value>(&document.0).ok();
        self.0 == other.0 || read(self).is_some_and(|document| Some(document) == read(other))
    }
}

fn without_nul(value: &impl Serialize) -> String {
    #[expect(clippy::expect_used, reason = "plain structs with string keys always serialize")]
    let mut document = serde_json::to_value(value).expect("plain values serialize");
    drop_nul(&mut document);
    document.to_string()
}

fn drop_nul(document: &mut Value) {
    match document {
        Value::String(text) => text.retain(|c| c != '\0'),
        Value::Array(items) => items.iter_mut().for_each(drop_nul),
        Value::Object(fields) => fields.values_mut().for_each(drop_nul),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl ToSql<sql::Id, Pg> for Id {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<diesel::sql_types::Uuid, Pg>::to_sql(&self.0, out)
    }
}

impl FromSql<sql::Id, Pg> for Id {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        FromSql::<diesel::sql_types::Uuid, Pg>::from_sql(value).map(Self)
    }
}

impl ToSql<sql::Id, Sqlite> for Id {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.as_bytes().to_vec());
        Ok(IsNull::No)
    }
}

impl FromSql<sql::Id, Sqlite> for Id {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(Uuid::from_slice(&blob(value)?)?))
    }
}

impl ToSql<sql::Ids, Pg> for Ids {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<Array<diesel::sql_types::Uuid>, Pg>::to_sql(&self.0, out)
    }
}

impl FromSql<sql::Ids, Pg> for Ids {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        FromSql::<Array<diesel::sql_types::Uuid>, Pg>::from_sql(value).map(Self)
    }
}

impl ToSql<sql::Ids, Sqlite> for Ids {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.iter().flat_map(|id| *id.as_bytes()).collect::<Vec<u8>>());
        Ok(IsNull::No)
    }
}

impl FromSql<sql::Ids, Sqlite> for Ids {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        let ids = blob(value)?;
        let ids = ids.chunks(size_of::<Uuid>()).map(Uuid::from_slice);
        Ok(Self(ids.collect::<Result<_, _>>()?))
    }
}

impl ToSql<sql::Moment, Pg> for Moment {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<Timestamptz, Pg>::to_sql(&self.0, out)
    }
}

impl FromSql<sql::Moment, Pg> for Moment {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        FromSql::<Timestamptz, Pg>::from_sql(value).map(Self)
    }
}

impl ToSql<sql::Moment, Sqlite> for Moment {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.text());
        Ok(IsNull::No)
    }
}

impl FromSql<sql::Moment, Sqlite> for Moment {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(text(value)?.parse()?))
    }
}

/// `jsonb` is sent as this version and the text (`jsonb_recv` in PostgreSQL's `jsonb.c`).
const JSONB_VERSION: u8 = 1;

impl ToSql<sql::Document, Pg> for Document {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(&[JSONB_VERSION])?;
        out.write_all(self.0.as_bytes())?;
        Ok(IsNull::No)
    }
}

impl FromSql<sql::Document, Pg> for Document {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        match value.as_bytes().split_first() {
            Some((&JSONB_VERSION, text)) => Ok(Self(std::str::from_utf8(text)?.into())),
            _ => Err("a jsonb value of a version other than 1".into()),
        }
    }
}

impl ToSql<sql::Document, Sqlite> for Document {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(&*self.0);
        Ok(IsNull::No)
    }
}

impl FromSql<sql::Document, Sqlite> for Document {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(text(value)?.into_boxed_str()))
    }
}

fn text(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<String> {
    FromSql::<Text, Sqlite>::from_sql(value)
}

fn blob(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Vec<u8>> {
    FromSql::<Binary, Sqlite>::from_sql(value)
}
