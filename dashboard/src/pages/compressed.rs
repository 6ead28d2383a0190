//! Pages come compressed to whoever takes them so. A list of links is then some kilobytes long.
//!
//! Only what is there as a whole is compressed. A page that is sent piece by piece shows each piece at once, and that must
//! not wait for more.

use axum::body::HttpBody;
use axum::http::{Response, header};
use tower_http::CompressionLevel;
use tower_http::compression::{CompressionLayer, Predicate};

/// Less is not worth it.
const LEAST: u64 = 1_024;

/// Text that is there as a whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WholeText;

impl Predicate for WholeText {
    fn should_compress<B: HttpBody>(&self, response: &Response<B>) -> bool {
        let is_long = response.body().size_hint().exact().is_some_and(|bytes| bytes >= LEAST);
        let kind = response.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        is_long && ["text/html", "text/css", "text/javascript"].iter().any(|text| kind.starts_with(text))
    }
}

/// Compresses pages and what belongs to them. It must cost less time than it saves on a fast line, too.
pub(crate) fn layer() -> CompressionLayer<WholeText> {
    CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(WholeText)
}
