//! `linkbeat links`: imports, lists, adds, changes and removes stored links.

use clap::{ArgGroup, Args, Subcommand};
use linkbeat_shared::{Description, Link, LinkId, LinkName, LinkUrl, NewLink, Pin, Pinned, Without};
use linkbeat_store::{LinkChanges, SharedStore};

use super::link_filter::LinkFilterArgs;
use super::link_history::LinkHistoryArgs;
use super::link_pause::{self, PauseArgs};
use super::link_said::SaidArgs;
use super::{servers, write};
use crate::args::{Flags, GlobalArgs, InputArgs, OutputArgs};
use crate::exit::{Failure, Status};
use crate::listed::Listed;
use crate::logging::print_note;
use crate::output::Urls;

#[derive(Debug, Subcommand)]
pub(crate) enum LinksCommand {
    /// Add the links of INPUT, or update those of the same URL
    Import {
        #[command(flatten)]
        input: InputArgs,
        /// No notes on standard error
        #[arg(long, short)]
        quiet: bool,
    },
    /// List the stored links with their latest state
    List(ListArgs),
    /// The days of one link: how reachable it was, how long it was shown, how fast it answered
    History(LinkHistoryArgs),
    /// Add one link
    Add(AddArgs),
    /// Change one link
    Set(SetArgs),
    /// Leave links out of runs, for some time or until they are resumed
    Pause(PauseArgs),
    /// Let runs check links again
    Resume {
        /// Ids, URLs or exact names
        #[arg(required = true, value_name = "LINK")]
        links: Vec<String>,
    },
    /// Remove links; what was found about them stays in the history
    Remove {
        /// Ids, URLs or exact names
        #[arg(required = true, value_name = "LINK")]
        links: Vec<String>,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  linkbeat links list --hidden
  linkbeat links list --reachable-below 99.5 --sort reachable
  linkbeat links list --verdict down --since 7d --sort since
  linkbeat links list --verdict down --format csv --output down.csv
  linkbeat links list --format yaml --with-secrets --output links.yml

Each of json, jsonl, yaml and csv can be imported again. Without --with-secrets, URLs lack user names and passwords;
an import of such a URL leaves the stored ones as they are.")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    filter: LinkFilterArgs,
    /// Write whole URLs, with user names and passwords (json, jsonl, yaml, csv)
    #[arg(long)]
    with_secrets: bool,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("change").multiple(true)),
    after_help = "Example:\n  linkbeat links add https://friend.example/ --name 'A friend'"
)]
pub(crate) struct AddArgs {
    /// What to fetch
    #[arg(value_parser = LinkUrl::parse)]
    url: LinkUrl,
    /// What to call it [default: the URL's host]
    #[arg(long, value_parser = LinkName::parse)]
    name: Option<LinkName>,
    /// The page on which the backlink must stand, where it is another
    #[arg(long, value_name = "URL", value_parser = LinkUrl::parse)]
    page_url: Option<LinkUrl>,
    /// Ask no backlink of it
    #[arg(long)]
    no_backlink: bool,
    #[command(flatten)]
    said: SaidArgs,
}

#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("change").required(true).multiple(true)),
    after_help = "\
Examples:
  linkbeat links set 'A friend' --active false
  linkbeat links set https://friend.example/ --page-url https://friend.example/links
  linkbeat links set https://friend.example/ --page-url none
  linkbeat links set https://friend.example/ --url https://new.example/
  linkbeat links set 'A friend' --pin hidden --note 'asked me to'
  linkbeat links set https://friend.example/ --group Friends --tags art,tech
  linkbeat links set https://friend.example/ --group '' --description '' --feed ''    without them"
)]
pub(crate) struct SetArgs {
    /// Id, URL or exact name
    link: String,
    /// A new name
    #[arg(long, group = "change", value_parser = LinkName::parse)]
    name: Option<LinkName>,
    /// A new URL; the link keeps its history
    #[arg(long, group = "change", value_parser = LinkUrl::parse)]
    url: Option<LinkUrl>,
    /// The page on which the backlink must stand; `none`: the link's own
    #[arg(long, group = "change", value_name = "URL", value_parser = parse_page_url)]
    page_url: Option<PageUrl>,
    /// Whether runs check it
    #[arg(long, group = "change", value_name = "BOOL")]
    active: Option<bool>,
    /// Whether it is shown, until the next check decides
    #[arg(long, group = "change", value_name = "BOOL", conflicts_with = "pin")]
    shown: Option<bool>,
    /// Keep it hidden or shown, whatever checks find: hidden or shown; `none`: checks decide again
    #[arg(long, group = "change", value_name = "HOW", value_parser = parse_pin)]
    pin: Option<PinTo>,
    /// Why it is pinned
    #[arg(long, value_name = "TEXT", requires = "pin")]
    note: Option<Description>,
    /// Whether a backlink is asked of it
    #[arg(long, group = "change", value_name = "BOOL")]
    backlink: Option<bool>,
    #[command(flatten)]
    said: SaidArgs,
}

