//! Finds out the format from the content. The file's extension only decides what the content leaves open.

use super::row::Rows;
use super::{InputError, Source, csv, json, list};

/// The rows of `text`, in the format it is written in.
pub(super) fn rows<'a>(source: &Source, text: &'a str) -> Result<Rows<'a>, InputError> {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    if first.starts_with(['[', '{']) || source.has_extension("json") {
        json::rows(source, text)
    } else if source.has_extension("csv") || is_csv(first) {
        csv::rows(source, text)
    } else {
        Ok(list::rows(text))
    }
}

/// Whether a first line names columns. A line with several values that does not begin with a URL counts too: one
/// error about the header helps more than an error about every line.
fn is_csv(first: &str) -> bool {
    let mut columns = first.split(',').map(|column| column.trim().trim_matches('"'));
    let has_url = columns.any(|column| ["url", "link"].iter().any(|name| column.eq_ignore_ascii_case(name)));
    let is_row = first.split_once(',').is_some_and(|(column, _)| !column.contains("://"));
    !first.starts_with('#') && (has_url || is_row)
}
