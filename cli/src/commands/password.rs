//! `linkbeat dashboard password`: the hash of a password, for the setting `dashboard.password_hash`.

use std::io::{self, BufRead, IsTerminal, Stdin};

use linkbeat_dashboard::{PasswordHash, SHORTEST_PASSWORD};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::write;
use crate::exit::{Failure, Status};
use crate::logging::print_note;

/// Asks for a password, twice at a terminal, and prints its hash.
pub(super) fn run() -> Result<Status, Failure> {
    let password = if io::stdin().is_terminal() { asked()? } else { line(&io::stdin())? };
    if password.chars().count() < SHORTEST_PASSWORD {
        return Err(Failure::usage(format!("a password has at least {SHORTEST_PASSWORD} characters")));
    }
    let hash = PasswordHash::of(&password).map_err(|error| Failure::infrastructure(error.to_string()))?;
    write::line(&hash.to_string())?;
    print_note("put it into linkbeat.toml, in single quotes: password_hash = '…' under [dashboard]");
    Ok(Status::Passed)
}

fn asked() -> Result<String, Failure> {
    print_note("Password:");
    let password = unseen()?;
    print_note("The same again:");
    if unseen()? != password {
        return Err(Failure::usage("these are two different passwords"));
    }
    Ok(password)
}

/// Reads a line that the terminal does not show.
fn unseen() -> Result<String, Failure> {
    let stdin = io::stdin();
    let shown = tcgetattr(&stdin).map_err(io::Error::from)?;
    let mut unseen = shown.clone();
    unseen.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Flush, &unseen).map_err(io::Error::from)?;
    let _restored = Restored(shown);
    line(&stdin)
}

/// Shows what is typed again, whatever comes.
struct Restored(Termios);

impl Drop for Restored {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}

fn line(stdin: &Stdin) -> Result<String, Failure> {
    let mut line = String::new();
    stdin.lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
