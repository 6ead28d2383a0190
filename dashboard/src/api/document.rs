//! The document of the API (OpenAPI 3.1). It is made from the routes and types themselves, so it cannot part from them. What
//! holds for all calls alike is added here.

use linkbeat_store::Scope;
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::problem::{MEDIA_TYPE, Problem};
use super::request;
use crate::serve::App;

/// What is said of the API as a whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "linkbeat",
        description = "Everything that the pages of linkbeat do, for programs. Errors are problems (RFC 9457). Lists come in pages: follow `next`, or the header `Link`. Times are RFC 3339 in UTC, durations are milliseconds, ids are text. Unknown parameters and members are refused: 400 if the request is not well formed, 422 if something in it cannot be used.",
        license(name = "MIT")
    ),
    components(schemas(Problem)),
    tags(
        (name = "links", description = "The links and their history"),
        (name = "runs", description = "Requests that are carried out"),
        (name = "changes", description = "What became of links"),
        (name = "schedules", description = "Requests that are made again and again"),
        (name = "servers", description = "The broker's queues and workers"),
        (name = "about", description = "linkbeat itself")
    )
)]
pub(super) struct About;

/// The whole document.
pub(super) fn whole(api: &utoipa::openapi::OpenApi, app: &App) -> Value {
    let mut document = serde_json::to_value(api).unwrap_or_default();
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    document["servers"] = json!([{ "url": app.settings.base_path.join("/api/v1") }]);
    document["components"]["schemas"]["RunRequest"] = request::schema();
    document["components"]["securitySchemes"] = json!({
        "token": { "type": "http", "scheme": "bearer", "description": "A token such as `lb_…`. One of the scope read may call GET, one of the scope write everything." }
    });
    let paths = document["paths"].as_object_mut();
    for operations in paths.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut) {
        for (method, operation) in
            operations.iter_mut().filter(|(method, _)| METHODS.contains(&method.as_str()))
        {
            let needed = if method == "get" { Scope::Read } else { Scope::Write };
            let closed = app.access.needs_token(needed);
            let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
            parameters.into_iter().flatten().for_each(without_control_characters);
            operation["security"] =
                if closed { json!([{ "token": [] }]) } else { json!([{ "token": [] }, {}]) };
            for (status, told) in [
                ("401", "A token is needed, and there is none or a wrong one"),
                ("403", "The token may not do this"),
                ("default", "What went wrong"),
            ] {
                operation["responses"][status] = problem(told);
            }
        }
    }
    document
}

/// No text in a URL has a control character: it is refused before it is read. A cursor is plainer still.
fn without_control_characters(parameter: &mut Value) {
    let in_url = parameter["in"] == "query" || parameter["in"] == "path";
    let is_cursor = parameter["name"] == "after" && parameter["schema"]["maxLength"] == 2_000;
    let schema = &mut parameter["schema"];
    let is_text = schema["type"] == "string"
        || schema["type"].as_array().is_some_and(|kinds| kinds.contains(&"string".into()));
    let says_more = ["format", "pattern", "enum"].iter().any(|key| !schema[*key].is_null());
    if in_url && is_text && !says_more {
        schema["pattern"] = if is_cursor { "^[a-z0-9.-]+$" } else { r"^[^\x00-\x1f\x7f-\x9f]*$" }.into();
    }
}

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn problem(told: &str) -> Value {
    json!({
        "description": told,
        "content": { MEDIA_TYPE: { "schema": { "$ref": "#/components/schemas/Problem" } } },
    })
}
