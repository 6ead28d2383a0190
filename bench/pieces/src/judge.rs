//! A result, judged by the rules.

use linkbeat_recorder::Rules;
use linkbeat_shared::{LinkId, LinkState, ShowRules};
use linkbeat_store::{JobKind, Judge, Judged};

use crate::Piece;
use crate::messages::{lacking, up};

pub(crate) fn pieces() -> Vec<Piece> {
    let (passed, missed) = (up(LinkId::new()), lacking(LinkId::new()));
    [("judge a result that is up", passed), ("judge a result that hides", missed)]
        .into_iter()
        .map(|(name, result)| {
            let (state, rules) = (LinkState { shown: true, ..LinkState::default() }, ShowRules::default());
            Piece::new(name, 1_000, move || {
                let link = Judged {
                    name: "A friend",
                    url: "https://friend.example/",
                    state: &state,
                    pin: None,
                    backlink_left_open: false,
                };
                Rules.judge(&link, &result, &rules, JobKind::Check)
            })
        })
        .collect()
}
