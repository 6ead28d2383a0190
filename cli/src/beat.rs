//! A worker says every few seconds that it lives, over the broker: it needs no database for that.

use std::time::Duration;

use chrono::Utc;
use linkbeat_broker::{Message, SharedBroker, Target};
use linkbeat_shared::wire::{WORKER_ALIVE, WorkerMessage};
use linkbeat_vitals::Activity;
use linkbeat_worker::{Health, WorkerSettings};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

/// How often.
pub(crate) const EVERY: Duration = Duration::from_secs(5);
/// How long one beat may take. The next one says the same, only newer.
const PATIENCE: Duration = Duration::from_secs(3);
/// After so many beats in vain in a row the log says so, once.
const TOLD_AFTER: u32 = 3;
/// The most bytes of a name: consumer tags, which begin with it, may have 255 (AMQP 0-9-1, short strings).
const MOST: usize = 100;

/// What a worker is called: as its operator says, else by its host and process.
pub(crate) fn name_of(settings: &WorkerSettings) -> String {
    let host = || {
        std::fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok())
    };
    let of_host = || format!("{}:{}", host().as_deref().map_or("worker", str::trim), std::process::id());
    let name = settings.name.clone().filter(|name| !name.trim().is_empty()).unwrap_or_else(of_host);
    let mut short: String = name.trim().chars().filter(|c| !c.is_control()).collect();
    let ends = short.char_indices().map(|(at, c)| at + c.len_utf8());
    short.truncate(ends.take_while(|end| *end <= MOST).last().unwrap_or_default());
    short
}

/// Beats until it is dropped.
pub(crate) async fn of_worker(
    broker: SharedBroker,
    mut beat: WorkerMessage,
    checks: Activity,
    health: watch::Receiver<Health>,
) {
    let mut in_vain = 0_u32;
    loop {
        let tally = checks.tally();
        (beat.at, beat.under_way, beat.checked) = (Utc::now(), tally.under_way(), tally.ended);
        beat.state = match &*health.borrow() {
            Health::Starting => "starting".to_owned(),
            Health::Working => "working".to_owned(),
            Health::Paused { fault, .. } => format!("paused: {}", fault.as_str()),
        };
        let target = Target::Event(WORKER_ALIVE.to_owned());
        let said = timeout(PATIENCE, broker.publish(&target, Message::of(Uuid::now_v7(), &beat))).await;
        in_vain = if matches!(said, Ok(Ok(()))) { 0 } else { in_vain.saturating_add(1) };
        if in_vain == TOLD_AFTER {
            tracing::warn!(
                "`linkbeat workers list` does not see this worker: the broker takes no events of it"
            );
        }
        sleep(EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use linkbeat_broker::{Event, MemoryBroker};

    use super::*;

    #[tokio::test]
    async fn a_worker_says_what_it_is_called_and_how_it_is() {
        let settings = WorkerSettings { name: Some(" mine\u{1b} ".to_owned()), ..WorkerSettings::default() };
        assert_eq!(name_of(&settings), "mine");
        assert!(name_of(&WorkerSettings::default()).ends_with(&format!(":{}", std::process::id())));

        let broker: SharedBroker = MemoryBroker::new(10);
        let mut events = broker.events(WORKER_ALIVE).await.unwrap();
        let checks = Activity::default();
        checks.begin().succeed();
        let _under_way = checks.begin();
        let (_health, health) = watch::channel(Health::Working);
        let beat = WorkerMessage::started("mine".to_owned(), 8, Utc::now());
        let beating = tokio::spawn(of_worker(broker.clone(), beat, checks.clone(), health));
        let message = loop {
            match events.next().await.unwrap() {
                Event::Published { message, .. } => break message,
                Event::Listening => {}
            }
        };
        beating.abort();
        let said: WorkerMessage = linkbeat_shared::wire::decode(&message.body).unwrap();
        assert_eq!((said.name.as_str(), said.state.as_str()), ("mine", "working"));
        assert_eq!((said.checked, said.under_way, said.concurrency), (1, 1, 8));
    }
}