/// How a link is pinned, or `none`.
#[derive(Debug, Clone, Copy)]
struct PinTo(Option<Pinned>);

fn parse_pin(text: &str) -> Result<PinTo, String> {
    if text == "none" {
        return Ok(PinTo(None));
    }
    text.parse()
        .map(|pinned| PinTo(Some(pinned)))
        .map_err(|_| format!("`{text}` is none of hidden, shown and none"))
}

/// A page URL, or `none`.
#[derive(Debug, Clone)]
struct PageUrl(Option<LinkUrl>);

fn parse_page_url(text: &str) -> Result<PageUrl, String> {
    if text == "none" {
        return Ok(PageUrl(None));
    }
    LinkUrl::parse(text).map(|url| PageUrl(Some(url))).map_err(|error| error.to_string())
}

/// `linkbeat links`
pub(crate) async fn run(global: &GlobalArgs, command: LinksCommand) -> Result<Status, Failure> {
    if let LinksCommand::List(args) = command {
        return list(global, &args).await;
    }
    if let LinksCommand::History(args) = command {
        return history(global, &args).await;
    }
    let settings = global.plain_settings()?;
    // Bad input is refused before the database is touched.
    let import = match &command {
        LinksCommand::Import { input, quiet } => Some(input.read(*quiet)?.ok_or_else(no_list)?),
        _ => None,
    };
    let pause = match &command {
        LinksCommand::Pause(args) => args.changes()?,
        _ => LinkChanges::default(),
    };
    let store = servers::store(&settings).await?;
    let done = match (command, import) {
        (LinksCommand::Import { quiet, .. }, Some(listed)) => import_links(&store, listed, quiet).await,
        (LinksCommand::Add(args), _) => add(&store, args).await,
        (LinksCommand::Set(args), _) => set(&store, args).await,
        (LinksCommand::Pause(args), _) => link_pause::pause(&store, &args, &pause).await,
        (LinksCommand::Resume { links }, _) => link_pause::resume(&store, &links).await,
        (LinksCommand::Remove { links }, _) => remove(&store, &links).await,
        (LinksCommand::Import { .. } | LinksCommand::List(_) | LinksCommand::History(_), _) => Ok(()),
    };
    store.close().await;
    done.map(|()| Status::Passed)
}

fn no_list() -> Failure {
    Failure::usage("name a list to import, such as `linkbeat links import friends.csv`")
}

async fn import_links(store: &SharedStore, listed: Listed, is_quiet: bool) -> Result<(), Failure> {
    // What the names of the files do not say was told before.
    let shapes: Vec<_> =
        listed.input.read.iter().filter(|read| read.is_expected).map(ToString::to_string).collect();
    let links = listed.meet(store).await?;
    let imported = store.import(links).await?;
    if !is_quiet {
        shapes.iter().for_each(print_note);
        print_note(format_args!(
            "{} added, {} updated, {} unchanged",
            imported.added, imported.updated, imported.unchanged
        ));
    }
    Ok(())
}

