//! Opening a database, of either kind.

use std::path::Path;
use std::sync::Arc;

use crate::database_url::{DatabaseUrl, Place};
use crate::error::Fault;
use crate::migrations::{Migrated, OpenMode};
use crate::traits::SharedStore;
use crate::{Result, postgres, sqlite};

/// Opens a database. It is reached, and its schema looked at, before this returns.
///
/// Errors: [`crate::StoreError::Unavailable`] if it cannot be reached within a few seconds,
/// [`crate::StoreError::OlderSchema`] (in [`OpenMode::Check`]) and [`crate::StoreError::NewerSchema`].
pub async fn open(url: &DatabaseUrl, mode: OpenMode) -> Result<SharedStore> {
    Ok(opened(url, mode).await?.0)
}

/// Applies the pending migrations of a database and says which. Several processes may do it at once.
pub async fn migrate(url: &DatabaseUrl) -> Result<Migrated> {
    let (store, migrated) = opened(url, OpenMode::Migrate).await?;
    store.close().await;
    Ok(migrated)
}

/// Writes a copy of a SQLite database to a file that does not exist yet, while others may go on writing. Returns false if
/// it is no SQLite database in a file: then its server has tools for it.
pub async fn backup(url: &DatabaseUrl, copy: &Path) -> Result<bool> {
    let Some(file) = url.file().map(Path::to_owned) else { return Ok(false) };
    let copy = copy.to_owned();
    let copied = tokio::task::spawn_blocking(move || sqlite::backup(&file, &copy)).await;
    let copied = copied.unwrap_or_else(|error| Err(Fault::Unavailable(error.to_string())));
    copied.map(|()| true).map_err(|fault| fault.at(url))
}

async fn opened(url: &DatabaseUrl, mode: OpenMode) -> Result<(SharedStore, Migrated)> {
    Ok(match &url.place {
        Place::Postgres(server) => {
            let (store, migrated) = postgres::Database::open(url, server, mode).await?;
            (Arc::new(store) as SharedStore, migrated)
        }
        Place::Sqlite(file) => {
            let (store, migrated) = sqlite::Database::open(url, file, mode).await?;
            (Arc::new(store) as SharedStore, migrated)
        }
    })
}
