//! What a request asks, read and checked before anything is done. Each refusal is a [`Problem`].

use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::problem::Problem;

/// How large the body of most requests may be.
const MOST_BODY: usize = 1 << 20;

/// The query of the URL. Unknown parameters are refused, as are those that come twice.
#[derive(Debug)]
pub(super) struct Asked<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        read_query(&parts.uri).map(Self)
    }
}

fn read_query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    if !is_text(uri.query().unwrap_or_default()) {
        return Err(Problem::malformed("the query is no UTF-8, or has a control character"));
    }
    Query::<T>::try_from_uri(uri).map(|Query(asked)| asked).map_err(|error| {
        let told = error.body_text();
        let told = told.strip_prefix("Failed to deserialize query string: ").unwrap_or(&told).to_owned();
        if told.contains("unknown field")
            || told.contains("duplicate field")
            || told.contains("missing field")
        {
            Problem::malformed(told)
        } else {
            Problem::invalid(told)
        }
    })
}

/// Whether a query says text: no database keeps U+0000, and nobody needs other control characters.
fn is_text(query: &str) -> bool {
    let plain = query.replace('+', " ");
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(&plain).collect();
    let broken = plain.match_indices('%').any(|(at, _)| {
        let digits = plain.get(at + 1..at + 3);
        !digits.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
    });
    !broken && String::from_utf8(bytes).is_ok_and(|text| !text.chars().any(char::is_control))
}

/// The id in the path. A text that is no id names nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named(pub(super) Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Called(text) = Called::from_request_parts(parts, state).await?;
        let id = Uuid::try_parse(&text).ok().filter(|id| id.to_string() == text.to_ascii_lowercase());
        id.map(Self).ok_or_else(|| Problem::not_found("thing of such an id"))
    }
}

/// The name in the path.
#[derive(Debug, Clone)]
pub(super) struct Called(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Called {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let named = Path::<String>::from_request_parts(parts, state).await;
        let named = named.ok().map(|Path(text)| text).filter(|text| !text.chars().any(char::is_control));
        named.map(Self).ok_or_else(|| Problem::not_found("thing of such a name"))
    }
}

/// A body in JSON.
#[derive(Debug)]
pub(super) struct Sent<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        expect_json(request.headers())?;
        read_body(request, MOST_BODY).await.and_then(|body| parse(&body)).map(Self)
    }
}

/// A body in JSON that holds a list.
#[derive(Debug)]
pub(super) struct SentList<T>(pub(super) T);

/// How large the body of such a request may be.
pub(super) const MOST_LIST: usize = 16 << 20;

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for SentList<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        expect_json(request.headers())?;
        read_body(request, MOST_LIST).await.and_then(|body| parse(&body)).map(Self)
    }
}

/// A request without a body. What is sent all the same is refused: whoever sends it means something by it.
#[derive(Debug)]
pub(super) struct NoBody;

impl<S: Send + Sync> FromRequest<S> for NoBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let body = read_body(request, 1_024).await?;
        let is_nothing = body.is_empty() || body.as_ref() == b"{}" || body.as_ref() == b"null";
        is_nothing.then_some(Self).ok_or_else(|| Problem::malformed("this call takes no body"))
    }
}

pub(super) async fn read_body(request: Request, limit: usize) -> Result<axum::body::Bytes, Problem> {
    to_bytes(request.into_body(), limit).await.map_err(|_| Problem::too_large(limit))
}

fn expect_json(headers: &HeaderMap) -> Result<(), Problem> {
    if is_json(headers) { Ok(()) } else { Err(Problem::unsupported("application/json")) }
}

/// `application/json`, or another media type in JSON such as `application/merge-patch+json`.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let sent = sent.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    sent == "application/json" || (sent.starts_with("application/") && sent.ends_with("+json"))
}

pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let parsed = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let pointer = pointer(error.path());
        let error = error.into_inner();
        if error.is_data() {
            Problem::invalid_at(pointer, error)
        } else {
            Problem::malformed(format!("the body is no JSON: {error}"))
        }
    })?;
    json.end().map_err(|error| Problem::malformed(format!("the body is no JSON: {error}")))?;
    Ok(parsed)
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let part = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    };
    path.iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Query {
        #[expect(dead_code, reason = "it is only read")]
        text: Option<String>,
    }

    fn status(query: &str) -> Option<u64> {
        let uri = format!("/x?{query}").parse().unwrap();
        let problem = serde_json::to_value(read_query::<Query>(&uri).err()?).unwrap();
        problem["status"].as_u64()
    }

    #[test]
    fn queries_are_text_and_known() {
        assert_eq!(status("text=%E5%8F%8B"), None);
        assert_eq!(status(""), None);
        for bad in
            ["text=%00", "text=%FF", "text=%0A", "text=%4", "other=1", "text=1&text=2", "text=%ED%A0%80"]
        {
            assert_eq!(status(bad), Some(400), "{bad}");
        }
    }

    #[test]
    fn the_wrong_part_of_a_body_is_named() {
        #[derive(Debug, Deserialize)]
        struct Body {
            #[expect(dead_code, reason = "it is only read")]
            links: Vec<u8>,
            #[serde(default)]
            #[expect(dead_code, reason = "it is only read")]
            text: String,
        }
        let problem = serde_json::to_value(parse::<Body>(b"{\"links\":[1,\"x\"]}").unwrap_err()).unwrap();
        assert_eq!((&problem["status"], &problem["errors"][0]["pointer"]), (&422.into(), &"/links/1".into()));
        for bad in ["", "{", "{\"links\":[]} 1", "{\"links\":[],\"text\":\"\\ud800\"}"] {
            let problem = serde_json::to_value(parse::<Body>(bad.as_bytes()).unwrap_err()).unwrap();
            assert_eq!(problem["status"], 400, "{bad}");
        }
    }
}
