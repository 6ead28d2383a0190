//! `linkbeat schedule run-now`

use linkbeat_producer::{CannotRun, Outbox, RunNow, run_now};
use linkbeat_shared::RequestId;
use linkbeat_store::{Filed, SharedStore};
use serde_json::json;

use super::find;
use crate::commands::servers;
use crate::exit::Failure;
use crate::output::ListFormat;
use crate::settings::{BrokerAddress, Settings};

pub(super) async fn run(
    settings: &Settings,
    store: &SharedStore,
    name: &str,
    format: ListFormat,
) -> Result<(), Failure> {
    let schedule = find(store, name).await?;
    let run = run_now(&**store, &schedule, RequestId::new()).await.map_err(|error| match error {
        CannotRun::Store(error) => error.into(),
        CannotRun::Unreadable(_) | CannotRun::Request(_) => {
            Failure::infrastructure(format!("schedule {name} cannot run: {error}"))
        }
    })?;
    let filed = match run {
        RunNow::Filed(filed) => filed,
        RunNow::Overlap(run) => {
            return Err(Failure::usage(format!(
                "run {run} of schedule {name} still goes on, and it forbids a second one"
            ))
            .advise(format!(
                "wait for it, cancel it (`linkbeat runs cancel {run}`), or set --overlap allow"
            )));
        }
        RunNow::Gone => return Err(Failure::usage(format!("there is no schedule {name}"))),
    };
    publish(settings, store, &filed).await?;
    let (id, links) = (filed.run.id, filed.run.links);
    match format {
        ListFormat::Json => anstream::println!("{}", json!({ "run_id": id, "links": links })),
        ListFormat::Table => {
            let links = if links == 1 { "1 link".to_owned() } else { format!("{links} links") };
            anstream::println!("run {id} filed: {links}; see `linkbeat runs show {id}`");
        }
    }
    Ok(())
}

/// Over RabbitMQ no producer need be at hand. Without it `linkbeat up` finds the run within seconds.
pub(in crate::commands) async fn publish(
    settings: &Settings,
    store: &SharedStore,
    filed: &Filed,
) -> Result<(), Failure> {
    if settings.broker_url == BrokerAddress::Memory {
        return Ok(());
    }
    let broker = servers::connect(settings, "schedule").await?;
    let outbox = Outbox::new(broker.clone(), store.clone());
    outbox.add(filed);
    outbox.drain().await?;
    broker.close().await;
    Ok(())
}
