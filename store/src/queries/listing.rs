//! Which links are wanted, and in which order.

use chrono::{DateTime, Utc};
use diesel::dsl::{AsExprOf, sql};
use diesel::expression::{SqlLiteral, UncheckedBind};
use diesel::prelude::{ExpressionMethods, NullableExpressionMethods, QueryDsl, SelectableHelper};
use diesel::sql_types::{Bool, Integer, Nullable, Text};
use diesel_async::RunQueryDsl;
use linkbeat_shared::{Link, LinkId};

use super::{Backend, Connection, dialect};
use crate::error::Fault;
use crate::rows::LinkRow;
use crate::schema::{links, sql as types};
use crate::traits::{LinkOrder, LinkQuery};
use crate::values::{Id, Moment};

/// Stands in the place of a verdict or a reason that a link does not have. It comes after all words.
pub(super) const NO_WORD: &str = "~";
/// The same of a moment. It comes before all others.
pub(super) const NO_MOMENT: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// How reachable links were, as the index has it: those of which nothing is known come last.
pub(super) const REACHED_KEY: &str = "coalesce(links.reachable, 10001)";
/// When verdicts became what they are, as the index has it. Without a verdict it is [`NO_MOMENT`].
pub(super) const SINCE_KEY: &str = "coalesce(links.verdict_since, '1970-01-01T00:00:00.000000Z')";
/// Stands in the place of what is not known.
pub(super) const NOT_REACHED: i32 = 10_001;

/// The links that match, in no order.
pub(super) fn matching(query: &LinkQuery) -> links::BoxedQuery<'static, Backend> {
    let mut wanted = links::table.into_boxed::<Backend>();
    if let Some(text) = &query.text {
        let [in_name, in_url, after] = dialect::CONTAINS;
        let pattern = containing(text);
        let contains = sql::<Bool>(in_name).bind::<Text, _>(pattern.clone());
        // URLs are written in ASCII.
        wanted = if text.is_ascii() {
            wanted.filter(contains.sql(in_url).bind::<Text, _>(pattern).sql(after))
        } else {
            wanted.filter(contains.sql(after))
        };
    }
    // Written out, so that the planner knows at once whether a partial index serves them.
    if let Some(active) = query.active {
        wanted = wanted.filter(sql::<Bool>(if active { dialect::ACTIVE } else { dialect::PAUSED }));
    }
    if let Some(shown) = query.shown {
        wanted = wanted.filter(sql::<Bool>(if shown { "links.shown" } else { "NOT links.shown" }));
    }
    if let Some(verdict) = query.verdict {
        wanted = wanted.filter(key_is(dialect::VERDICT_KEY, verdict.as_str()));
    }
    if query.never_checked {
        wanted = wanted.filter(key_is(dialect::VERDICT_KEY, NO_WORD));
    }
    if let Some(reason) = &query.reason {
        wanted = wanted.filter(key_is(dialect::REASON_KEY, reason));
    }
    if let Some(group) = &query.group {
        wanted = wanted.filter(links::group_name.eq(group.as_str().to_owned()).assume_not_null());
    }
    if let Some(tag) = &query.tag {
        let [before, after] = dialect::HAS_TAG;
        wanted = wanted.filter(sql::<Bool>(before).bind::<Text, _>(tag.as_str().to_owned()).sql(after));
    }
    if let Some(host) = &query.host {
        wanted = wanted.filter(links::host.eq(host.to_lowercase()));
    }
    if let Some(since) = query.verdict_since {
        let after = sql::<Bool>(&format!("{SINCE_KEY} >= ")).bind::<types::Moment, _>(Moment(since)).sql("");
        wanted = wanted.filter(after).filter(links::verdict_since.is_not_null());
    }
    if let Some(hundredths) = query.reached_below {
        let below = i32::try_from(hundredths).unwrap_or(i32::MAX).min(NOT_REACHED);
        let [before, after] = dialect::REACHED_BELOW;
        wanted = wanted.filter(sql::<Bool>(before).bind::<Integer, _>(below).sql(after));
    }
    wanted
}

/// The pattern of `LIKE` for texts that hold this one.
fn containing(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

fn key_is(
    key: &str,
    word: &str,
) -> SqlLiteral<Bool, UncheckedBind<SqlLiteral<Bool>, AsExprOf<String, Text>>> {
    sql::<Bool>(&format!("{key} = ")).bind::<Text, _>(word.to_owned()).sql("")
}

/// The ids of the links that are wanted, in the order that is asked for.
pub(super) async fn ids(connection: &mut Connection, query: &LinkQuery) -> Result<Vec<LinkId>, Fault> {
    let wanted = matching(query).select(links::id);
    let ordered = match query.order {
        LinkOrder::Id => wanted.order(links::id),
        LinkOrder::Name => wanted.order((links::name, links::id)),
        LinkOrder::Host => wanted.order((links::host, links::id)),
        LinkOrder::Verdict => wanted.order((links::verdict.is_null(), links::verdict, links::id)),
        LinkOrder::Reason => {
            let reason = || sql::<Nullable<Text>>("links.reason ->> 'type'");
            wanted.order((reason().is_null(), reason(), links::id))
        }
        LinkOrder::Since => {
            wanted.order((links::verdict_since.is_null(), links::verdict_since.desc(), links::id))
        }
        LinkOrder::Reachable => wanted.order((sql::<Integer>(REACHED_KEY), links::id)),
    };
    let ids: Vec<Id> = ordered.load(connection).await?;
    Ok(ids.into_iter().map(|id| LinkId(id.0)).collect())
}

/// These links, in this order, as far as they are stored.
pub(super) async fn of_ids(connection: &mut Connection, ids: &[LinkId]) -> Result<Vec<Link>, Fault> {
    let place: std::collections::HashMap<Id, usize> =
        ids.iter().enumerate().map(|(place, id)| (Id(id.0), place)).collect();
    let rows = links::table.filter(dialect::among("links.id", ids.iter().map(|id| Id(id.0))));
    let mut rows: Vec<LinkRow> = rows.select(LinkRow::as_select()).load(connection).await?;
    rows.sort_by_key(|row| place.get(&row.id).copied());
    rows.into_iter().map(Link::try_from).collect()
}
