//! Messages that nobody could handle: looked at, put back, forgotten.

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use linkbeat_broker::{DeadLetter, Queue, SharedBroker, dead_letters};
use serde_json::json;
use uuid::Uuid;

use super::servers;
use crate::args::GlobalArgs;
use crate::exit::{Failure, Status};
use crate::output::plain;

/// Messages taken from the dead queue at once.
const PAGE: u16 = 1_000;
/// Characters of a body that are printed.
const BODY_SHOWN: usize = 100_000;

#[derive(Debug, Subcommand)]
pub(crate) enum DeadCommand {
    /// List parked messages, oldest first
    List {
        #[command(flatten)]
        filter: Filter,
        /// How the list is written
        #[arg(long, value_enum, default_value_t = ListFormat::Table)]
        format: ListFormat,
    },
    /// Print one parked message with its body
    Show {
        /// The message's id
        id: Uuid,
    },
    /// Put parked messages back into the queues they came from
    #[command(after_help = "Example:\n  linkbeat dead requeue --all --queue jobs")]
    Requeue(Chosen),
    /// Forget parked messages for good
    #[command(after_help = "Example:\n  linkbeat dead drop 0198c5f0-7d2c-7cc1-a9f5-5f2c6c1b7e11")]
    Drop(Chosen),
}

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// For people
    Table,
    /// An array of objects
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// Only those that came from this queue: jobs, results or requests
    #[arg(long, value_parser = parse_queue)]
    queue: Option<Queue>,
    /// Only those whose cause contains this text
    #[arg(long, value_name = "TEXT")]
    cause: Option<String>,
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

impl Filter {
    fn takes(&self, letter: &DeadLetter) -> bool {
        self.queue.is_none_or(|queue| letter.queue() == Some(queue))
            && self.cause.as_ref().is_none_or(|part| letter.cause().contains(part.as_str()))
    }
}

impl Chosen {
    fn takes(&self, letter: &DeadLetter) -> bool {
        (self.all || self.ids.contains(&letter.id())) && self.filter.takes(letter)
    }
}

fn parse_queue(text: &str) -> Result<Queue, String> {
    let parked_from = [Queue::Jobs, Queue::Results, Queue::Requests];
    let found = parked_from.into_iter().find(|queue| queue.as_str() == text);
    found.ok_or_else(|| format!("`{text}` is none of jobs, results and requests"))
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
        DeadCommand::List { filter, format } => {
            let mut letters = dead_letters(&**broker, PAGE).await?;
            letters.retain(|letter| filter.takes(letter));
            list(&letters, format);
            Ok(())
        }
        DeadCommand::Show { id } => {
            let letters = dead_letters(&**broker, PAGE).await?;
            show(letters.iter().find(|letter| letter.id() == id).ok_or_else(|| not_parked(&id))?);
            Ok(())
        }
        DeadCommand::Requeue(chosen) => {
            let count = settle(broker, &chosen, async |letter| {
                let Some(queue) = letter.queue() else { return Ok(false) };
                letter.requeue(&**broker, queue).await?;
                Ok(true)
            });
            anstream::eprintln!("{} put back", count.await?);
            Ok(())
        }
        DeadCommand::Drop(chosen) => {
            let count = settle(broker, &chosen, async |letter| Ok(letter.forget().await.is_ok()));
            anstream::eprintln!("{} dropped", count.await?);
            Ok(())
        }
    }
}

/// Settles the chosen ones among the oldest messages; with `--all` page after page.
async fn settle(
    broker: &SharedBroker,
    chosen: &Chosen,
    each: impl AsyncFn(DeadLetter) -> Result<bool, Failure>,
) -> Result<u64, Failure> {
    let mut settled = 0;
    loop {
        let (taken, mut others) = (settled, Vec::new());
        let letters = dead_letters(&**broker, PAGE).await?;
        let full = letters.len() == usize::from(PAGE);
        for letter in letters {
            if !chosen.takes(&letter) {
                others.push(letter);
            } else if each(letter).await? {
                settled += 1;
            }
        }
        if !(chosen.all && full && settled > taken) {
            break;
        }
    }
    match chosen.ids.first() {
        Some(id) if settled == 0 => Err(not_parked(id)),
        _ => Ok(settled),
    }
}

fn not_parked(id: &Uuid) -> Failure {
    Failure::usage(format!("no parked message has the id {id}; see `linkbeat dead list`"))
}

fn list(letters: &[DeadLetter], format: ListFormat) {
    if format == ListFormat::Json {
        let items: Vec<_> = letters.iter().map(item).collect();
        anstream::println!("{:#}", serde_json::Value::Array(items));
        return;
    }
    for letter in letters {
        let at = letter.parked_at().map(|at| at.format("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default();
        let queue = letter.queue().map_or("?", Queue::as_str);
        anstream::println!("{}  {queue:8}  {at}  {}", letter.id(), plain(letter.cause()));
    }
    anstream::eprintln!("{} parked", letters.len());
}

fn item(letter: &DeadLetter) -> serde_json::Value {
    json!({
        "id": letter.id(),
        "queue": letter.queue().map(Queue::as_str),
        "cause": letter.cause(),
        "parked_at": letter.parked_at(),
        "bytes": letter.body().len(),
    })
}

fn show(letter: &DeadLetter) {
    let mut item = item(letter);
    let body = String::from_utf8_lossy(letter.body());
    item["body"] = serde_json::from_str(&body)
        .unwrap_or_else(|_| json!(body.chars().take(BODY_SHOWN).collect::<String>()));
    anstream::println!("{item:#}");
}
