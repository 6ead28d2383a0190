//! What a form did, told on the page that it came back to. The address says it with a word and a number.

use super::form::Form;
use super::wording::{Texts, fill};

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    KeptHidden,
    KeptShown,
    LeftToChecks,
    Paused,
    Resumed,
    Grouped,
    Changed,
    Removed,
    Imported,
    Cancelled,
    Applied,
    Discarded,
    Filed,
    Requeued,
    NotAllRequeued,
    Dropped,
    NotAllDropped,
}

impl Done {
    const ALL: [(Self, &'static str); 17] = [
        (Self::KeptHidden, "kept-hidden"),
        (Self::KeptShown, "kept-shown"),
        (Self::LeftToChecks, "left-to-checks"),
        (Self::Paused, "paused"),
        (Self::Resumed, "resumed"),
        (Self::Grouped, "grouped"),
        (Self::Changed, "changed"),
        (Self::Removed, "removed"),
        (Self::Imported, "imported"),
        (Self::Cancelled, "cancelled"),
        (Self::Applied, "applied"),
        (Self::Discarded, "discarded"),
        (Self::Filed, "filed"),
        (Self::Requeued, "requeued"),
        (Self::NotAllRequeued, "not-all-requeued"),
        (Self::Dropped, "dropped"),
        (Self::NotAllDropped, "not-all-dropped"),
    ];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(done, _)| *done == self).map_or("", |(_, word)| word)
    }

    fn text(self, t: &Texts) -> &'static str {
        match self {
            Self::KeptHidden => t.told_kept_hidden,
            Self::KeptShown => t.told_kept_shown,
            Self::LeftToChecks => t.told_left_to_checks,
            Self::Paused => t.told_paused,
            Self::Resumed => t.told_resumed,
            Self::Grouped => t.told_grouped,
            Self::Changed => t.told_changed,
            Self::Removed => t.told_removed,
            Self::Imported => t.told_imported,
            Self::Cancelled => t.told_cancelled,
            Self::Applied => t.told_applied,
            Self::Discarded => t.told_discarded,
            Self::Filed => t.told_filed,
            Self::Requeued => t.told_requeued,
            Self::NotAllRequeued => t.told_not_all_requeued,
            Self::Dropped => t.told_dropped,
            Self::NotAllDropped => t.told_not_all_dropped,
        }
    }
}

/// The address of a page that tells what was done to so many.
pub(super) fn address(page: &str, done: Done, number: u64) -> String {
    let (path, query) = page.split_once('?').unwrap_or((page, ""));
    let kept = query.split('&').filter(|pair| !pair.is_empty() && !is_told(pair));
    let told = [format!("told={}", done.word()), format!("number={number}")];
    let query: Vec<String> = kept.map(str::to_owned).chain(told).collect();
    format!("{path}?{}", query.join("&"))
}

fn is_told(pair: &str) -> bool {
    pair.starts_with("told=") || pair.starts_with("number=")
}

/// What a page tells, if its address says so.
pub(super) fn read(t: &Texts, query: &Form) -> Option<String> {
    let word = query.get("told")?;
    let (done, _) = Done::ALL.into_iter().find(|(_, known)| *known == word)?;
    let number: u64 = query.get("number")?.parse().ok()?;
    Some(fill(done.text(t), &[&number]))
}

#[cfg(test)]
mod tests {
    use linkbeat_shared::Lang;

    use super::*;

    #[test]
    fn the_newest_message_alone_is_told() {
        let once = address("/links?group=a", Done::Paused, 3);
        assert_eq!(once, "/links?group=a&told=paused&number=3");
        assert_eq!(address(&once, Done::Resumed, 1), "/links?group=a&told=resumed&number=1");
        let told = |query: &str| read(Texts::of(Lang::En), &Form::read(query.as_bytes()).unwrap());
        assert!(told("told=paused&number=3").unwrap().contains('3'));
        assert_eq!((told("told=<b>&number=3"), told("told=paused&number=x")), (None, None));
    }
}
