//! `linkbeat tokens`: tokens of programs that use the dashboard's API.

use clap::Subcommand;
use linkbeat_dashboard::NewToken;
use linkbeat_store::{Scope, TokenName};

use super::{servers, write};
use crate::args::GlobalArgs;
use crate::exit::{Failure, Status};
use crate::logging::print_note;
use crate::output::ListFormat;

#[derive(Debug, Subcommand)]
pub(crate) enum TokensCommand {
    /// Make a token and print it. It is shown this once: linkbeat keeps only its hash
    #[command(after_help = "\
Examples:
  linkbeat tokens add grafana --scope read
  curl -H \"Authorization: Bearer $TOKEN\" http://127.0.0.1:8080/api/v1/links")]
    Add {
        /// What to call it
        name: TokenName,
        /// What it may do: read, or also write
        #[arg(long, value_name = "read|write")]
        scope: Scope,
    },
    /// List the tokens, without themselves
    List {
        /// How the list is written
        #[arg(long, value_enum, default_value = "table")]
        format: ListFormat,
    },
    /// Remove a token. It opens nothing from then on
    Remove {
        /// Its name
        name: String,
    },
}

/// `linkbeat tokens`
pub(crate) async fn run(global: &GlobalArgs, command: TokensCommand) -> Result<Status, Failure> {
    let settings = global.plain_settings()?;
    let store = servers::store(&settings).await?;
    match command {
        TokensCommand::Add { name, scope } => {
            let token = NewToken::new();
            if !store.add_token(&name, &token.hash(), scope).await? {
                let problem = format!("there is a token `{}` already", name.as_str());
                return Err(Failure::usage(problem).advise("take another name, or remove that one first"));
            }
            write::line(token.reveal())?;
            print_note("keep it now: it is not shown again");
        }
        TokensCommand::List { format } => write::tokens(&store.tokens().await?, format)?,
        TokensCommand::Remove { name } => {
            if !store.remove_token(&name).await? {
                return Err(Failure::usage(format!("there is no token `{name}`"))
                    .advise("see `linkbeat tokens list`"));
            }
        }
    }
    store.close().await;
    Ok(Status::Passed)
}
