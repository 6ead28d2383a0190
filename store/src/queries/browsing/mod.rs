//! Lists, page by page.

mod changes;
mod checks;
mod links;
mod parked;
mod runs;
mod store;

use super::{Backend, Connection, dialect, listing};
use crate::cursor::Cursor;
use crate::error::Fault;
use crate::traits::Page;

use changes::changes;
use checks::{checks_of_link, links_of_run};
pub(super) use links::listed;
use links::{certificates_ending, count, counted_links, groups, ids, links, totals};
use parked::parked;
use runs::runs;

/// So many rows are read for a page of this size: one more tells whether there is another page.
fn rows_for(limit: u32) -> i64 {
    i64::from(limit) + 1
}

/// The page that these rows make. `end` is where a page ends that ends with this row.
fn page_of<R, T>(
    mut rows: Vec<R>,
    limit: u32,
    end: impl Fn(&R) -> Cursor,
    item: impl FnMut(R) -> Result<T, Fault>,
) -> Result<Page<T>, Fault> {
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(end);
    Ok(Page { items: rows.into_iter().map(item).collect::<Result<_, _>>()?, next })
}
