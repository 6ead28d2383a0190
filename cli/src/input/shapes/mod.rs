//! The shapes in which people keep lists. A text's content says which it is. The ending of its file only decides what
//! the content leaves open.

mod csv;
mod html;
mod json;
mod junit;
mod markdown;
mod names;
mod opml;
mod pages;
mod plain;
mod script;
mod sitemap;
mod toml;
mod tree;
mod yaml;

use super::row::Rows;
use super::{InputError, Source};

/// The largest text of a shape that is held as a whole and written anew as JSON, in bytes.
const MAX_WHOLE: usize = 32 << 20;

/// A shape.
pub(super) struct Shape {
    /// What it is called in messages.
    pub(super) name: &'static str,
    /// How names of files of this shape end.
    endings: &'static [&'static str],
    fits: fn(&Look<'_>) -> bool,
    read: Read,
}

type Read = for<'a> fn(&Source, &'a str) -> Result<Rows<'a>, InputError>;

/// The first shape that fits counts. The last one fits every text.
static SHAPES: [Shape; 12] = [
    Shape {
        name: "JavaScript",
        endings: &["js", "mjs", "cjs", "ts", "mts", "cts", "json5"],
        fits: script::fits,
        read: script::rows,
    },
    Shape { name: "JSON Lines", endings: &["jsonl", "ndjson"], fits: json::fits_lines, read: json::lines },
    Shape { name: "JSON", endings: &["json", "jsonc"], fits: json::fits, read: json::rows },
    Shape { name: "OPML", endings: &["opml"], fits: opml::fits, read: opml::rows },
    Shape { name: "sitemap", endings: &[], fits: sitemap::fits, read: sitemap::rows },
    Shape { name: "JUnit", endings: &["xml"], fits: junit::fits, read: junit::rows },
    Shape { name: "HTML", endings: &["html", "htm"], fits: html::fits, read: html::rows },
    Shape { name: "TOML", endings: &["toml"], fits: toml::fits, read: toml::rows },
    Shape {
        name: "Markdown",
        endings: &["md", "markdown", "mdx"],
        fits: markdown::fits,
        read: markdown::rows,
    },
    Shape { name: "YAML", endings: &["yml", "yaml"], fits: yaml::fits, read: yaml::rows },
    Shape { name: "CSV", endings: &["csv", "tsv"], fits: csv::fits, read: csv::rows },
    Shape { name: "plain URLs", endings: &["txt"], fits: |_| true, read: plain::rows },
];

/// What tells the shape of a text.
struct Look<'a> {
    text: &'a str,
    /// The first line that is neither empty nor a comment, without white space around it.
    first: &'a str,
}

/// The shape of this text.
pub(super) fn of(source: &Source, text: &str) -> &'static Shape {
    let [.., plain] = &SHAPES;
    if source.is_url() {
        return plain;
    }
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.find(|line| !line.starts_with('#')).unwrap_or_default();
    let look = Look { text, first };
    SHAPES.iter().find(|shape| shape.is_named_by(source) || (shape.fits)(&look)).unwrap_or(plain)
}

/// Whether the name of the file says a shape.
pub(super) fn is_known_ending(source: &Source) -> bool {
    SHAPES.iter().any(|shape| shape.is_named_by(source))
}

impl Shape {
    /// Whether the name of the file says so.
    pub(super) fn is_named_by(&self, source: &Source) -> bool {
        self.endings.iter().any(|ending| source.has_extension(ending))
    }

    /// The rows of a text of this shape.
    pub(super) fn rows<'a>(&self, source: &Source, text: &'a str) -> Result<Rows<'a>, InputError> {
        (self.read)(source, text)
    }
}
