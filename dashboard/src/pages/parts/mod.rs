//! Small parts of pages that many of them have. What is HTML says so by its type, and escapes what it holds.

mod chart;
mod length;
mod moment;
mod outside;
mod pager;
mod size;
mod state;
mod waterfall;

pub(super) use chart::{Chart, Point};
pub(super) use length::{length, milliseconds};
pub(crate) use moment::When;
pub(super) use moment::minute;
pub(super) use outside::Outside;
pub(super) use pager::Pager;
pub(crate) use size::size;
pub(crate) use state::State;
pub(super) use state::{change_word, outcome_word, verdict_word};
pub(super) use waterfall::Waterfall;

/// HTML that was made from a template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Made(String);

impl Made {
    /// Renders a part.
    pub(crate) fn of(part: &impl askama::Template) -> Result<Self, super::answer::Problem> {
        part.render().map(Self).map_err(|error| {
            tracing::error!(%error, "a part of a page cannot be made");
            super::answer::Problem::Broken
        })
    }

    /// HTML that was written elsewhere, and escapes what it holds.
    pub(crate) fn html(html: String) -> Self {
        Self(html)
    }

    /// A text, escaped.
    pub(crate) fn plain(text: &str) -> Self {
        let escaped = askama::filters::escape(text, askama::filters::Html);
        Self(escaped.map(|text| text.to_string()).unwrap_or_default())
    }

    /// A moment.
    pub(crate) fn moment(at: When) -> Self {
        Self(at.to_string())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl askama::filters::HtmlSafe for Made {}
