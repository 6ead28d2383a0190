//! A form that is sent twice files one run.

use linkbeat_shared::{RequestId, Run};
use uuid::Uuid;

use super::answer::Problem;
use super::form::Form;
use crate::serve::App;

/// What requests of forms are named in: "linkbeat a form " in ASCII.
const NAME_SPACE: Uuid = Uuid::from_bytes(*b"linkbeat a form ");
/// A form that is sent again so long after its run ended asks for another one. Browsers may show an old page with its old id
/// when somebody goes back. Whoever presses twice does so within less.
const MEANT_AGAIN: chrono::TimeDelta = chrono::TimeDelta::seconds(10);
/// So often a form that stays open may ask for another one.
const MOST: usize = 100;

/// What a form asks for.
pub(super) enum Once {
    /// It was sent before, and this is its run.
    Filed(Box<Run>),
    /// It was not: the id of the request to make.
    Request(RequestId),
}

impl Once {
    /// `what` tells apart what one form may ask for. A form without an id asks each time.
    pub(super) async fn read(app: &App, form: &Form, what: &str) -> Result<Self, Problem> {
        let Some(sent) = form.get("request").and_then(|id| id.parse::<Uuid>().ok()) else {
            return Ok(Self::Request(RequestId::new()));
        };
        let mut id = Uuid::new_v5(&NAME_SPACE, format!("{sent} {what}").as_bytes());
        for _ in 0..MOST {
            let Some(run) = app.ports.store.run_of(RequestId(id)).await? else { break };
            let now = chrono::Utc::now();
            if run.finished_at.is_none_or(|end| now - end <= MEANT_AGAIN) {
                return Ok(Self::Filed(Box::new(run)));
            }
            id = Uuid::new_v5(&NAME_SPACE, run.id.0.as_bytes());
        }
        Ok(Self::Request(RequestId(id)))
    }
}
