//! The calls of the API, for people.

use askama::Template;
use axum::response::IntoResponse;

use super::answer::Page;
use super::parts::Made;
use super::visit::Visit;

#[derive(Template)]
#[template(path = "reference.html")]
struct Reference {
    v: Visit,
    calls: Made,
}

/// The page of these calls. They are told in English.
pub(crate) fn reference(v: Visit, calls: Made) -> impl IntoResponse {
    Page(Reference { v, calls })
}
