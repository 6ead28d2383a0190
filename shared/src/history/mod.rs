//! What is kept of checks when the checks themselves are gone: counts, latencies, and the time a link was shown.
//!
//! Everything here can be merged, and the order does not matter: several recorders may add their parts in any order.
//! `docs/history.md` has the definitions in words.

mod bits;
mod counts;
mod histogram;
mod keep;
mod latency;
mod share;
mod shown;
mod summary;
mod zone;

pub use counts::CheckCounts;
pub use histogram::Histogram;
pub use keep::{BadKeep, Keep};
pub use latency::{BadLatency, Latency, Quantile};
pub use share::Share;
pub use shown::ShownTime;
pub use summary::{Observed, Summary};
pub use zone::{BadZone, Zone};
