//! Lists on their way in: pasted, or as a file.

use askama::Template;
use axum::extract::multipart::MultipartError;
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

/// What a form sent. A file counts more than what was pasted.
#[derive(Default)]
struct Sent {
    pasted: Vec<u8>,
    /// Its name and content.
    file: Option<(String, Vec<u8>)>,
}

pub(super) async fn take(State(app): State<App>, v: Visit, form: Multipart) -> Result<Response, Problem> {
    let sent = read(form).await?;
    let (name, list) = sent.file.unwrap_or_else(|| ("list".to_owned(), sent.pasted.clone()));
    let (desk, lang) = (app.ports.desk.clone(), v.lang);
    let reading = tokio::task::spawn_blocking(move || desk.read_list(&name, list, lang));
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
            let list = String::from_utf8_lossy(&sent.pasted).into_owned();
            let page = Page(Add { v, list, problem: Some(problem) });
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

async fn read(mut form: Multipart) -> Result<Sent, Problem> {
    let mut sent = Sent::default();
    let bad = |error: MultipartError| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::TooLarge,
        _ => Problem::Unreadable(|t| t.form_unreadable),
    };
    while let Some(field) = form.next_field().await.map_err(bad)? {
        let (field_name, file_name) = (field.name().map(str::to_owned), field.file_name().map(str::to_owned));
        let bytes = field.bytes().await.map_err(bad)?;
        match field_name.as_deref() {
            Some("file") if !bytes.is_empty() => {
                let name = file_name.filter(|name| !name.is_empty()).unwrap_or_else(|| "file".to_owned());
                sent.file = Some((name, bytes.into()));
            }
            Some("list") if sent.pasted.is_empty() => sent.pasted = bytes.into(),
            _ => {}
        }
    }
    Ok(sent)
}
