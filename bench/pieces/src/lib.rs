//! The pieces of a check, each by itself. `cargo bench -p linkbeat-bench` times them, and `scripts/instructions` counts
//! their instructions.

mod check;
mod judge;
mod messages;
mod page;
mod recorded;
mod url;

pub use crate::page::{BACKLINK, PAGE_BYTES, page};
pub use crate::recorded::{BATCH, JOB, file};

/// One of them.
pub struct Piece {
    /// What it is called.
    pub name: &'static str,
    /// How often it is carried out for one count: what a process does besides must be little beside it.
    pub times: usize,
    /// Carries it out once.
    pub run: Box<dyn FnMut()>,
}

impl Piece {
    fn new<T>(name: &'static str, times: usize, mut run: impl FnMut() -> T + 'static) -> Self {
        let run = Box::new(move || drop(std::hint::black_box(run())));
        Self { name, times, run }
    }
}

/// All of them, in the order of a link's way.
///
/// # Errors
/// There is no socket, or no client can be made.
pub fn all() -> anyhow::Result<Vec<Piece>> {
    let mut pieces = url::pieces()?;
    pieces.extend(messages::pieces()?);
    pieces.extend(page::pieces()?);
    pieces.extend(judge::pieces());
    pieces.push(check::piece()?);
    Ok(pieces)
}
