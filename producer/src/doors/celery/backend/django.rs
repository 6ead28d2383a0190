//! `django-db`: a row of the table that django-celery-results keeps.

use async_trait::async_trait;
use linkbeat_store::{DjangoResult, DjangoResults};
use serde_json::json;

use super::{Backend, Untold};
use crate::doors::celery::outcome::{Status, Told};

/// Writes results to Django's database.
#[derive(Debug)]
pub(in super::super) struct Django {
    pub(in super::super) results: DjangoResults,
    /// Name, arguments and worker are written, too.
    pub(in super::super) extended: bool,
}

#[async_trait]
impl Backend for Django {
    async fn tell(&self, told: &Told<'_>) -> Result<(), Untold> {
        let (card, status) = (told.card, told.outcome.status);
        // Arguments are kept as JSON of the texts that stand for them.
        let extended = self.extended.then(|| {
            [
                ("task_name", card.name.clone()),
                ("task_args", json!(card.args).to_string()),
                ("task_kwargs", json!(card.kwargs).to_string()),
                ("worker", card.taken_by.chars().take(100).collect()),
            ]
        });
        let row = DjangoResult {
            task_id: told.id.to_owned(),
            status: status.as_str(),
            result: told.outcome.result.to_string(),
            started: status == Status::Started,
            extended: extended.into_iter().flatten().collect(),
        };
        self.results.write(&row).await.map_err(|error| Untold(error.to_string()))
    }
}
