//! Messages that nobody could handle: list them, put them back, forget them.
//!
//! Browsing holds messages unacknowledged until its end, so pages already seen stay held. It holds a bounded number,
//! and says how many messages it did not reach.

mod browse;
mod filter;

use std::collections::HashMap;

use chrono::SecondsFormat;
use clap::{ArgGroup, Args, Subcommand};
use linkbeat_broker::{DeadLetter, Message, Queue, SharedBroker, Target};
use linkbeat_shared::wire::{self, JobMessage, ParkingMessage};
use linkbeat_shared::{JobId, derived_id};
use serde_json::{Map, json};
use uuid::Uuid;

use self::browse::Browse;
use self::filter::Filter;
pub(super) use self::filter::run_of;
use super::{servers, write};
use crate::args::GlobalArgs;
use crate::exit::{Failure, Fault, Status};
use crate::logging::print_note;
use crate::output::ListFormat;

/// How often settling begins anew, for messages that come again.
const MOST_ROUNDS: usize = 20;
/// Characters of a body that are printed.
const BODY_SHOWN: usize = 100_000;

#[derive(Debug, Subcommand)]
pub(crate) enum DeadCommand {
    /// List parked messages, oldest first
    #[command(after_help = "\
Examples:
  linkbeat dead list --older-than 1h
  linkbeat dead list --queue jobs --cause panicked --format json")]
    List {
        #[command(flatten)]
        filter: Filter,
        /// How many are listed at most
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        /// How the list is written
        #[arg(long, value_enum, default_value_t = ListFormat::Table)]
        format: ListFormat,
    },
    /// Print one parked message with its body
    Show {
        /// The message's id
        id: Uuid,
    },
    /// Put parked messages back into the queues they came from, with no attempts counted
    #[command(after_help = "\
Examples:
  linkbeat dead requeue --all --queue jobs
  linkbeat dead requeue --all --run 0198c5f0-7d2c-7cc1-a9f5-5f2c6c1b7e11")]
    Requeue(Chosen),
    /// Forget parked messages for good
    #[command(after_help = "\
Examples:
  linkbeat dead drop 0198c5f0-7d2c-7cc1-a9f5-5f2c6c1b7e11
  linkbeat dead drop --all --older-than 30d")]
    Drop(Chosen),
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["ids", "all"])))]
pub(crate) struct Chosen {
    /// The messages' ids
    #[arg(value_name = "ID")]
    ids: Vec<Uuid>,
    /// All that the filters leave
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    filter: Filter,
}

impl Chosen {
    fn takes(&self, letter: &DeadLetter) -> bool {
        (self.all || self.ids.contains(&letter.id())) && self.filter.takes(letter)
    }

    /// Whether more than so many may be meant.
    fn wants_more_than(&self, settled: usize) -> bool {
        self.all || settled < self.ids.len()
    }
}

/// What happens to a message without a time of parking, if one of the same id was settled already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeats {
    /// It may be the same, and must not be settled twice.
    Hold,
    /// Settling it twice is harmless.
    Settle,
}

/// `linkbeat dead`
pub(crate) async fn run(global: &GlobalArgs, command: DeadCommand) -> Result<Status, Failure> {
    let settings = global.plain_settings()?;
    let broker = servers::connect(&settings, "dead").await?;
    let done = carry_out(&broker, command).await;
    // What was not settled goes back with the connection.
    broker.close().await;
    done.map(|()| Status::Passed)
}

async fn carry_out(broker: &SharedBroker, command: DeadCommand) -> Result<(), Failure> {
    if let DeadCommand::List { filter, .. }
    | DeadCommand::Requeue(Chosen { filter, .. })
    | DeadCommand::Drop(Chosen { filter, .. }) = &command
    {
        filter.check(&broker.queues())?;
    }
    match command {
        DeadCommand::List { filter, limit, format } => list(broker, &filter, limit, format).await,
        DeadCommand::Show { id } => show(broker, id).await,
        DeadCommand::Requeue(chosen) => {
            let requeue = async |letter| requeue(broker, letter).await;
            let settled = settle(broker, &chosen, Repeats::Hold, requeue).await?;
            print_note(format_args!("{settled} put back"));
            Ok(())
        }
        DeadCommand::Drop(chosen) => {
            let drop = async |letter: DeadLetter| Ok(letter.forget().await.is_ok());
            let settled = settle(broker, &chosen, Repeats::Settle, drop).await?;
            print_note(format_args!("{settled} dropped"));
            Ok(())
        }
    }
}

/// The oldest parked messages, at most `limit`, and how many there are.
pub(crate) async fn oldest(broker: &SharedBroker, limit: u16) -> Result<(Vec<DeadLetter>, u64), Failure> {
    let mut browse = Browse::begin(broker).await?;
    let mut letters = browse.page().await?.unwrap_or_default();
    letters.sort_by_key(|letter| (letter.parked_at(), letter.id()));
    letters.truncate(limit.into());
    Ok((letters, browse.all()))
}

/// Puts these messages back, or forgets them. Returns how many were found.
pub(crate) async fn settle_these(
    broker: &SharedBroker,
    ids: Vec<Uuid>,
    put_back: bool,
) -> Result<usize, Failure> {
    let chosen = Chosen { ids, all: false, filter: Filter::default() };
    let settled = if put_back {
        let requeue = async |letter| requeue(broker, letter).await;
        settle(broker, &chosen, Repeats::Hold, requeue).await
    } else {
        let drop = async |letter: DeadLetter| Ok(letter.forget().await.is_ok());
        settle(broker, &chosen, Repeats::Settle, drop).await
    };
    match settled {
        Err(Failure { fault: Fault::Usage, .. }) => Ok(0),
        settled => settled,
    }
}

