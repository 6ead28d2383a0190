//! A page that asks before something is done. It sends the same form again, with `sure`.

use askama::Template;

use super::visit::Visit;

/// A question and the form that answers it with yes.
#[derive(Template)]
#[template(path = "confirm.html")]
pub(super) struct Confirm {
    pub(super) v: Visit,
    pub(super) title: String,
    /// What will happen, a sentence each.
    pub(super) text: Vec<String>,
    /// Where the form goes.
    pub(super) action: String,
    /// What the form sends.
    pub(super) fields: Vec<(String, String)>,
    /// What the button says.
    pub(super) yes: &'static str,
    /// Whether something is lost.
    pub(super) danger: bool,
    /// Where no leads.
    pub(super) back: String,
}
