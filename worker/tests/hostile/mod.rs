//! The hostile site: everything the world throws at a checker, played on loopback, one row a case.
//!
//! Each module is one part of the table. A row says what is played and what it must come to; all rows are
//! played against the same engine, and all that came out otherwise is told at once.

mod addresses;
mod answers;
mod certificates;
mod pages;
mod redirects;
mod row;
mod statuses;
mod street;
mod timeouts;

use tokio::task::JoinSet;

use self::row::Row;
use self::street::Street;

/// Rows played at once: enough to be done soon, few enough for a small machine to keep up with.
const AT_ONCE: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn the_hostile_site_gets_the_verdicts_of_the_table() {
    let street = Street::new().await;
    let mut rows = Vec::new();
    rows.extend(redirects::rows(&street).await);
    rows.extend(addresses::rows().await);
    rows.extend(statuses::rows().await);
    rows.extend(answers::rows().await);
    rows.extend(certificates::rows(&street).await);
    rows.extend(pages::rows().await);
    assert!(rows.len() > 100, "only {} rows", rows.len());
    assert_eq!(surprises(&street, rows).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_hangs_is_over_at_its_deadline_and_names_its_phase() {
    let street = Street::new().await;
    let rows = timeouts::rows().await;
    assert_eq!(surprises(&street, rows).await, Vec::<String>::new());
}

/// Plays the rows, a few at a time.
async fn surprises(street: &Street, rows: Vec<Row>) -> Vec<String> {
    let mut surprises = Vec::new();
    let mut playing = JoinSet::new();
    for row in rows {
        if playing.len() == AT_ONCE {
            surprises.extend(playing.join_next().await.unwrap().unwrap());
        }
        playing.spawn(row.play(street.clone()));
    }
    surprises.extend(playing.join_all().await.into_iter().flatten());
    surprises
}
