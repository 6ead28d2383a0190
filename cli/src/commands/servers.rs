//! The database and the broker that a command works on.

use std::time::Duration;

use linkbeat_broker::{BadNamespace, BrokerSettings, Namespace, RabbitBroker, SharedBroker};
use linkbeat_store::{DatabaseUrl, OpenMode, SharedStore};

use tokio_util::sync::CancellationToken;

use crate::exit::Failure;
use crate::settings::Settings;

/// How long a daemon waits between two tries to reach its database.
const DATABASE_RETRY: Duration = Duration::from_secs(2);

/// Opens the database. A SQLite file is made and migrated by itself; PostgreSQL is only ever migrated by
/// `linkbeat migrate`.
pub(crate) async fn store(settings: &Settings) -> Result<SharedStore, Failure> {
    let url: DatabaseUrl = settings.database_url.parse()?;
    let mode = if url.is_sqlite() { OpenMode::Migrate } else { OpenMode::Check };
    Ok(linkbeat_store::open(&url, mode).await?)
}

/// The same for a daemon: a database that is away is waited for. `None`: told to stop meanwhile.
pub(crate) async fn patient_store(
    settings: &Settings,
    shutdown: &CancellationToken,
) -> Result<Option<SharedStore>, Failure> {
    let url: DatabaseUrl = settings.database_url.parse()?;
    loop {
        match linkbeat_store::open(&url, OpenMode::Check).await {
            Ok(store) => return Ok(Some(store)),
            Err(error) if error.is_transient() => tracing::warn!(%error, "waiting for the database"),
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(None),
            () = tokio::time::sleep(DATABASE_RETRY) => {}
        }
    }
}

/// The fleet's broker, connected; fails when it cannot be reached.
pub(crate) async fn connect(settings: &Settings, role: &str) -> Result<SharedBroker, Failure> {
    let broker = RabbitBroker::connect(broker_settings(settings, role)?).await;
    broker.map(|broker| broker as SharedBroker).map_err(|error| Failure::infrastructure(error.to_string()))
}

/// The fleet's broker for a daemon: it connects when it can, for ever.
pub(crate) fn reconnecting(settings: &Settings, role: &str) -> Result<SharedBroker, Failure> {
    Ok(RabbitBroker::new(broker_settings(settings, role)?))
}

/// What the broker crate is to know.
pub(crate) fn broker_settings(settings: &Settings, role: &str) -> Result<BrokerSettings, Failure> {
    if settings.broker_url.starts_with("memory:") {
        return Err(Failure::usage(format!(
            "`linkbeat {role}` is for a fleet, which needs RabbitMQ; set --broker-url amqp://USER:PASSWORD@HOST:5672/ \
             or LINKBEAT_BROKER_URL. On one machine, `linkbeat check` needs no broker"
        )));
    }
    let namespace: Namespace =
        settings.namespace.parse().map_err(|error: BadNamespace| Failure::usage(error.to_string()))?;
    let mut broker = BrokerSettings::new(settings.broker_url.parse()?, namespace, format!("linkbeat {role}"));
    broker.tls = settings.broker_tls();
    broker.check_tls().map_err(|error| Failure::usage(error.to_string()))?;
    Ok(broker)
}
