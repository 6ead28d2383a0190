//! The database and the broker that a command works on.

use std::sync::Arc;
use std::time::Duration;

use linkbeat_broker::{BrokerSettings, Namespace, RabbitBroker, SharedBroker};
use linkbeat_store::{OpenMode, SharedStore, StoreError};
use tokio_util::sync::CancellationToken;

use crate::exit::Failure;
use crate::health;
use crate::settings::{BrokerAddress, Settings};

/// How long a daemon waits between two tries to reach its database.
const DATABASE_RETRY: Duration = Duration::from_secs(2);

/// Opens the database. It makes and migrates a SQLite file. Only `linkbeat migrate` migrates PostgreSQL.
pub(crate) async fn store(settings: &Settings) -> Result<SharedStore, Failure> {
    let url = &settings.database_url;
    let mode = if url.is_sqlite() { OpenMode::Migrate } else { OpenMode::Check };
    Ok(linkbeat_store::open(url, mode).await?)
}

/// The same for a daemon, which waits for a database that is away. `None`: it was told to stop meanwhile.
pub(crate) async fn patient_store(
    settings: &Settings,
    database: &health::Database,
    shutdown: &CancellationToken,
) -> Result<Option<SharedStore>, Failure> {
    loop {
        match linkbeat_store::open(&settings.database_url, OpenMode::Check).await {
            Ok(store) => return Ok(Some(store)),
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, advice = error.advice(), "waiting for the database");
                if let StoreError::Unavailable { problem, .. } = &error {
                    database.note(problem);
                }
            }
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(None),
            () = tokio::time::sleep(DATABASE_RETRY) => {}
        }
    }
}

/// Connects to the fleet's broker. Fails if it cannot be reached.
pub(crate) async fn connect(settings: &Settings, role: &str) -> Result<SharedBroker, Failure> {
    Ok(RabbitBroker::connect(broker_settings(settings, role)?).await?)
}

/// The fleet's broker for a daemon. It connects as soon as it can, and again whenever that is needed.
pub(crate) fn reconnecting(settings: &Settings, role: &str) -> Result<SharedBroker, Failure> {
    Ok(RabbitBroker::new(broker_settings(settings, role)?))
}

/// The same for one of several namespaces.
pub(crate) fn reconnecting_in(
    namespace: &Namespace,
    settings: &Settings,
    role: &str,
) -> Result<SharedBroker, Failure> {
    Ok(RabbitBroker::new(broker_settings_in(namespace, settings, role)?))
}

/// The RabbitMQ of Celery clients, if their tasks are taken.
pub(crate) fn of_celery(settings: &Settings, role: &str) -> Option<Arc<RabbitBroker>> {
    let ours = broker_settings(settings, role).ok().filter(|_| settings.celery.is_on())?;
    Some(RabbitBroker::new(settings.celery.broker(&ours)))
}

/// What the broker crate needs to know.
pub(crate) fn broker_settings(settings: &Settings, role: &str) -> Result<BrokerSettings, Failure> {
    let Some(namespace) = settings.namespace.only() else {
        let problem =
            format!("`linkbeat {role}` serves one namespace, and `{}` are several", settings.namespace);
        return Err(Failure::usage(problem).advise("name one with --namespace; only a worker serves several"));
    };
    broker_settings_in(namespace, settings, role)
}

/// The same for one of several namespaces.
pub(crate) fn broker_settings_in(
    namespace: &Namespace,
    settings: &Settings,
    role: &str,
) -> Result<BrokerSettings, Failure> {
    let BrokerAddress::Rabbit(urls) = &settings.broker_url else {
        let problem = format!("`linkbeat {role}` is for a fleet, which needs RabbitMQ");
        return Err(Failure::usage(problem).advise(
            "set --broker-url amqp://USER:PASSWORD@HOST:5672/ or LINKBEAT_BROKER_URL. On one machine, \
             `linkbeat check` and `linkbeat up` need no broker",
        ));
    };
    let name = format!("linkbeat {role}");
    let mut broker = BrokerSettings::new(urls.of_namespace(namespace), namespace.clone(), name);
    broker.tls = settings.broker_tls();
    broker.check_tls()?;
    Ok(broker)
}
