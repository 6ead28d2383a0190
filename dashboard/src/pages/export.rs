//! The links that a filter leaves, as CSV that linkbeat reads again.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use linkbeat_shared::{Link, PublicUrl};
use linkbeat_store::{Cursor, LinkQuery, LinkSort, PageOf};

use super::form::Form;
use super::links::Filter;
use crate::csv::quoted;
use crate::feeds::without_user;
use crate::serve::App;

/// Links that are read in one go.
const PAGE: u32 = 500;

const HEADER: &str =
    "name,url,page_url,active,shown,backlink,group,tags,verdict,avatar,description,feed,paused_until\n";

/// Sends them page by page, however many they are.
pub(super) async fn links(State(app): State<App>, form: Form) -> Response {
    let query = Filter::read(&form).query;
    let begin = Export { app, query, next: Some(None), begun: false };
    let lines = futures::stream::unfold(begin, async |export| export.page().await);
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"links.csv\""),
    ];
    (headers, Body::from_stream(lines)).into_response()
}

struct Export {
    app: App,
    query: LinkQuery,
    /// The next page; `None`: that was the last one.
    next: Option<Option<Cursor>>,
    begun: bool,
}

impl Export {
    async fn page(mut self) -> Option<(Result<Bytes, std::io::Error>, Self)> {
        let after = self.next.take()?;
        if self.app.stop.is_cancelled() {
            return Some((Err(std::io::Error::other("the dashboard stops")), self));
        }
        let page = PageOf { after, limit: PAGE };
        let links = match self.app.ports.store.browse_links(&self.query, LinkSort::default(), &page).await {
            Ok(links) => links,
            // A file that is cut off must not look whole: the connection breaks off.
            Err(error) => return Some((Err(std::io::Error::other(error.to_string())), self)),
        };
        let mut lines = if self.begun { String::new() } else { HEADER.to_owned() };
        links.items.iter().for_each(|listed| line(&listed.link, &mut lines));
        self.begun = true;
        self.next = links.next.map(Some);
        Some((Ok(lines.into()), self))
    }
}

fn line(link: &Link, lines: &mut String) {
    let said = &link.attributes;
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let tags =
        said.tags.iter().flat_map(|tags| tags.iter().map(|tag| tag.as_str())).collect::<Vec<_>>().join(";");
    let fields = [
        link.name.to_string(),
        PublicUrl::from(&link.url).to_string(),
        link.page_url.as_ref().map(|page| PublicUrl::from(page).to_string()).unwrap_or_default(),
        link.active.to_string(),
        link.state.shown.to_string(),
        link.backlink.to_string(),
        text(link.group.as_ref().map(|group| group.as_str())),
        tags,
        text(link.state.verdict.map(|verdict| verdict.as_str())),
        said.avatar.as_ref().map(|avatar| without_user(avatar.as_str())).unwrap_or_default(),
        text(said.description.as_ref().map(|description| description.as_str())),
        said.feed.as_ref().map(|feed| without_user(feed.as_str())).unwrap_or_default(),
        link.paused_until.map(|until| until.to_rfc3339()).unwrap_or_default(),
    ];
    let fields: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
    lines.push_str(&fields.join(","));
    lines.push('\n');
}
