//! Which schema a database has, and whether this linkbeat can work with it.
//!
//! Migrations are embedded; each database applies them in its own manner, see its `connect`.

use diesel::backend::Backend;
use diesel::migration::{Migration, MigrationSource};
use diesel_migrations::EmbeddedMigrations;

use crate::error::Fault;

/// What is done about a schema that is not current.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Pending migrations are applied; a missing SQLite file is made.
    Migrate,
    /// Pending migrations are an error, [`crate::StoreError::OlderSchema`]; nothing is written.
    Check,
}

/// What a migration did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migrated {
    /// The migrations that were applied now, in their order; empty if the schema was current.
    pub applied: Vec<String>,
}

/// The names of the migrations that a database lacks, oldest first. `applied` are the versions it has;
/// one that `known` lacks is an error, and in [`OpenMode::Check`] so is one that it lacks itself.
pub(crate) fn pending<DB: Backend>(
    known: &EmbeddedMigrations,
    applied: &[String],
    mode: OpenMode,
) -> Result<Vec<String>, Fault> {
    let known: Vec<Box<dyn Migration<DB>>> = known.migrations().map_err(failed)?;
    let mut known: Vec<(String, String)> = known
        .iter()
        .map(|migration| (migration.name().version().to_string(), migration.name().to_string()))
        .collect();
    known.sort();
    let is_known = |version: &String| known.iter().any(|(known, _)| known == version);
    if let Some(found) = applied.iter().filter(|version| !is_known(version)).max() {
        let known = known.last().map(|(version, _)| version.clone()).unwrap_or_default();
        return Err(Fault::NewerSchema { found: found.clone(), known });
    }
    let pending = known.into_iter().filter(|(version, _)| !applied.contains(version)).map(|(_, name)| name);
    let pending: Vec<String> = pending.collect();
    match pending.first() {
        Some(missing) if mode == OpenMode::Check => Err(Fault::OlderSchema { missing: missing.clone() }),
        _ => Ok(pending),
    }
}

/// A migration that could not be read or applied.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> Fault {
    Fault::Migration(error.to_string())
}
