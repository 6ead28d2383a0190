//! Messages that nobody could handle: looked at, put back, forgotten.
//!
//! Whoever looks holds what is seen, so a look that goes on past the first page keeps what it passes by until
//! its end. It is bounded, and says of how many it knows only the number.

mod filter;
mod look;

use std::collections::HashMap;

use chrono::SecondsFormat;
use clap::{ArgGroup, Args, Subcommand};
use linkbeat_broker::{DeadLetter, Message, Queue, SharedBroker, Target};
use linkbeat_shared::JobId;
use linkbeat_shared::wire::{self, JobMessage, ParkingMessage};
use serde_json::{Map, json};
use uuid::Uuid;

use self::filter::{Filter, run_of};
use self::look::Look;
use super::{servers, write};
use crate::args::GlobalArgs;
use crate::exit::{Failure, Status};
use crate::output::ListFormat;

/// How often messages that come again are looked for.
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

/// `linkbeat dead`
pub(crate) async fn run(global: &GlobalArgs, command: DeadCommand) -> Result<Status, Failure> {
    let settings = global.plain_settings()?;
    let broker = servers::connect(&settings, "dead").await?;
    let done = carry_out(&broker, command).await;
    // What was only looked at goes back with the connection.
    broker.close().await;
    done.map(|()| Status::Passed)
}

async fn carry_out(broker: &SharedBroker, command: DeadCommand) -> Result<(), Failure> {
    match command {
        DeadCommand::List { filter, limit, format } => list(broker, &filter, limit, format).await,
        DeadCommand::Show { id } => show(broker, id).await,
        DeadCommand::Requeue(chosen) => {
            let settled = settle(broker, &chosen, async |letter| requeue(broker, letter).await).await?;
            anstream::eprintln!("{settled} put back");
            Ok(())
        }
        DeadCommand::Drop(chosen) => {
            let drop = async |letter: DeadLetter| Ok(letter.forget().await.is_ok());
            let settled = settle(broker, &chosen, drop).await?;
            anstream::eprintln!("{settled} dropped");
            Ok(())
        }
    }
}

async fn list(broker: &SharedBroker, filter: &Filter, limit: u32, format: ListFormat) -> Result<(), Failure> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut look = Look::begin(broker).await?;
    let mut letters = Vec::new();
    while letters.len() <= limit
        && let Some(page) = look.page().await?
    {
        let (taken, others): (Vec<_>, Vec<_>) = page.into_iter().partition(|letter| filter.takes(letter));
        letters.extend(taken);
        look.hold(others);
    }
    let matching = letters.len();
    let mut shown = letters;
    // RabbitMQ keeps no order among those that were looked at before.
    shown.sort_by_key(|letter| (letter.parked_at(), letter.id()));
    shown.truncate(limit);
    let items: Vec<_> = shown.iter().map(item).collect();
    write::dead_letters(&items, format)?;
    anstream::eprintln!("{}", look.told(items.len(), matching, filter.is_empty()));
    Ok(())
}

async fn show(broker: &SharedBroker, id: Uuid) -> Result<(), Failure> {
    let mut look = Look::begin(broker).await?;
    while let Some(page) = look.page().await? {
        if let Some(letter) = page.iter().find(|letter| letter.id() == id) {
            return write::dead_letter(&with_body(letter));
        }
        look.hold(page);
    }
    Err(not_parked(&id, &look))
}

/// Settles the chosen ones, page after page, until none is left that could be meant; returns how many.
///
/// Some come again: a quorum queue forgets acknowledgements that were sent in great number right before the
/// end of their session (seen with 3.10). They were carried out, so they are only acknowledged again. One that was
/// put back and is parked anew meanwhile is another matter, and stays.
async fn settle(
    broker: &SharedBroker,
    chosen: &Chosen,
    each: impl AsyncFn(DeadLetter) -> Result<bool, Failure>,
) -> Result<usize, Failure> {
    let mut settled = HashMap::new();
    let mut look = Look::begin(broker).await?;
    for _ in 0..MOST_ROUNDS {
        while chosen.wants_more_than(settled.len())
            && let Some(page) = look.page().await?
        {
            for letter in page {
                let (id, parked_at) = (letter.id(), letter.parked_at());
                match settled.get(&id) {
                    // Whether it is forgotten now or comes again: it is known. Without a time nobody knows.
                    Some(known) if *known == parked_at && parked_at.is_some() => drop(letter.forget().await),
                    None if chosen.takes(&letter) => {
                        if each(letter).await? {
                            settled.insert(id, parked_at);
                        }
                    }
                    _ => look.hold(vec![letter]),
                }
            }
        }
        if !chosen.all || !look.goes_on().await? {
            break;
        }
    }
    if chosen.wants_more_than(settled.len())
        && let Some(unseen) = look.unseen()
    {
        anstream::eprintln!("{unseen}");
    }
    match chosen.ids.first() {
        Some(id) if settled.is_empty() => Err(not_parked(id, &look)),
        _ => Ok(settled.len()),
    }
}

/// Tells the recorder first that the job is no longer parked: so its run waits for it again.
async fn requeue(broker: &SharedBroker, letter: DeadLetter) -> Result<bool, Failure> {
    let Some(queue) = letter.queue().cloned() else { return Ok(false) };
    if let Some(notice) = notice(&letter) {
        let message = Message::of(notice.notice_id, &notice);
        broker.publish(&Target::Queue(Queue::RESULTS), message).await?;
    }
    letter.requeue(&**broker, &queue).await?;
    Ok(true)
}

/// Of a job that can be read. Of the same letter it is the same notice, however often it is put back.
fn notice(letter: &DeadLetter) -> Option<ParkingMessage> {
    let from_jobs = letter.queue()?.holds_jobs();
    let job = wire::decode::<JobMessage>(letter.body()).ok().filter(|_| from_jobs)?;
    let parked_at = letter.parked_at().map(|at| at.to_rfc3339()).unwrap_or_default();
    let notice_id = Uuid::new_v5(&letter.id(), format!("requeued {parked_at}").as_bytes());
    Some(ParkingMessage { notice_id, ..ParkingMessage::requeued(JobId(job.job_id)) })
}

fn not_parked(id: &Uuid, look: &Look<'_>) -> Failure {
    let unseen = look.unseen().map(|text| format!(" ({text})")).unwrap_or_default();
    Failure::usage(format!("no parked message has the id {id}{unseen}; see `linkbeat dead list`"))
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
