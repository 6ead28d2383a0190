use std::path::PathBuf;

use clap::Args;

use crate::args::GlobalArgs;
use crate::exit::{Failure, Status};
use crate::logging::print_note;

/// Writes a copy of the SQLite database to FILE, while everything may go on running. Never copy the database itself with
/// cp: what was written last may still be in linkbeat.db-wal.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  linkbeat backup linkbeat-backup.db
  linkbeat backup \"/backup/linkbeat-$(date +%F).db\"

To restore it, stop every linkbeat, put the copy in the place of linkbeat.db, and remove linkbeat.db-wal and
linkbeat.db-shm. PostgreSQL has pg_dump for it.")]
pub(crate) struct BackupArgs {
    /// The copy; it must not exist yet
    file: PathBuf,
}

/// `linkbeat backup`
pub(crate) async fn run(global: &GlobalArgs, args: BackupArgs) -> Result<Status, Failure> {
    let settings = global.plain_settings()?;
    let (url, copy) = (&settings.database_url, args.file.display());
    if url.file().is_some_and(|file| !file.exists()) {
        return Err(Failure::usage(format!("there is no database {url} yet")).advise("see --database-url"));
    }
    if linkbeat_store::backup(url, &args.file).await? {
        print_note(format_args!("{url} is copied to {copy}"));
        return Ok(Status::Passed);
    }
    Err(Failure::usage(format!("{url} is no SQLite file"))
        .advise("for PostgreSQL use pg_dump, see docs/operations.md"))
}
