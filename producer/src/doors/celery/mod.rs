//! The door for Celery clients: they send tasks as to any worker of theirs, and linkbeat carries them out.
//!
//! A task is kept in the database first, under the client's id of it. Its request has an id made from that, so a task
//! is one run however often its message comes. What waits for its time waits in the database too, where it can be
//! called off. Results are told beside the intake: a backend that is away holds up no task.

mod answers;
mod backend;
mod call;
mod card;
mod clock;
mod control;
mod events;
mod failure;
mod follow_up;
mod inspect;
mod intake;
mod outcome;
mod repr;
mod revoke;
mod sent;
mod settings;
mod typed;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures::future::join_all;
use linkbeat_broker::{ForeignExchange, ForeignExchangeKind, RabbitBroker};
use linkbeat_store::{CeleryStore, DjangoResults, ProducerStore, StoreError};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

pub use backend::{BackendAddress, BadBackend, RedisAddress};
pub use settings::CelerySettings;

use self::backend::{Backend, Django, Nowhere, Redis, Rpc};
use self::events::Teller;
use crate::{Outbox, ProducerSettings};

/// Celery's exchange for events.
const EVENTS: ForeignExchange =
    ForeignExchange { name: "celeryev", kind: ForeignExchangeKind::Topic, durable: true };
/// Celery's exchange for questions to all workers, and the one for their answers.
const QUESTIONS: ForeignExchange =
    ForeignExchange { name: "celery.pidbox", kind: ForeignExchangeKind::Fanout, durable: false };
const ANSWERS: ForeignExchange =
    ForeignExchange { name: "reply.celery.pidbox", kind: ForeignExchangeKind::Direct, durable: false };

/// Runs filed at once.
const FILED_AT_ONCE: usize = 4;

/// Serves the tasks of Celery clients.
#[derive(Debug)]
pub(crate) struct CeleryDoor {
    desk: Arc<Desk>,
}

/// What all parts of the door share.
#[derive(Debug)]
struct Desk {
    settings: CelerySettings,
    /// What an app may ask for.
    limits: ProducerSettings,
    outbox: Arc<Outbox>,
    store: Arc<dyn CeleryStore>,
    /// The apps' RabbitMQ. It may be linkbeat's own, over connections of its own: what is wrong there harms no jobs.
    broker: Arc<RabbitBroker>,
    backend: Box<dyn Backend>,
    teller: Teller,
    /// Filing a large run takes long, and a small one need not wait for it.
    filing: Semaphore,
    /// The latest task could not be kept.
    failing: AtomicBool,
    /// Something may have to be answered.
    ended: Notify,
    /// Something waits for its time that was not there before.
    waiting: Notify,
}

impl CeleryDoor {
    /// A door that files into this outbox. `broker` is the apps' RabbitMQ.
    pub(crate) fn new(
        settings: CelerySettings,
        limits: ProducerSettings,
        outbox: Arc<Outbox>,
        store: Arc<dyn ProducerStore>,
        broker: Arc<RabbitBroker>,
    ) -> Result<Self, StoreError> {
        let backend: Box<dyn Backend> = match &settings.backend {
            BackendAddress::Rpc => Box::new(Rpc(broker.clone())),
            BackendAddress::Redis(address) => {
                Box::new(Redis::new(address.clone(), &settings.key_prefix, settings.result_expires_secs))
            }
            BackendAddress::Django => {
                let url = settings.database_url.as_ref().ok_or_else(|| {
                    StoreError::BadUrl("celery.database_url must name Django's database".to_owned())
                })?;
                Box::new(Django { results: DjangoResults::new(url)?, extended: settings.result_extended })
            }
            BackendAddress::Disabled => Box::new(Nowhere),
        };
        let teller = Teller::new(settings.hostname(), broker.clone());
        teller.tell_of_tasks(settings.send_task_events);
        let failing = AtomicBool::new(false);
        let (filing, ended, waiting) = (Semaphore::new(FILED_AT_ONCE), Notify::new(), Notify::new());
        let desk = Desk {
            settings,
            limits,
            outbox,
            store,
            broker,
            backend,
            teller,
            filing,
            failing,
            ended,
            waiting,
        };
        Ok(Self { desk: Arc::new(desk) })
    }

    /// Serves tasks until `shutdown`.
    pub(crate) async fn run(&self, shutdown: CancellationToken) {
        let desk = &self.desk;
        tracing::info!(queues = desk.settings.queues.join(", "), "taking the tasks of Celery clients");
        let intakes = desk.settings.queues.iter().map(|queue| intake::run(desk, queue, &shutdown));
        // Boxed: together they would make a large future.
        tokio::join!(
            Box::pin(join_all(intakes)),
            Box::pin(clock::run(desk, &shutdown)),
            Box::pin(answers::run(desk, &shutdown)),
            Box::pin(answers::watch_runs(desk, &shutdown)),
            Box::pin(control::run(desk, &shutdown)),
            Box::pin(events::run(&desk.teller, &shutdown)),
        );
    }
}
