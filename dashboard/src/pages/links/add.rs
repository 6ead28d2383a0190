//! Lists on their way in: pasted, or as a file.

use askama::Template;
use axum::extract::{Multipart, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use linkbeat_shared::GivenLinks;

use crate::pages::answer::{Page, Problem, see};
use crate::pages::told::{self, Done};
use crate::pages::visit::Visit;
use crate::ports::BadList;
use crate::serve::App;

#[derive(Template)]
#[template(path = "add.html")]
pub(super) struct Add {
    v: Visit,
    list: String,
    problem: Option<String>,
}

pub(super) async fn show(v: Visit) -> Page<Add> {
    Page(Add { v, list: String::new(), problem: None })
}

/// What a form sent: the list and, if it is a file, its name.
#[derive(Default)]
struct Sent {
    name: Option<String>,
    list: Vec<u8>,
}

pub(super) async fn take(State(app): State<App>, v: Visit, form: Multipart) -> Result<Response, Problem> {
    let sent = read(form).await?;
    let (name, list) = (sent.name.clone(), sent.list.clone());
    let desk = app.ports.desk.clone();
    let reading =
        tokio::task::spawn_blocking(move || desk.read_list(name.as_deref().unwrap_or("list"), list));
    let read: Result<GivenLinks, BadList> = reading.await.map_err(|error| {
        tracing::error!(%error, "a list could not be read");
        Problem::Broken
    })?;
    match read {
        Ok(links) => {
            let imported = app.ports.store.import(links).await?;
            Ok(see(&v.to(&told::address("/links", Done::Imported, imported.added + imported.updated))))
        }
        Err(BadList(problem)) => {
            // What was pasted stays in its place, to be mended.
            let list = if sent.name.is_none() {
                String::from_utf8_lossy(&sent.list).into_owned()
            } else {
                String::new()
            };
            let page = Page(Add { v, list, problem: Some(problem) });
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

/// A file counts more than what was pasted.
async fn read(mut form: Multipart) -> Result<Sent, Problem> {
    let mut sent = Sent::default();
    let bad = |error: axum::extract::multipart::MultipartError| Problem::BadInput(error.body_text());
    while let Some(field) = form.next_field().await.map_err(bad)? {
        let (field_name, file_name) = (field.name().map(str::to_owned), field.file_name().map(str::to_owned));
        let bytes = field.bytes().await.map_err(bad)?;
        match field_name.as_deref() {
            Some("file") if !bytes.is_empty() => {
                let name = file_name.filter(|name| !name.is_empty()).unwrap_or_else(|| "file".to_owned());
                return Ok(Sent { name: Some(name), list: bytes.into() });
            }
            Some("list") if sent.list.is_empty() => sent.list = bytes.into(),
            _ => {}
        }
    }
    Ok(sent)
}
