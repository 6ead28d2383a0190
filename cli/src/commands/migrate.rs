use linkbeat_store::DatabaseUrl;

use crate::args::GlobalArgs;
use crate::exit::{Failure, Status};

/// `linkbeat migrate`
pub(crate) async fn run(global: &GlobalArgs) -> Result<Status, Failure> {
    let url: DatabaseUrl = global.plain_settings()?.database_url.parse()?;
    let migrated = linkbeat_store::migrate(&url).await?;
    if migrated.applied.is_empty() {
        anstream::eprintln!("{url} is up to date");
    }
    for migration in &migrated.applied {
        anstream::eprintln!("{url}: applied {migration}");
    }
    Ok(Status::Passed)
}
