//! The statements that both databases understand, and the order in which they are carried out.
//!
//! This folder is compiled twice: as a module of `postgres` and as one of `sqlite`. `Connection`, `Backend`, `Database`
//! and `dialect` are those of the module it is compiled for.

mod access;
mod asked;
mod askers;
mod browsing;
mod calls;
mod celery_tasks;
mod fresh;
pub(super) mod history;
mod holds;
mod jobs;
mod kept_requests;
mod leases;
mod links;
mod listing;
mod parkings;
mod progress;
mod reports;
mod results;
mod runs;
mod schedules;
mod store;

use super::{Backend, Connection, Database, dialect, rollup};
