//! The ways in for requests. Behind all of them is one path: a request is filed as a run, once, by [`crate::Outbox`].

mod requests;

pub use requests::Intake;