async fn list(broker: &SharedBroker, filter: &Filter, limit: u32, format: ListFormat) -> Result<(), Failure> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut browse = Browse::begin(broker).await?;
    let mut letters = Vec::new();
    while letters.len() <= limit
        && let Some(page) = browse.page().await?
    {
        let (taken, others): (Vec<_>, Vec<_>) = page.into_iter().partition(|letter| filter.takes(letter));
        letters.extend(taken);
        browse.hold(others);
    }
    let matching = letters.len();
    let mut shown = letters;
    // RabbitMQ keeps no order among messages that were browsed before.
    shown.sort_by_key(|letter| (letter.parked_at(), letter.id()));
    shown.truncate(limit);
    let items: Vec<_> = shown.iter().map(item).collect();
    write::dead_letters(&items, format)?;
    print_note(format_args!("{}", browse.summarize(items.len(), matching, filter.is_empty())));
    Ok(())
}

async fn show(broker: &SharedBroker, id: Uuid) -> Result<(), Failure> {
    let mut browse = Browse::begin(broker).await?;
    while let Some(page) = browse.page().await? {
        if let Some(letter) = page.iter().find(|letter| letter.id() == id) {
            return write::dead_letter(&with_body(letter));
        }
        browse.hold(page);
    }
    Err(not_parked(&id, &browse))
}

/// Settles the chosen messages, page after page, until none is left that could be meant. Returns how many.
///
/// Some come again: a quorum queue forgets acknowledgements that were sent in great number right before the end of
/// their session (seen with 3.10). Such a message is only acknowledged again, as it was carried out. But a message
/// that was put back and has been parked anew is another one, and stays.
async fn settle(
    broker: &SharedBroker,
    chosen: &Chosen,
    repeats: Repeats,
    each: impl AsyncFn(DeadLetter) -> Result<bool, Failure>,
) -> Result<usize, Failure> {
    let (mut settled, mut count) = (HashMap::new(), 0);
    let mut browse = Browse::begin(broker).await?;
    for _ in 0..MOST_ROUNDS {
        while chosen.wants_more_than(settled.len())
            && let Some(page) = browse.page().await?
        {
            for letter in page {
                let (id, parked_at) = (letter.id(), letter.parked_at());
                match settled.get(&id) {
                    // It may be forgotten now or come once more.
                    Some(known) if *known == parked_at && parked_at.is_some() => drop(letter.forget().await),
                    // Without a time nobody knows whether it is the same.
                    Some(_) if repeats == Repeats::Hold || parked_at.is_some() => browse.hold(vec![letter]),
                    _ if chosen.takes(&letter) => {
                        if each(letter).await? {
                            settled.insert(id, parked_at);
                            count += 1;
                        }
                    }
                    _ => browse.hold(vec![letter]),
                }
            }
        }
        if !chosen.all || !browse.goes_on().await? {
            break;
        }
    }
    if chosen.wants_more_than(settled.len())
        && let Some(unseen) = browse.unseen()
    {
        print_note(format_args!("{unseen}"));
    }
    match chosen.ids.first() {
        Some(id) if settled.is_empty() => Err(not_parked(id, &browse)),
        _ => Ok(count),
    }
}

/// First tells the recorder that the job is no longer parked, so that its run waits for it again.
async fn requeue(broker: &SharedBroker, letter: DeadLetter) -> Result<bool, Failure> {
    let Some(queue) = letter.queue().cloned() else { return Ok(false) };
    if let Some(notice) = notice(&letter) {
        let message = Message::of(notice.notice_id, &notice);
        broker.publish(&Target::Queue(Queue::RESULTS), message).await?;
    }
    letter.requeue(&**broker, &queue).await?;
    Ok(true)
}

/// The notice for a job that can be read. The same letter always gives the same notice.
fn notice(letter: &DeadLetter) -> Option<ParkingMessage> {
    let from_jobs = letter.queue()?.holds_jobs();
    let job = wire::decode::<JobMessage>(letter.body()).ok().filter(|_| from_jobs)?;
    let parked_at = letter.parked_at().map(|at| at.to_rfc3339()).unwrap_or_default();
    let notice_id = derived_id::requeue_notice(letter.id(), &parked_at);
    Some(ParkingMessage { notice_id, ..ParkingMessage::requeued(JobId(job.job_id)) })
}

fn not_parked(id: &Uuid, browse: &Browse<'_>) -> Failure {
    let unseen = browse.unseen().map(|text| format!(" ({text})")).unwrap_or_default();
    Failure::usage(format!("no parked message has the id {id}{unseen}")).advise("see `linkbeat dead list`")
}

fn item(letter: &DeadLetter) -> serde_json::Value {
    json!({
        "id": letter.id(),
        "queue": letter.queue().map(Queue::to_string),
        "cause": letter.cause(),
        "parked_at": letter.parked_at().map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)),
        "attempts": letter.attempts(),
        "run_id": run_of(letter),
        "bytes": letter.body().len(),
    })
}

fn with_body(letter: &DeadLetter) -> serde_json::Value {
    let mut item = item(letter);
    let body = String::from_utf8_lossy(letter.body());
    item["headers"] =
        letter.headers().into_iter().map(|(name, text)| (name, json!(text))).collect::<Map<_, _>>().into();
    item["body"] = serde_json::from_str(&body)
        .unwrap_or_else(|_| json!(body.chars().take(BODY_SHOWN).collect::<String>()));
    item
}
