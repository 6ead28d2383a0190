use super::servers;
use crate::args::GlobalArgs;
use crate::exit::{Failure, Status};
use crate::logging::print_note;
use crate::settings::BrokerAddress;

/// `linkbeat migrate`: the tables and, where a broker is named, its queues. The roles declare the queues too, but
/// not if their RabbitMQ users have only the permissions of their role.
pub(crate) async fn run(global: &GlobalArgs) -> Result<Status, Failure> {
    let settings = global.plain_settings()?;
    let url = &settings.database_url;
    let migrated = linkbeat_store::migrate(url).await?;
    if migrated.applied.is_empty() {
        print_note(format_args!("{url} is up to date"));
    }
    for migration in &migrated.applied {
        print_note(format_args!("{url}: applied {migration}"));
    }
    if settings.broker_url != BrokerAddress::Memory {
        // Connecting declares them.
        servers::connect(&settings, "migrate").await?.close().await;
        print_note(format_args!("the broker has all queues"));
    }
    Ok(Status::Passed)
}
