//! Lists, page by page: a cursor in the body, and in the header `Link` (RFC 8288).

use axum::Json;
use axum::http::{HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use linkbeat_store::{Count, Page, PageOf};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use super::value::{After, Limit};

/// The page that is asked for.
pub(super) fn page_of(after: Option<After>, limit: Option<Limit>) -> Result<PageOf, Problem> {
    let after = match after {
        None => None,
        Some(After(Some(cursor))) => Some(cursor),
        Some(After(None)) => return Err(Problem::unknown_cursor()),
    };
    Ok(PageOf { after, limit: limit.unwrap_or_default().0 })
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Listed<T> {
    /// What is on it.
    pub(super) items: Vec<T>,
    /// Where the next page begins: give it as `after`. Null: this is the last page.
    pub(super) next: Option<String>,
    /// How many things there are on all pages, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) count: Option<CountItem>,
}

/// A count that may not be exact.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Count")]
pub(super) struct CountItem {
    /// So many.
    all: u64,
    /// What that is.
    is: CountWord,
}

/// What a count is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CountWord {
    /// There are so many.
    Exact,
    /// There are more.
    AtLeast,
    /// The database's statistics say so.
    Estimate,
}

impl From<Count> for CountItem {
    fn from(count: Count) -> Self {
        let (all, is) = match count {
            Count::Exactly(all) => (all, CountWord::Exact),
            Count::MoreThan(all) => (all, CountWord::AtLeast),
            Count::About(all) => (all, CountWord::Estimate),
        };
        Self { all, is }
    }
}

impl<T> Listed<T> {
    /// A list that has one page.
    pub(super) fn whole(items: Vec<T>) -> Self {
        Self { items, next: None, count: None }
    }

    pub(super) fn of<R>(page: Page<R>, item: impl FnMut(R) -> T) -> Self {
        let next = page.next.map(|cursor| cursor.to_string());
        Self { items: page.items.into_iter().map(item).collect(), next, count: None }
    }
}

/// Where the next page begins, on its way to the header.
#[derive(Debug, Clone)]
pub(super) struct NextPage(String);

impl NextPage {
    /// The header that leads to the next page of what this URL asks for.
    pub(super) fn header(&self, uri: &Uri) -> Option<HeaderValue> {
        let others = uri.query().unwrap_or_default().split('&');
        let others = others.filter(|pair| !pair.is_empty() && !pair.starts_with("after="));
        let after =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("after", &self.0).finish();
        let query = others.chain([after.as_str()]).collect::<Vec<_>>().join("&");
        format!("<?{query}>; rel=\"next\"").parse().ok()
    }
}

impl<T: Serialize> IntoResponse for Listed<T> {
    fn into_response(self) -> Response {
        let next = self.next.clone().map(NextPage);
        let mut response = Json(self).into_response();
        if let Some(next) = next {
            response.extensions_mut().insert(next);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_of_the_same_filter() {
        let uri = "/links?verdict=down&after=i.00&limit=2".parse().unwrap();
        let header = NextPage("i.ff".to_owned()).header(&uri).unwrap();
        assert_eq!(header, "<?verdict=down&limit=2&after=i.ff>; rel=\"next\"");
    }
}
