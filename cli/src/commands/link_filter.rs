//! Which of the stored links a command lists, and in which order. The database chooses and sorts them.

use chrono::Utc;
use clap::{Args, ValueEnum};
use linkbeat_shared::history::Keep;
use linkbeat_shared::{GroupName, Tag, Verdict};
use linkbeat_store::{LinkOrder, LinkQuery};

#[derive(Debug, Default, Args)]
pub(crate) struct LinkFilterArgs {
    /// Only those that are shown
    #[arg(long, conflicts_with = "hidden")]
    shown: bool,
    /// Only those that are hidden
    #[arg(long)]
    hidden: bool,
    /// Only those with this latest verdict: up, down, no_backlink, blocked or refused
    #[arg(long)]
    verdict: Option<Verdict>,
    /// Only those with this latest reason, such as timeout, status, dns, tls or backlink_missing
    #[arg(long, value_name = "WORD")]
    reason: Option<String>,
    /// Only those of this section of the list
    #[arg(long, value_name = "TEXT")]
    group: Option<GroupName>,
    /// Only those with this label
    #[arg(long, value_name = "TAG")]
    tag: Option<Tag>,
    /// Only those of this host
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Only those whose verdict became what it is within this time, such as 7d
    #[arg(long, value_name = "TIME")]
    since: Option<Keep>,
    /// Only those that less than so many percent of the checks of the last 30 days reached, such as 99.5. It is as of the
    /// last rolling up, about an hour ago
    #[arg(long, value_name = "PERCENT", value_parser = parse_percent)]
    reachable_below: Option<u32>,
    /// The order: by name, host, verdict, reason, since (the latest change first) or reachable (the least first)
    /// [default: as they were imported]
    #[arg(long, value_enum, value_name = "BY", hide_possible_values = true)]
    sort: Option<Sort>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sort {
    Name,
    Host,
    Verdict,
    Reason,
    Since,
    Reachable,
}

/// Percent as hundredths of a percent.
fn parse_percent(text: &str) -> Result<u32, String> {
    let percent: f64 =
        text.trim_end_matches(['%', ' ']).parse().map_err(|_| format!("`{text}` is no number"))?;
    // The range leaves a number that fits.
    if (0.0..=100.0).contains(&percent) {
        Ok((percent * 100.0).round() as u32)
    } else {
        Err(format!("{text} is not between 0 and 100"))
    }
}

impl LinkFilterArgs {
    /// What the database is asked for.
    pub(crate) fn query(&self) -> LinkQuery {
        LinkQuery {
            shown: (self.shown || self.hidden).then_some(self.shown),
            verdict: self.verdict,
            reason: self.reason.clone(),
            group: self.group.clone(),
            tag: self.tag.clone(),
            host: self.host.clone(),
            verdict_since: self.since.map(|since| Utc::now() - since.duration()),
            reached_below: self.reachable_below,
            order: match self.sort {
                None => LinkOrder::Id,
                Some(Sort::Name) => LinkOrder::Name,
                Some(Sort::Host) => LinkOrder::Host,
                Some(Sort::Verdict) => LinkOrder::Verdict,
                Some(Sort::Reason) => LinkOrder::Reason,
                Some(Sort::Since) => LinkOrder::Since,
                Some(Sort::Reachable) => LinkOrder::Reachable,
            },
            ..LinkQuery::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_is_read_to_the_hundredth() {
        assert_eq!(parse_percent("99.95"), Ok(9_995));
        assert_eq!(parse_percent("100 %"), Ok(10_000));
        for bad in ["101", "-1", "most", "NaN"] {
            assert!(parse_percent(bad).is_err(), "{bad}");
        }
    }
}
