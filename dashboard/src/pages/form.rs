//! What a form sends.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{Method, StatusCode, header};
use chrono::{DateTime, Utc};
use linkbeat_shared::pause_end;
use linkbeat_shared::schedule::Zone;
use linkbeat_store::{Cursor, PageOf};
use url::form_urlencoded;

use super::answer::Problem;
use super::visit::Visit;
use super::wording::fill;

/// Most fields that a form may have: a page of links and some.
const MOST: usize = 5_000;

/// The fields of a form, in their order. A name may come several times.
#[derive(Debug, Default, Clone)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads fields. NUL is refused: no database takes it.
    pub(super) fn read(encoded: &[u8]) -> Result<Self, Problem> {
        let fields: Vec<(String, String)> =
            form_urlencoded::parse(encoded).into_owned().take(MOST + 1).collect();
        let has_nul = fields.iter().any(|(name, value)| name.contains('\0') || value.contains('\0'));
        if has_nul || fields.len() > MOST {
            return Err(Problem::Unreadable(|t| t.form_unreadable));
        }
        Ok(Self(fields))
    }

    /// The first value of this name, if it says anything.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let of_name = self.0.iter().filter(|(field, _)| field == name);
        of_name.map(|(_, value)| value.trim()).find(|value| !value.is_empty())
    }

    /// All values of this name that say anything.
    pub(crate) fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        let of_name = self.0.iter().filter(move |(field, _)| field == name);
        of_name.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// All fields that say anything.
    pub(crate) fn said(&self) -> impl Iterator<Item = (&str, &str)> {
        let said = self.0.iter().map(|(name, value)| (name.as_str(), value.trim()));
        said.filter(|(_, value)| !value.is_empty())
    }

    /// The fields whose names begin with this, without it.
    pub(super) fn below(&self, prefix: &str) -> Self {
        let named = self
            .0
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_owned(), value.clone())));
        Self(named.collect())
    }

    /// Whether the visitor was asked, and said yes.
    pub(super) fn is_sure(&self) -> bool {
        self.get("sure") == Some("yes")
    }

    /// Which page of a list is wanted.
    pub(super) fn page(&self, limit: u32) -> Result<PageOf, Problem> {
        let after = self.get("after").map(str::parse::<Cursor>).transpose();
        let after = after.map_err(|_| Problem::Unreadable(|t| t.no_such_cursor))?;
        Ok(PageOf { after, limit })
    }

    /// The page to go back to. An address of another site is not taken.
    pub(super) fn back<'f>(&'f self, otherwise: &'f str) -> &'f str {
        self.get("back").filter(|path| is_local(path)).unwrap_or(otherwise)
    }
}

/// Whether a browser reads this as a path of this site, and a header can carry it.
fn is_local(path: &str) -> bool {
    path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

/// The field of a question that names the moment at which a pause ends. It counts before what people write.
pub(super) const PAUSE_END: &str = "ends";

/// When a pause ends, if the form says so: in UTC, as nobody knows the visitor's time zone without script.
pub(super) fn pause_end_of(form: &Form, v: &Visit) -> Result<Option<DateTime<Utc>>, Problem> {
    let read = |text: &str| {
        let end = pause_end(text, Zone::UTC, v.now);
        end.map_err(|_| Problem::BadInput(fill(v.t.pause_end_unusable, &[&text])))
    };
    form.get(PAUSE_END).or_else(|| form.get("until")).map(read).transpose()
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Problem;

    /// A GET has its fields in the address.
    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            return Self::read(request.uri().query().unwrap_or_default().as_bytes());
        }
        let kind = request.headers().get(header::CONTENT_TYPE);
        if !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded")) {
            return Err(Problem::Unreadable(|t| t.form_unreadable));
        }
        let body = Bytes::from_request(request, state).await;
        Self::read(&body.map_err(|error| match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::TooLarge,
            _ => Problem::Unreadable(|t| t.form_unreadable),
        })?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site() {
        for (back, goes_to) in [
            ("/links?group=a%20b", "/links?group=a%20b"),
            ("//evil.example/", "/"),
            ("/\\evil.example/", "/"),
            ("https://evil.example/", "/"),
            ("/a\r\nset-cookie: x", "/"),
            ("", "/"),
        ] {
            let encoded = form_urlencoded::Serializer::new(String::new()).append_pair("back", back).finish();
            assert_eq!(Form::read(encoded.as_bytes()).unwrap().back("/"), goes_to, "{back}");
        }
    }

    #[test]
    fn names_may_repeat_and_nul_is_refused() {
        let form = Form::read(b"id=1&id=2&id=+&x=a+b%26").unwrap();
        assert_eq!((form.all("id").collect::<Vec<_>>(), form.get("x")), (vec!["1", "2"], Some("a b&")));
        assert!(Form::read(b"x=%00").is_err() && Form::read(b"%00=x").is_err());
    }
}
