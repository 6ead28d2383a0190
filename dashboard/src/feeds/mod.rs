//! What blogs and their themes read, `/feed/`.
//!
//! Each shape is one file. All of them are made from the same [`Entries`]. Whoever reads them is a page of another site,
//! so each answer may be read from anywhere (CORS), and has a strong `ETag`. What they are made of is kept in memory for a
//! moment ([`Kept`]).

mod answer;
mod atom;
mod badge;
mod butterfly;
mod check_flink;
mod circle;
mod entries;
mod escape;
mod fragment;
mod kept;
mod plain;
mod shields;
mod standing;
mod wanted;

use axum::Router;
use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use serde_json::json;

use crate::serve::App;
use answer::{Answer, Kind, NoFeed};
use entries::Entries;
pub(crate) use escape::{among_words, html, without_user};
pub(crate) use kept::Kept;
use wanted::Wanted;

/// The names of the feeds of links, each with the function that makes it.
type Shape = fn(&Entries, &Wanted) -> String;
const SHAPES: [(&str, Kind, Shape); 5] = [
    ("links.json", Kind::Json, plain::made),
    ("butterfly.json", Kind::Json, butterfly::made),
    ("result.json", Kind::Json, check_flink::made),
    ("link.json", Kind::Json, circle::made),
    ("links.html", Kind::Html, fragment::made),
];

pub(crate) fn routes(app: &App) -> Router<App> {
    let mut routes = Router::new()
        .route("/feed", get(index))
        .route("/feed/", get(index))
        .route("/feed/changes.atom", get(atom::feed))
        .route("/feed/badge.svg", get(badge::of_all))
        .route("/feed/badge.json", get(shields::of_all))
        .route("/feed/links/{id}/badge.svg", get(badge::of_link))
        .route("/feed/links/{id}/badge.json", get(shields::of_link));
    for (name, kind, shape) in SHAPES {
        let feed = async move |State(app): State<App>, wanted: Wanted| -> Result<Answer, NoFeed> {
            let making = async {
                let entries = Entries::read(&app, &wanted).await?;
                Ok(Answer::of(&app, kind, shape(&entries, &wanted)))
            };
            kept::feed(&app, name, &wanted, making).await
        };
        routes = routes.route(&format!("/feed/{name}"), get(feed));
    }
    routes.route_layer(from_fn_with_state(app.clone(), answer::finish))
}

/// Where the feeds are.
async fn index(State(app): State<App>) -> Answer {
    let at = |name: &str| app.settings.base_path.join(&format!("/feed/{name}"));
    let feeds = json!({
        "links": at("links.json"),
        "butterfly": at("butterfly.json"),
        "check_flink": at("result.json"),
        "friend_circle_lite": at("link.json"),
        "html": at("links.html"),
        "changes": at("changes.atom"),
        "badge": at("badge.svg"),
        "shields": at("badge.json"),
    });
    Answer::of(&app, Kind::Json, format!("{feeds:#}\n"))
}
