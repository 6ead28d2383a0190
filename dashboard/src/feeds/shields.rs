//! The endpoint badge of shields.io: a JSON that it turns into a badge.

use axum::extract::{Path, State};
use serde_json::json;

use super::answer::{Answer, Kind, MAX_AGE, NoFeed};
use super::standing::{Colour, Standing};
use super::wanted::Wanted;
use crate::serve::App;

pub(super) async fn of_all(State(app): State<App>, wanted: Wanted) -> Result<Answer, NoFeed> {
    Ok(made(&app, &Standing::of_all(&app, &wanted).await?))
}

pub(super) async fn of_link(
    State(app): State<App>,
    id: Path<String>,
    wanted: Wanted,
) -> Result<Answer, NoFeed> {
    Ok(made(&app, &Standing::of_link(&app, &id, &wanted).await?))
}

fn made(app: &App, standing: &Standing) -> Answer {
    let endpoint = json!({
        "schemaVersion": 1,
        "label": standing.label,
        "message": standing.message,
        "color": standing.colour.name(),
        "isError": standing.colour == Colour::Bad,
        "cacheSeconds": MAX_AGE,
    });
    Answer::of(app, Kind::Json, format!("{endpoint}\n"))
}
