//! Selects parked messages.

use std::time::Duration;

use chrono::Utc;
use clap::Args;
use linkbeat_broker::{DeadLetter, Queue};
use linkbeat_shared::RunId;
use serde::Deserialize;
use uuid::Uuid;

use crate::args::parse_run_id;
use crate::exit::Failure;

#[derive(Debug, Default, Args)]
pub(crate) struct Filter {
    /// Only those that came from this queue: jobs (whichever of their queues), jobs.large, suspects, isolated, results,
    /// results.large, requests, requests.large, or another one that linkbeat reads here
    #[arg(long)]
    queue: Option<String>,
    /// Only those whose cause contains this text, in the same upper and lower case
    #[arg(long, value_name = "TEXT")]
    cause: Option<String>,
    /// Only those parked longer ago than this, such as 1h or 30d
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    older_than: Option<Duration>,
    /// Only jobs and results of this run
    #[arg(long, value_name = "ID", value_parser = parse_run_id)]
    run: Option<RunId>,
}

impl Filter {
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_none() && self.cause.is_none() && self.older_than.is_none() && self.run.is_none()
    }

    /// Whether it names a queue from which messages can come.
    pub(super) fn check(&self, queues: &[Queue]) -> Result<(), Failure> {
        let names = queues.iter().filter(|queue| **queue != Queue::DEAD).map(Queue::to_string);
        let names: Vec<_> = names.collect();
        match &self.queue {
            Some(queue) if !names.contains(queue) => {
                Err(Failure::usage(format!("`{queue}` is none of {}", names.join(", "))))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn takes(&self, letter: &DeadLetter) -> bool {
        self.queue.as_deref().is_none_or(|queue| letter.queue().is_some_and(|from| comes_from(from, queue)))
            && self.cause.as_ref().is_none_or(|part| letter.cause().contains(part.as_str()))
            && self.older_than.is_none_or(|age| is_older(letter, age))
            && self.run.is_none_or(|run| run_of(letter) == Some(run.0))
    }
}

/// A job counts as one of `jobs`, in whichever of its queues it was.
fn comes_from(from: &Queue, wanted: &str) -> bool {
    from.to_string() == wanted || (wanted == Queue::JOBS.to_string() && from.holds_jobs())
}

/// Compares this machine's clock with the clock of whoever parked it. A message without a time is not older.
fn is_older(letter: &DeadLetter, age: Duration) -> bool {
    let parked = letter.parked_at().and_then(|at| (Utc::now() - at).to_std().ok());
    parked.is_some_and(|parked| parked > age)
}

/// The run that its body names, if the body can be read.
pub(in crate::commands) fn run_of(letter: &DeadLetter) -> Option<Uuid> {
    #[derive(Deserialize)]
    struct OfRun {
        run_id: Uuid,
    }
    serde_json::from_slice::<OfRun>(letter.body()).ok().map(|body| body.run_id)
}

#[cfg(test)]
mod tests {
    use linkbeat_broker::{Exchange, QueueKind};

    use super::*;

    #[test]
    fn every_queue_from_which_messages_can_come_may_be_named() {
        let mut queues = Queue::ALL.to_vec();
        queues.push(Queue::JOBS.with_shard(3));
        queues.push(Queue::foreign("celery", Exchange::Direct, QueueKind::Classic));
        let named = |queue: &str| {
            let (cause, older_than, run) = (None, None, None);
            Filter { queue: Some(queue.to_owned()), cause, older_than, run }.check(&queues)
        };
        for queue in ["jobs", "jobs.large", "jobs.3", "results", "celery"] {
            assert!(named(queue).is_ok(), "{queue}");
        }
        for queue in ["dead", "jobs.4", "nothing", ""] {
            assert!(named(queue).is_err(), "{queue}");
        }
        let sharded = Queue::JOBS.with_shard(3);
        assert!(
            comes_from(&sharded, "jobs")
                && comes_from(&sharded, "jobs.3")
                && !comes_from(&sharded, "results")
        );
    }
}
