//! Which links are wanted, and in which order.

use chrono::{DateTime, Utc};
use diesel::dsl::{AsExprOf, sql};
use diesel::expression::{SqlLiteral, UncheckedBind};
use diesel::prelude::{ExpressionMethods, NullableExpressionMethods, QueryDsl, SelectableHelper};
use diesel::sql_types::{BigInt, Bool, Date, Nullable, Text};
use diesel_async::RunQueryDsl;
use linkbeat_shared::{Link, LinkId};

use super::{Backend, Connection, dialect};
use crate::error::Fault;
use crate::rows::LinkRow;
use crate::schema::links;
use crate::traits::{LinkOrder, LinkQuery};
use crate::values::{Id, Moment};

/// Stands in the place of a verdict or a reason that a link does not have. It comes after all words.
pub(super) const NO_WORD: &str = "~";
/// The same of a moment. It comes before all others.
pub(super) const NO_MOMENT: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// The share of checks of a link that reached its site, in hundredths of a percent, of the days from the one that is
/// bound on. NULL: no check can tell. `linkbeat_shared::history` has the definition.
const REACHABLE: [&str; 2] = [
    "(SELECT 10000 * sum(coalesce(d.up, 0) + coalesce(d.no_backlink, 0))
             / nullif(sum(coalesce(d.up, 0) + coalesce(d.down, 0) + coalesce(d.no_backlink, 0)), 0)
      FROM link_days d WHERE d.link_id = links.id AND d.day >= ",
    ")",
];

type Bound<T, S> = UncheckedBind<SqlLiteral<T>, diesel::dsl::AsExprOf<S, Date>>;

fn reachable(
    since: chrono::NaiveDate,
) -> SqlLiteral<Nullable<BigInt>, Bound<Nullable<BigInt>, chrono::NaiveDate>> {
    sql::<Nullable<BigInt>>(REACHABLE[0]).bind::<Date, _>(since).sql(REACHABLE[1])
}

/// The links that match, in no order.
pub(super) fn matching(query: &LinkQuery) -> links::BoxedQuery<'static, Backend> {
    let mut wanted = links::table.into_boxed::<Backend>();
    if let Some(text) = &query.text {
        let [before, between, after] = dialect::CONTAINS;
        let pattern = containing(text);
        let contains = sql::<Bool>(before).bind::<Text, _>(pattern.clone()).sql(between);
        wanted = wanted.filter(contains.bind::<Text, _>(pattern).sql(after));
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
        wanted = wanted.filter(links::verdict_since.ge(Moment(since)).assume_not_null());
    }
    if let Some(hundredths) = query.reachable_below {
        let reachable = reachable(query.reachable_from);
        wanted = wanted.filter(reachable.lt(i64::from(hundredths)).assume_not_null());
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
        LinkOrder::Reachable => {
            let from = query.reachable_from;
            wanted.order((reachable(from).is_null(), reachable(from), links::id))
        }
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
