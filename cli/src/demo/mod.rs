//! The demonstration: a street of small sites on loopback, checked for real in two states.

mod cast;
mod certificates;
mod site;
mod street;

pub(crate) use cast::{Act, BACKLINK, WHITE_LISTED, cast};
pub(crate) use street::Street;
