//! Inspects a database for operators. Nothing is made or changed, not even a missing file.

use crate::database_url::{DatabaseUrl, Place};
use crate::error::Fault;
use crate::inspection::DatabaseInspection;
use crate::{Result, StoreError, postgres, sqlite};

/// Inspects a database.
///
/// Errors: [`StoreError::Unavailable`] if it cannot be reached within a few seconds, or is no database.
pub async fn inspect(url: &DatabaseUrl) -> Result<DatabaseInspection, StoreError> {
    let inspected = match &url.place {
        Place::Postgres(server) => postgres::inspect(server).await,
        Place::Sqlite(file) => {
            let file = file.clone();
            let looking = tokio::task::spawn_blocking(move || sqlite::inspect(&file));
            looking.await.unwrap_or_else(|error| Err(Fault::Unavailable(error.to_string())))
        }
    };
    inspected.map_err(|fault| fault.at(url))
}
