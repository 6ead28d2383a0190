use linkbeat_broker::{Message, SharedBroker, Target};
use linkbeat_shared::wire::{EventMessage, RUN_STARTED};
use linkbeat_shared::{LinkSelection, Request, RunId};
use linkbeat_store::{Filed, NewRun, RunLinks, SharedStore, StoreError};
use uuid::Uuid;

use crate::ProducerError;
use crate::plan::JobPlanner;

/// Files a request as a run with all its jobs, in one transaction. Nothing is published yet.
/// The same request id again gives the run that exists.
pub async fn file(store: &SharedStore, request: Request) -> Result<Filed, StoreError> {
    let planner = JobPlanner::new(request.check.clone(), request.white_list);
    let run = NewRun {
        id: RunId::new(),
        request_id: request.id,
        links: match request.links {
            LinkSelection::Stored => RunLinks::Stored,
            LinkSelection::Given(links) => RunLinks::Given(links),
        },
        check: request.check,
        rules: request.rules,
        reply_to: request.reply_to,
    };
    let filed = store.file_run(run, Box::new(planner)).await?;
    tracing::info!(run.id = %filed.run.id, run.links = filed.run.links, existed = filed.existed, "run filed");
    Ok(filed)
}

/// Tells whoever listens that a run was filed.
pub(crate) async fn announce_start(broker: &SharedBroker, filed: &Filed) -> Result<(), ProducerError> {
    let event = EventMessage::run_started(filed.run.id, filed.run.created_at);
    let id = Uuid::new_v5(&filed.run.id.0, RUN_STARTED.as_bytes());
    broker.publish(&Target::Event(RUN_STARTED.into()), Message::of(id, &event)).await?;
    Ok(())
}
