//! One suite for both databases: each case runs once on PostgreSQL and once on SQLite, each time on a
//! database of its own.
//!
//! PostgreSQL comes from `LINKBEAT_TEST_DATABASE_URL`, whose role may create databases; `scripts/test`
//! starts one.

#![expect(clippy::unwrap_used, reason = "a case ends where it meets what it does not expect")]

mod database;
mod make;

/// Makes each of these cases a test per database.
macro_rules! cases {
    ($($case:ident),+ $(,)?) => {
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                crate::database::run(crate::database::Kind::Postgres, super::$case).await;
            })+
        }
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                crate::database::run(crate::database::Kind::Sqlite, super::$case).await;
            })+
        }
    };
}

mod access;
mod any_order;
mod apps;
mod askers;
mod browsing;
mod calls;
mod celery_tasks;
mod changes;
mod codes;
mod consistent;
mod faults;
mod filing;
mod fresh;
mod held_back;
mod history;
mod leases;
mod links;
mod listing;
mod migrations;
mod outbox;
mod parking;
mod partitions;
mod rechecks;
mod recording;
mod reports;
mod runs;
mod schedules;
mod size;
mod views;
