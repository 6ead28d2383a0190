//! The results of tasks in Django's database, as django-celery-results keeps them.
//!
//! The table is the app's: its columns differ by version, so they are looked up, and only those are written that are
//! there.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use crate::Result;
use crate::database_url::{DatabaseUrl, Place};
use crate::error::Fault;
use crate::{postgres, sqlite};

/// The table.
pub(crate) const TABLE: &str = "django_celery_results_taskresult";
/// Columns that stay as they were first written.
const LASTING: [&str; 2] = ["task_id", "date_created"];

/// The results in one database.
#[derive(Debug)]
pub struct DjangoResults(Kind);

#[derive(Debug)]
enum Kind {
    Postgres(postgres::Django),
    Sqlite(sqlite::Django),
}

/// How a task stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DjangoResult {
    /// The task.
    pub task_id: String,
    /// Celery's word for how it stands.
    pub status: &'static str,
    /// JSON.
    pub result: String,
    /// It begins now, and has not ended.
    pub started: bool,
    /// Further columns, and their texts.
    pub extended: Vec<(&'static str, String)>,
}

impl DjangoResults {
    /// The results in this database. It is reached when the first one is written.
    pub fn new(url: &DatabaseUrl) -> Result<Self> {
        Ok(Self(match &url.place {
            Place::Postgres(server) => Kind::Postgres(postgres::Django::new(url, server)?),
            Place::Sqlite(file) => Kind::Sqlite(sqlite::Django::new(url, file)),
        }))
    }

    /// Writes how a task stands. A success that is stored stays, and so does any end of a task that only begins now.
    pub async fn write(&self, result: &DjangoResult) -> Result<()> {
        match &self.0 {
            Kind::Postgres(database) => database.write(result).await,
            Kind::Sqlite(database) => database.write(result).await,
        }
    }
}

/// What is written differently for each database.
pub(crate) struct Spelling {
    /// Gives the values of these columns of the row `$1`, which is JSON.
    pub(crate) values: fn(columns: &[&str]) -> String,
    /// How a moment is written.
    pub(crate) moment: fn(DateTime<Utc>) -> String,
}

/// As JSON and PostgreSQL take it.
pub(crate) fn iso(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// The statement that writes a result into a table with these columns, and its row.
pub(crate) fn statement(
    result: &DjangoResult,
    columns: &[String],
    spelling: &Spelling,
) -> Result<(String, String), Fault> {
    let row = row(result, &(spelling.moment)(Utc::now()));
    let columns: Vec<&str> =
        row.keys().map(String::as_str).filter(|name| columns.iter().any(|it| it == name)).collect();
    if !columns.contains(&"task_id") {
        let problem =
            format!("there is no table {TABLE}: have the app run its migrations (manage.py migrate)");
        return Err(Fault::Unavailable(problem));
    }
    let names = columns.join(", ");
    let changed = columns.iter().filter(|name| !LASTING.contains(name));
    let changes: Vec<_> = changed.map(|name| format!("{name} = excluded.{name}")).collect();
    let ends = if result.started { "'SUCCESS', 'FAILURE', 'REVOKED'" } else { "'SUCCESS'" };
    let statement = format!(
        "INSERT INTO {TABLE} ({names}) {} ON CONFLICT (task_id) DO UPDATE SET {} WHERE {TABLE}.status NOT IN ({ends})",
        (spelling.values)(&columns),
        changes.join(", "),
    );
    Ok((statement, Value::Object(row).to_string()))
}

fn row(result: &DjangoResult, now: &str) -> Map<String, Value> {
    let mut row = Map::new();
    let mut set = |name: &str, value: Value| drop(row.insert(name.to_owned(), value));
    set("task_id", json!(result.task_id));
    set("status", json!(result.status));
    set("content_type", json!("application/json"));
    set("content_encoding", json!("utf-8"));
    set("result", json!(result.result.replace('\0', "")));
    set("traceback", Value::Null);
    set("meta", json!(json!({ "children": [] }).to_string()));
    set("date_created", json!(now));
    if result.started {
        set("date_started", json!(now));
    }
    for (name, text) in &result.extended {
        set(name, json!(text.replace('\0', "")));
    }
    // Django's Python sets it on every change; it may not be null.
    set("date_done", json!(now));
    row
}
