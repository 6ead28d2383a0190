//! What a run is asked to do: the message `linkbeat.request/1` without what only a message needs.

use linkbeat_shared::wire::{RequestMessage, Unreadable};
use linkbeat_shared::{Request, RequestId};
use schemars::generate::SchemaSettings;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::problem::Problem;
use crate::serve::App;

/// Members of the message that no caller of the API needs.
const OF_MESSAGES: [&str; 6] = ["schema", "request_id", "lang", "accepted", "progress", "cancel"];

/// What a run is asked to do.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct RunRequest(Map<String, Value>);

impl RunRequest {
    /// The request of this id. What it does not say takes what the settings say.
    pub(super) fn read(mut self, id: RequestId, app: &App) -> Result<Request, Problem> {
        if let Some(unknown) = OF_MESSAGES.into_iter().find(|member| self.0.contains_key(*member)) {
            return Err(Problem::invalid_at(format!("/{unknown}"), "unknown field"));
        }
        self.0.insert("schema".to_owned(), "linkbeat.request/1".into());
        self.0.insert("request_id".to_owned(), id.0.to_string().into());
        let message = RequestMessage::deserialize(Value::Object(self.0));
        let message = message.map_err(|error| invalid(&error.to_string()))?;
        let message = RequestMessage { options: message.options.or(app.ports.desk.options()), ..message };
        message.into_request(None).map_err(|error| match error {
            Unreadable::Invalid(told) => invalid(&told),
            other => Problem::invalid(other),
        })
    }
}

/// The text begins with the member that is wrong, such as `links[1].url: is missing`.
fn invalid(told: &str) -> Problem {
    match told.split_once(": ") {
        Some((path, told)) if path.chars().all(|c| c.is_ascii_alphanumeric() || "_.[]".contains(c)) => {
            let pointer = path.replace('[', "/").replace(']', "").replace('.', "/");
            Problem::invalid_at(format!("/{pointer}"), told)
        }
        _ => Problem::invalid(told),
    }
}

/// Its members are described by the schema of the message: see `document`.
impl PartialSchema for RunRequest {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().build().into()
    }
}

impl ToSchema for RunRequest {}

/// The schema of the message, as far as it is read here.
pub(super) fn schema() -> Value {
    // References would not be found inside another document.
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<RequestMessage>().to_value();
    if let Some(members) = schema.pointer_mut("/properties").and_then(Value::as_object_mut) {
        members.retain(|name, _| !OF_MESSAGES.contains(&name.as_str()));
    }
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("required");
        schema.remove("$schema");
        schema.insert("title".to_owned(), "Request for a run".into());
        schema.insert(
            "description".to_owned(),
            "What a run is asked to do. What is not said takes its default.".into(),
        );
    }
    schema
}
