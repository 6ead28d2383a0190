//! Parses the command line, without showing a password that stands in it.

use std::ffi::OsString;
use std::process::exit;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, FromArgMatches};

use super::Cli;
use crate::lang;
use crate::logging::print_note;
use crate::settings::{HIDDEN, without_userinfo};

/// The flags whose values may hold a password. The settings parse them, so clap never refuses a value of theirs.
const SECRET_FLAGS: [&str; 4] = ["--database-url", "--broker-url", "--header", "--proxy"];

/// Parses the command line of this process. Ends it for help, and for a command line that is wrong.
pub(crate) fn parse() -> Cli {
    let arguments: Vec<_> = std::env::args_os().collect();
    lang::speak(lang::of_arguments(&arguments));
    parsed(&arguments).unwrap_or_else(|error| match refusal(error, &arguments) {
        Ok(error) if lang::is_english() => error.exit(),
        Ok(error) => say(&error),
        Err(text) => {
            print_note(text.trim_end());
            exit(2)
        }
    })
}

fn parsed(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let matches = lang::in_language(Cli::command()).try_get_matches_from(arguments)?;
    Cli::from_arg_matches(&matches)
}

/// Prints what clap says, with its own words in the language that is spoken.
fn say(error: &clap::Error) -> ! {
    let text = lang::spoken(error.render().to_string());
    if error.use_stderr() {
        print_note(text.trim_end());
    } else {
        anstream::print!("{text}");
    }
    exit(error.exit_code())
}

/// What clap says. `Err`: where it quoted something that may be a password, its text without that.
fn refusal(mut error: clap::Error, arguments: &[OsString]) -> Result<clap::Error, String> {
    if !error.use_stderr() {
        return Ok(error);
    }
    hide_parts_of_secrets(&mut error, arguments);
    let text = error.render().to_string();
    let safe = without_userinfo(&text);
    if safe == text { Ok(error) } else { Err(safe) }
}

/// A value with spaces that was not put in quotes falls into several arguments, and clap complains of the second.
fn hide_parts_of_secrets(error: &mut clap::Error, arguments: &[OsString]) {
    let is_secret = |argument: &OsString| {
        let argument = argument.to_string_lossy();
        SECRET_FLAGS.iter().any(|flag| argument.starts_with(flag))
    };
    if !arguments.iter().any(is_secret) {
        return;
    }
    for kind in [ContextKind::InvalidArg, ContextKind::InvalidSubcommand, ContextKind::InvalidValue] {
        if let Some(ContextValue::String(text)) = error.get(kind)
            && !text.starts_with(['-', '<', '['])
        {
            error.insert(kind, ContextValue::String(HIDDEN.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is printed for this command line.
    fn printed(arguments: &[&str]) -> String {
        let arguments: Vec<OsString> =
            std::iter::once("linkbeat").chain(arguments.iter().copied()).map(Into::into).collect();
        let error = parsed(&arguments).map(drop).expect_err("a wrong command line");
        refusal(error, &arguments).map_or_else(|text| text, |error| error.render().to_string())
    }

    #[test]
    fn no_wrong_command_line_shows_a_password() {
        for arguments in [
            &["worker", "--database-urls", "postgres://me:secret@db/x"][..],
            &["worker", "--database-urls=postgres://me:secret@db/x"],
            &["migrate", "postgres://me:secret@db/x"],
            &["migrate", "postgres://db/x?password=secret"],
            &["postgres://me:secret@db/x"],
            &["worker", "--header", "X-Key:", "secret"],
            &["worker", "--header", "Authorization:", "Basic", "secret"],
            &["worker", "--proxy", "http://proxy", "secret"],
            &["worker", "--header=X-Key:", "secret"],
            &["--proxy", "secret"],
            &["check", "--timeout", "amqp://me:secret@mq/"],
            &["check", "--accept", "amqp://me:secret@mq/"],
            &["check", "--allow-network", "amqp://me:secret@mq/"],
            &["check", "--format", "amqp://me:secret@mq/"],
            &["runs", "show", "amqp://me:secret@mq/"],
            &["worker", "--concurrency", "http://me:secret@proxy:3128"],
            &["worker", "--quiet=amqp://me:secret@mq/"],
        ] {
            let printed = printed(arguments);
            assert!(!printed.contains("secret") && printed.contains("error: "), "{arguments:?}: {printed}");
        }
    }

    #[test]
    fn what_is_no_password_is_quoted() {
        assert!(printed(&["chekc"]).contains("chekc"));
        assert!(printed(&["check", "--timeout", "soon"]).contains("soon"));
        assert!(printed(&["worker", "--proxy", "http://proxy", "--nonsense"]).contains("--nonsense"));
    }
}
