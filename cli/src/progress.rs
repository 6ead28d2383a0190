//! A progress bar on standard error, where that is a terminal.

use std::fmt::Write;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// A bar over this many links. It draws nothing if `quiet`, or if standard error is no terminal.
pub(crate) fn bar(links: u64, quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(links), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos}/{len} links  {elapsed}{pace}") {
        bar.set_style(style.with_key("pace", write_pace));
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn write_pace(state: &ProgressState, out: &mut dyn Write) {
    // A bar that cannot be drawn is no reason to stop.
    let _ = out.write_str(&pace(state.pos(), state.per_sec(), state.eta()));
}

/// How fast it goes and how long it will still take. Empty while nothing is done yet.
fn pace(done: u64, per_second: f64, left: Duration) -> String {
    match done {
        0 => String::new(),
        _ if per_second < 10.0 => format!("  {per_second:.1}/s  eta {:#}", HumanDuration(left)),
        _ => format!("  {per_second:.0}/s  eta {:#}", HumanDuration(left)),
    }
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
    }
}
