//! The document of the API as a page for people.

use std::fmt::Write;

use serde_json::{Map, Value};

/// The page. Everything in it comes from the document.
pub(super) fn page(document: &Value) -> String {
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>linkbeat API</title></head><body><main><h1>linkbeat API</h1>",
    );
    let _ = write!(page, "<p>{}</p>", text(&document["info"]["description"]));
    let base = text(&document["servers"][0]["url"]);
    let _ = write!(page, "<p><a href=\"{base}/openapi.json\">{base}/openapi.json</a></p>");
    for tag in document["tags"].as_array().into_iter().flatten() {
        let _ = write!(page, "<h2>{}</h2><p>{}</p>", text(&tag["name"]), text(&tag["description"]));
        for (path, method, operation) in
            operations(document).filter(|(.., operation)| operation["tags"][0] == tag["name"])
        {
            write_operation(&mut page, path, method, operation);
        }
    }
    page.push_str("<h2>Types</h2>");
    for (name, schema) in members(&document["components"]["schemas"]) {
        let _ =
            write!(page, "<h3 id=\"{0}\">{0}</h3><p>{1}</p>", escaped(name), text(&schema["description"]));
        write_members(&mut page, schema);
    }
    page.push_str("</main></body></html>");
    page
}

fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = members(&document["paths"]);
    paths.flat_map(|(path, operations)| {
        members(operations).map(move |(method, operation)| (path, method, operation))
    })
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter).map(|(name, value)| (name.as_str(), value))
}

fn write_operation(page: &mut String, path: &str, method: &str, operation: &Value) {
    let _ = write!(
        page,
        "<h3><code>{} {}</code></h3><p>{}. {}</p>",
        method.to_uppercase(),
        escaped(path),
        text(&operation["summary"]),
        text(&operation["description"])
    );
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let rows: String = parameters
        .map(|parameter| {
            let kind = kind(&parameter["schema"]);
            let (name, place) = (text(&parameter["name"]), text(&parameter["in"]));
            format!(
                "<tr><td><code>{name}</code></td><td>{place}</td><td>{kind}</td><td>{}</td></tr>",
                text(&parameter["description"])
            )
        })
        .collect();
    if !rows.is_empty() {
        let _ = write!(
            page,
            "<table><thead><tr><th>parameter</th><th>in</th><th>type</th><th>is</th></tr></thead><tbody>{rows}</tbody></table>"
        );
    }
    for (media, content) in members(&operation["requestBody"]["content"]) {
        let _ = write!(page, "<p>Body, <code>{}</code>: {}</p>", escaped(media), kind(&content["schema"]));
        if content["example"].is_object() {
            let _ = write!(page, "<pre><code>{}</code></pre>", text(&content["example"]));
        }
    }
    for (status, response) in members(&operation["responses"]).filter(|(status, _)| status.starts_with('2')) {
        let bodies: Vec<String> =
            members(&response["content"]).map(|(_, content)| kind(&content["schema"])).collect();
        let _ = write!(
            page,
            "<p>{}: {}. {}</p>",
            escaped(status),
            text(&response["description"]),
            bodies.join(", ")
        );
    }
}

fn write_members(page: &mut String, schema: &Value) {
    let required: Vec<&Value> = schema["required"].as_array().into_iter().flatten().collect();
    let parts = schema["allOf"].as_array().into_iter().flatten();
    let rows: String = std::iter::once(schema)
        .chain(parts)
        .flat_map(|schema| members(&schema["properties"]))
        .map(|(name, member)| {
            let must = if required.iter().any(|required| *required == name) { "" } else { "may be absent" };
            format!(
                "<tr><td><code>{}</code></td><td>{}</td><td>{must}</td><td>{}</td></tr>",
                escaped(name),
                kind(member),
                text(&member["description"])
            )
        })
        .collect();
    if !rows.is_empty() {
        let _ = write!(
            page,
            "<table><thead><tr><th>member</th><th>type</th><th></th><th>is</th></tr></thead><tbody>{rows}</tbody></table>"
        );
    }
}

/// What a value may be, in a few words.
fn kind(schema: &Value) -> String {
    if let Some(named) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return format!("<a href=\"#{0}\">{0}</a>", escaped(named));
    }
    for either in ["oneOf", "anyOf"] {
        if let Some(kinds) = schema[either].as_array() {
            return kinds.iter().map(kind).collect::<Vec<_>>().join(" or ");
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        return words
            .iter()
            .map(|word| format!("<code>{}</code>", text(word)))
            .collect::<Vec<_>>()
            .join(", ");
    }
    let mut kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(text).collect::<Vec<_>>().join(" or "),
        kind => text(kind),
    };
    if schema["items"].is_object() {
        let _ = write!(kind, " of {}", self::kind(&schema["items"]));
    }
    for (key, word) in [
        ("format", ""),
        ("minimum", "from "),
        ("maximum", "up to "),
        ("maxLength", "up to "),
        ("maxItems", "up to "),
    ] {
        if !schema[key].is_null() {
            let _ = write!(kind, ", {word}{}", text(&schema[key]));
        }
    }
    kind
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => escaped(text),
        Value::Null => String::new(),
        other => escaped(&other.to_string()),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
