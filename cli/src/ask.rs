//! Asks a person at a terminal.

use std::fmt::Display;
use std::io::{self, IsTerminal};

use crate::logging::print_note;

/// Whether somebody can answer.
pub(crate) fn is_possible() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Whether the answer is yes.
pub(crate) fn confirm(question: impl Display) -> bool {
    print_note(format_args!("{question} [y/N]"));
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes" | "是")
}
