//! `rpc://`: the result is a message for the process that sent the task.

use std::sync::Arc;

use async_trait::async_trait;
use linkbeat_broker::{Broker, Message, PublishError, Target};
use linkbeat_shared::{ReplyTo, derived_id};

use super::{Backend, Untold};
use crate::doors::celery::outcome::Told;

/// Sends results to the queues that the tasks name.
#[derive(Debug)]
pub(in super::super) struct Rpc(pub(in super::super) Arc<dyn Broker>);

#[async_trait]
impl Backend for Rpc {
    async fn tell(&self, told: &Told<'_>) -> Result<(), Untold> {
        let body = told.to_json().to_string();
        let id = derived_id::celery_result(told.id, told.outcome.status.as_str());
        for queue in &told.card.askers {
            let to = ReplyTo { queue: queue.clone(), correlation_id: Some(told.id.to_owned()) };
            match self.0.publish(&Target::Reply(to), Message::new(id, body.clone())).await {
                // Whoever asked has gone, or reads nothing. It can ask again.
                Ok(()) | Err(PublishError::Unroutable(_) | PublishError::NotTaken { .. }) => {}
                Err(error) => return Err(Untold(error.to_string())),
            }
        }
        Ok(())
    }
}
