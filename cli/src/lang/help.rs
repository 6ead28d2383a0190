//! Help in Chinese: the texts of the command line, and the words that clap itself says.

use std::sync::atomic::Ordering::Relaxed;

use clap::builder::PossibleValue;
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
    let arg = with_chinese_values(arg, help, long);
    match heading {
        Some(heading) => arg.help_heading(heading),
        None => arg,
    }
}

/// clap says what each value means in the words of its type, so these stand in the help itself.
fn with_chinese_values(arg: Arg, help: Option<&'static str>, long: Option<&'static str>) -> Arg {
    let Some(help) = help else { return arg };
    let values = arg.get_possible_values();
    if arg.is_hide_possible_values_set() || values.iter().all(|value| value.get_help().is_none()) {
        let arg = arg.help(help);
        return match long {
            Some(long) => arg.long_help(long),
            None => arg,
        };
    }
    let names: Vec<_> = values.iter().map(PossibleValue::get_name).collect();
    let meaning = |value: &PossibleValue| value.get_help().and_then(|text| chinese(&text.to_string()));
    let each = values
        .iter()
        .map(|value| format!("\n- {}：{}", value.get_name(), meaning(value).unwrap_or_default()));
    let short = format!("{help} [可选值：{}]", names.join(", "));
    let long = format!("{}\n\n可选值：{}", long.unwrap_or(help), each.collect::<String>());
    arg.hide_possible_values(true).help(short).long_help(long)
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

    #[test]
    fn the_whole_help_is_said_in_chinese() {
        let mut missing = Vec::new();
        let mut open = vec![Cli::command()];
        while let Some(command) = open.pop() {
            open.extend(command.get_subcommands().cloned());
            let about = [command.get_about(), command.get_long_about()];
            let args = command.get_arguments().flat_map(|arg| {
                let values = arg.get_possible_values();
                let values: Vec<_> = values.iter().filter_map(|value| value.get_help().cloned()).collect();
                let help = [arg.get_help(), arg.get_long_help()].into_iter().flatten().cloned();
                help.chain(values).map(|text| text.to_string())
            });
            let texts = about.into_iter().flatten().map(ToString::to_string).chain(args.collect::<Vec<_>>());
            missing.extend(texts.filter(|text| chinese(text).is_none()));
        }
        missing.sort_unstable();
        missing.dedup();
        assert_eq!(missing, [""; 0]);
    }
}
