use linkbeat_store::DatabaseUrl;

use super::servers;
use crate::args::GlobalArgs;
use crate::exit::{Failure, Status};

/// `linkbeat migrate`: the tables and, where a broker is named, its queues. The roles declare the queues too,
/// but RabbitMQ users that may do no more than their role needs cannot.
pub(crate) async fn run(global: &GlobalArgs) -> Result<Status, Failure> {
    let settings = global.plain_settings()?;
    let url: DatabaseUrl = settings.database_url.parse()?;
    let migrated = linkbeat_store::migrate(&url).await?;
    if migrated.applied.is_empty() {
        anstream::eprintln!("{url} is up to date");
    }
    for migration in &migrated.applied {
        anstream::eprintln!("{url}: applied {migration}");
    }
    if !settings.broker_url.starts_with("memory:") {
        // Whoever connects declares.
        servers::connect(&settings, "migrate").await?.close().await;
        anstream::eprintln!("the broker has all queues");
    }
    Ok(Status::Passed)
}
