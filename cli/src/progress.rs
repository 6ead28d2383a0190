//! A progress bar on standard error, where that is a terminal.

use std::fmt::Write;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::lang;

/// A bar over this many links. It draws nothing if `quiet`, or if standard error is no terminal.
pub(crate) fn bar(links: u64, quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(links), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(template()) {
        bar.set_style(style.with_key("pace", write_pace));
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn template() -> &'static str {
    if lang::is_english() {
        "{bar:32} {pos}/{len} links  {elapsed}{pace}"
    } else {
        "{bar:32} {pos}/{len} 个链接  {elapsed}{pace}"
    }
}

/// The longest time that is foretold.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

fn write_pace(state: &ProgressState, out: &mut dyn Write) {
    // A bar that cannot be drawn is no reason to stop.
    let _ = out.write_str(&pace(state.pos(), state.per_sec(), state.eta()));
}

/// How fast it goes and how long it will still take, as far as that is known.
fn pace(done: u64, per_second: f64, left: Duration) -> String {
    if done == 0 {
        return String::new();
    }
    // Nobody believes more than a day. No time at all, and less than is written, means that none is known: the last links
    // are often the slow ones.
    let is_known = left >= Duration::from_secs(1) && left < LONGEST;
    let word = if lang::is_english() { "eta" } else { "剩余" };
    let eta = if is_known { format!("  {word} {:#}", HumanDuration(left)) } else { String::new() };
    if per_second < 10.0 { format!("  {per_second:.1}/s{eta}") } else { format!("  {per_second:.0}/s{eta}") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::pace;

    #[test]
    fn nothing_is_foretold_before_anything_came() {
        assert_eq!(pace(0, 0.0, Duration::ZERO), "");
        assert_eq!(pace(1, 0.4, Duration::from_secs(150)), "  0.4/s  eta 3m");
        assert_eq!(pace(900, 312.4, Duration::from_secs(7)), "  312/s  eta 7s");
        assert_eq!(pace(1, 0.0, Duration::from_secs(u64::MAX)), "  0.0/s");
        assert_eq!(pace(1, 3.0, Duration::ZERO), "  3.0/s");
        assert_eq!(
            pace(4, 11.0, Duration::from_millis(300)),
            "  11/s",
            "no `eta 0s` while the last one is slow"
        );
    }
}
