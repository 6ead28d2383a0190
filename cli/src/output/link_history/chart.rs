//! Small charts of one line: a block for each day, or for a few days if there are many.

use linkbeat_shared::history::{CheckCounts, Latency, Share};

use super::LinkHistory;

/// Most blocks of a line.
const COLUMNS: usize = 60;
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// A day without data. It is neither a low block nor a high one.
const NOTHING: char = '·';

/// How many days stand for one block.
pub(super) fn days_of_a_block(history: &LinkHistory) -> usize {
    history.days.len().div_ceil(COLUMNS).max(1)
}

/// The share of checks that reached the site. Only 100 % is a full block.
pub(super) fn reachable(history: &LinkHistory) -> String {
    let blocks = history.days.chunks(days_of_a_block(history)).map(|days| {
        let mut counts = CheckCounts::default();
        days.iter().for_each(|day| counts.merge(&day.summary.counts));
        of_share(counts.reachable())
    });
    blocks.collect()
}

/// The least share of a day's time in which the link was shown.
pub(super) fn shown(history: &LinkHistory) -> String {
    let blocks = history.days.chunks(days_of_a_block(history)).map(|days| {
        let least = days.iter().filter_map(|day| day.shown).min_by_key(|share| share.hundredths());
        of_share(least)
    });
    blocks.collect()
}

/// The 95th percentile of how long checks took, beside the largest one.
pub(super) fn latency(history: &LinkHistory) -> String {
    let each: Vec<Option<f64>> = history
        .days
        .chunks(days_of_a_block(history))
        .map(|days| {
            let mut latency = Latency::default();
            days.iter().for_each(|day| latency.merge(&day.summary.latency));
            latency.quantile(950).map(|quantile| quantile.ms)
        })
        .collect();
    let most = each.iter().flatten().fold(1.0, |most: f64, ms| most.max(*ms));
    each.iter().map(|ms| ms.map_or(NOTHING, |ms| block((ms / most * 7.0).round() as usize))).collect()
}

fn of_share(share: Option<Share>) -> char {
    share.map_or(NOTHING, |share| block(usize::try_from(share.hundredths() * 7 / 10_000).unwrap_or_default()))
}

fn block(height: usize) -> char {
    BLOCKS[height.min(BLOCKS.len() - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_all_is_a_full_block_and_no_data_is_no_block() {
        let drawn = |part, whole| of_share(Share::of(part, whole));
        assert_eq!((drawn(1, 1), drawn(9_999, 10_000), drawn(0, 1), drawn(0, 0)), ('█', '▇', '▁', '·'));
    }
}
