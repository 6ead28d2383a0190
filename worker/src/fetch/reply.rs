//! One answer, whoever read it: its head, and its body piece by piece.

use std::error::Error;
use std::io;

use bytes::Bytes;
use linkbeat_shared::LinkUrl;
use reqwest::header::HeaderMap;
use reqwest::{Response, StatusCode, Url};

use super::failure::causes;
use super::lenient;

/// An answer.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) url: Url,
    body: Body,
}

enum Body {
    Reqwest(Response),
    Lenient(lenient::Body),
}

/// Why no further piece of a body came.
#[derive(Debug)]
pub(super) enum NoPiece {
    /// It broke off.
    BrokeOff,
    /// hyper does not understand where its parts end. Somebody more lenient may.
    Malformed,
}

impl From<Response> for Reply {
    fn from(mut response: Response) -> Self {
        let headers = std::mem::take(response.headers_mut());
        let (status, url) = (response.status(), response.url().clone());
        Self { status, headers, url, body: Body::Reqwest(response) }
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
            Body::Reqwest(response) => response.chunk().await.map_err(|error| NoPiece::of(&error)),
            Body::Lenient(body) => {
                body.piece().await.map(|piece| piece.map(Bytes::from)).map_err(|_| NoPiece::BrokeOff)
            }
        }
    }
}

impl NoPiece {
    fn of(error: &(dyn Error + 'static)) -> Self {
        let io = causes(error).find_map(|cause| cause.downcast_ref::<io::Error>());
        match io.map(io::Error::kind) {
            Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => Self::Malformed,
            _ => Self::BrokeOff,
        }
    }
}
