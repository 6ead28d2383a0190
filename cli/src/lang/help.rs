//! Help in Chinese: the texts of the command line, and the words that clap itself says.

use std::sync::atomic::Ordering::Relaxed;

use clap::{Arg, Command};

use super::CHINESE;
use super::texts::{CLAP, HELP};

/// The command line with its texts in the language that is spoken.
pub(crate) fn in_language(command: Command) -> Command {
    if CHINESE.load(Relaxed) { translated(command) } else { command }
}

fn translated(command: Command) -> Command {
    let about = command.get_about().and_then(|text| chinese(&text.to_string()));
    let long = command.get_long_about().and_then(|text| chinese(&text.to_string()));
    let after = command.get_after_help().and_then(|text| chinese(&text.to_string()));
    let mut command = command.mut_args(with_chinese_help).mut_subcommands(translated);
    if let Some(about) = about {
        command = command.about(about);
    }
    if let Some(long) = long {
        command = command.long_about(long);
    }
    if let Some(after) = after {
        command = command.after_help(after);
    }
    command
}

fn with_chinese_help(arg: Arg) -> Arg {
    let help = arg.get_help().and_then(|text| chinese(&text.to_string()));
    let long = arg.get_long_help().and_then(|text| chinese(&text.to_string()));
    let heading = arg.get_help_heading().and_then(chinese);
    let arg = match help {
        Some(help) => arg.help(help),
        None => arg,
    };
    let arg = match long {
        Some(long) => arg.long_help(long),
        None => arg,
    };
    match heading {
        Some(heading) => arg.help_heading(heading),
        None => arg,
    }
}

/// The Chinese of a text of ours, whose lines may be broken elsewhere.
fn chinese(text: &str) -> Option<&'static str> {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let wanted = words(text);
    HELP.iter().find(|(english, _)| words(english) == wanted).map(|(_, chinese)| *chinese)
}

/// What clap has printed, with its own words in the language that is spoken.
pub(crate) fn spoken(text: String) -> String {
    if !CHINESE.load(Relaxed) {
        return text;
    }
    CLAP.iter().fold(text, |text, (english, chinese)| text.replace(english, chinese))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::commands::Cli;

    /// What people use on one machine is all said in Chinese.
    #[test]
    fn the_help_of_the_everyday_commands_is_whole() {
        let cli = translated(Cli::command());
        let everyday = ["check", "links", "run", "runs"];
        let is_english = |text: &str| !text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
        let mut english = Vec::new();
        let mut open: Vec<&Command> = vec![&cli];
        while let Some(command) = open.pop() {
            let is_root = command.get_name() == "linkbeat";
            let inner =
                command.get_subcommands().filter(|inner| !is_root || everyday.contains(&inner.get_name()));
            open.extend(inner);
            let texts = [command.get_about(), command.get_long_about()]
                .into_iter()
                .flatten()
                .map(ToString::to_string);
            let args = command.get_arguments().filter_map(|arg| arg.get_help()).map(ToString::to_string);
            english.extend(texts.chain(args).filter(|text| is_english(text)));
        }
        // Others may have added a flag; it is said in English until somebody translates it.
        assert!(english.len() < 12, "{english:#?}");
    }
}
