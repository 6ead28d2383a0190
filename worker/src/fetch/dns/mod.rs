//! Names become addresses, by the rules of the system's own resolver (glibc).
//!
//! Libraries ask several name servers at once and take the first answer, even a failure. glibc asks them in
//! order, and so does this. Where the servers disagree, an answer with addresses is believed.
//!
//! ```text
//!  hosts ─► cache ─► lookup: each server in order ─► families: A and AAAA at once ─► exchange: one question
//! ```

mod cache;
mod exchange;
mod families;
mod found;
mod hosts;
mod lookup;
mod name_servers;
mod system;

pub use self::name_servers::{NameServer, name_servers};

pub(super) use self::cache::Cache;
pub(super) use self::found::Found;
pub(super) use self::hosts::Hosts;
pub(super) use self::lookup::Lookup;
