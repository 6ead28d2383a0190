//! Small and large runs: a small one is done beside the large ones, not behind them.

/// Most links of a small run.
const SMALL_LINKS: u64 = 1_000;

/// Whether a run is small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RunSize {
    /// Up to 1,000 links. Its jobs have a queue, and some slots of each worker, that large runs do not take.
    #[default]
    Small,
    /// Any more.
    Large,
}

impl RunSize {
    /// The size of a run of so many links.
    pub fn of(links: u64) -> Self {
        if links > SMALL_LINKS { Self::Large } else { Self::Small }
    }
}
