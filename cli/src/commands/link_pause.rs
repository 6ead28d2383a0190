//! `linkbeat links pause` and `linkbeat links resume`.

use chrono::Utc;
use clap::Args;
use linkbeat_shared::schedule::Zone;
use linkbeat_shared::{LinkId, pause_end};
use linkbeat_store::{LinkChanges, SharedStore};

use super::links::one;
use crate::exit::Failure;
use crate::logging::print_note;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  linkbeat links pause 'A friend'
  linkbeat links pause https://friend.example/ --until 2d
  linkbeat links pause 'A friend' 'A neighbour' --until '2026-12-01 08:00' --time-zone Asia/Shanghai

A link whose pause has ended is active again, and the next run checks it.")]
pub(crate) struct PauseArgs {
    /// Ids, URLs or exact names
    #[arg(required = true, value_name = "LINK")]
    links: Vec<String>,
    /// When the pause ends: after a time such as 2d, or at a moment such as '2026-12-01 08:00' [default: when somebody
    /// resumes the links]
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Time zone of the IANA database in which the moment is read [default: UTC]
    #[arg(long, value_name = "ZONE", requires = "until")]
    time_zone: Option<Zone>,
}

impl PauseArgs {
    /// What becomes of the links.
    pub(super) fn changes(&self) -> Result<LinkChanges, Failure> {
        let zone = self.time_zone.unwrap_or(Zone::UTC);
        let until = self.until.as_deref().map(|until| pause_end(until, zone, Utc::now())).transpose();
        let paused_until = until.map_err(|error| Failure::usage(format!("--until: {error}")))?;
        Ok(LinkChanges { active: Some(false), paused_until, ..LinkChanges::default() })
    }
}

pub(super) async fn pause(
    store: &SharedStore,
    args: &PauseArgs,
    changes: &LinkChanges,
) -> Result<(), Failure> {
    let paused = set(store, &args.links, changes).await?;
    match changes.paused_until {
        Some(until) => {
            print_note(format_args!("{paused} paused until {}", until.format("%Y-%m-%d %H:%M:%S UTC")));
        }
        None => print_note(format_args!("{paused} paused")),
    }
    Ok(())
}

pub(super) async fn resume(store: &SharedStore, links: &[String]) -> Result<(), Failure> {
    let active = LinkChanges { active: Some(true), ..LinkChanges::default() };
    print_note(format_args!("{} resumed", set(store, links, &active).await?));
    Ok(())
}

/// Changes all of these links, or none if one of them is not stored.
async fn set(store: &SharedStore, wanted: &[String], changes: &LinkChanges) -> Result<u64, Failure> {
    let mut ids: Vec<LinkId> = Vec::with_capacity(wanted.len());
    for wanted in wanted {
        ids.push(one(store, wanted).await?.id);
    }
    Ok(store.set_links(&ids, changes).await?)
}