async fn list(global: &GlobalArgs, args: &ListArgs) -> Result<Status, Failure> {
    let settings = global.settings(Flags { output: Some(&args.output), ..Flags::default() }, "warn")?;
    let store = servers::store(&settings).await?;
    let wanted = args.filter.query();
    let urls = if args.with_secrets { Urls::Whole } else { Urls::Redacted };
    let written = write::links(&settings, &args.output, urls, &store, &wanted).await;
    store.close().await;
    written.map(|()| Status::Passed)
}

async fn history(global: &GlobalArgs, args: &LinkHistoryArgs) -> Result<Status, Failure> {
    let settings = global.settings(Flags { output: Some(&args.output), ..Flags::default() }, "warn")?;
    let store = servers::store(&settings).await?;
    let written = async {
        let link = one(&store, &args.link).await?;
        let history = args.read(&store, link, settings.history.time_zone).await?;
        write::link_history(&settings, &args.output, &history)
    };
    let written = written.await;
    store.close().await;
    written.map(|()| Status::Passed)
}

async fn add(store: &SharedStore, args: AddArgs) -> Result<(), Failure> {
    let url = args.url.to_string();
    let link = NewLink {
        name: args.name,
        page_url: args.page_url,
        backlink: args.no_backlink.then_some(false),
        group: args.said.group(),
        without: args.said.without(),
        attributes: args.said.attributes(),
        ..NewLink::from_url(args.url)
    };
    let imported = store.import(vec![link].into()).await?;
    let what = if imported.added == 1 { "added" } else { "updated: a link of this URL was stored already" };
    print_note(format_args!("{url} {what}"));
    Ok(())
}

async fn set(store: &SharedStore, args: SetArgs) -> Result<(), Failure> {
    let link = one(store, &args.link).await?;
    if let Some(url) = &args.url {
        refuse_known(store, &link, url).await?;
    }
    let note = args.note;
    let without_page = matches!(args.page_url, Some(PageUrl(None)));
    let changes = LinkChanges {
        name: args.name,
        url: args.url,
        pin: args.pin.map(|PinTo(to)| to.map(|to| Pin { to, note })),
        page_url: args.page_url.and_then(|PageUrl(url)| url),
        active: args.active,
        shown: args.shown,
        backlink: args.backlink,
        group: args.said.group(),
        without: Without { page_url: without_page, ..args.said.without() },
        attributes: args.said.attributes(),
        ..LinkChanges::default()
    };
    match store.set_link(link.id, &changes).await? {
        Some(link) => print_note(format_args!("{} ({}) changed", link.name, link.url)),
        None => return Err(not_stored(&args.link)),
    }
    Ok(())
}

/// A link cannot move to where another one is.
async fn refuse_known(store: &SharedStore, link: &Link, url: &LinkUrl) -> Result<(), Failure> {
    let found = store.find_links(&url.key()).await?;
    match found.iter().find(|other| other.id != link.id && other.url.key() == url.key()) {
        None => Ok(()),
        Some(other) => Err(Failure::usage(format!("{url} is stored already, as {}", other.name))
            .advise(format!("`linkbeat links remove {url}` first, if both are the same"))),
    }
}

async fn remove(store: &SharedStore, wanted: &[String]) -> Result<(), Failure> {
    let mut ids: Vec<LinkId> = Vec::new();
    for wanted in wanted {
        ids.push(one(store, wanted).await?.id);
    }
    let removed = store.remove_links(&ids).await?;
    print_note(format_args!("{removed} removed"));
    Ok(())
}

/// The one stored link that is meant. A name that several links share does not say which.
pub(super) async fn one(store: &SharedStore, wanted: &str) -> Result<Link, Failure> {
    let mut found = store.find_links(wanted).await?;
    match (found.pop(), found.len()) {
        (Some(link), 0) => Ok(link),
        (Some(_), others) => {
            let problem = format!("`{wanted}` names {} links", others + 1);
            Err(Failure::usage(problem).advise("use an id or a URL"))
        }
        (None, _) => Err(not_stored(wanted)),
    }
}

fn not_stored(wanted: &str) -> Failure {
    Failure::usage(format!("no stored link has the id, URL or name `{wanted}`"))
        .advise("see `linkbeat links list`")
}
