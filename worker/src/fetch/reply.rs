//! One answer, whoever read it: its head, and its body piece by piece.

use std::error::Error;
use std::io;

use bytes::Bytes;
use linkbeat_shared::LinkUrl;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use reqwest::{Response, StatusCode, Url, Version};

use super::failure::{causes, is_unreadable};
use super::lenient;

/// An answer.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) url: Url,
    body: Body,
}

enum Body {
    Reqwest {
        response: Response,
        /// It ends with the connection.
        to_the_end: bool,
    },
    Lenient(lenient::Body),
}

/// Why no further piece of a body came.
#[derive(Debug)]
pub(super) enum NoPiece {
    /// It broke off.
    BrokeOff,
    /// Neither hyper nor h2 understands where its parts end. Somebody more lenient may.
    Malformed,
}

impl From<Response> for Reply {
    fn from(mut response: Response) -> Self {
        let headers = std::mem::take(response.headers_mut());
        let (status, url) = (response.status(), response.url().clone());
        let to_the_end = response.version() < Version::HTTP_2
            && !(headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING));
        Self { status, headers, url, body: Body::Reqwest { response, to_the_end } }
    }
}

impl Reply {
    /// What a second look gave.
    pub(super) fn lenient(answer: lenient::Answer, url: &LinkUrl) -> Self {
        let lenient::Answer { head, body } = answer;
        let url = url.as_url().clone();
        Self { status: head.status, headers: head.headers, url, body: Body::Lenient(body) }
    }

    /// The next piece, as it came over the wire; `None`: the body is over.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, NoPiece> {
        match &mut self.body {
            Body::Reqwest { response, to_the_end } => match response.chunk().await {
                // Many servers forget to end TLS properly.
                Err(error) if *to_the_end && is_end(&error) => Ok(None),
                piece => piece.map_err(|error| NoPiece::of(&error)),
            },
            Body::Lenient(body) => {
                body.piece().await.map(|piece| piece.map(Bytes::from)).map_err(|_| NoPiece::BrokeOff)
            }
        }
    }
}

/// Whether hyper reads this body to the end of the connection, although the headers say where it ends: it takes nothing
/// but chunks behind a `Transfer-Encoding`, and those only as the last word of it.
pub(super) fn is_misread(version: Version, headers: &HeaderMap) -> bool {
    let Some(last) = headers.get_all(TRANSFER_ENCODING).iter().next_back() else { return false };
    let chunked = |word: &[u8]| word.trim_ascii().eq_ignore_ascii_case(b"chunked");
    let last_word = last.as_bytes().rsplit(|byte| *byte == b',').next().unwrap_or_default();
    version < Version::HTTP_2
        && !chunked(last_word)
        && (headers.contains_key(CONTENT_LENGTH) || lenient::has_chunks(headers))
}

/// Whether the connection ended, however it did.
fn is_end(error: &(dyn Error + 'static)) -> bool {
    let mut io = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>());
    io.any(|error| error.kind() == io::ErrorKind::UnexpectedEof)
}

impl NoPiece {
    fn of(error: &(dyn Error + 'static)) -> Self {
        if causes(error).filter_map(|cause| cause.downcast_ref()).any(is_unreadable) {
            return Self::Malformed;
        }
        let io = causes(error).find_map(|cause| cause.downcast_ref::<io::Error>());
        match io.map(io::Error::kind) {
            Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => Self::Malformed,
            _ => Self::BrokeOff,
        }
    }
}
