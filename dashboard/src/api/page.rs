//! The document of the API as a page for people.

use std::fmt::Write;

use serde_json::{Map, Value};

/// The calls and types, as HTML. Everything in it comes from the document.
pub(super) fn page(document: &Value) -> String {
    let mut page = format!("<p>{}</p>", prose(&document["info"]["description"]));
    let base = text(&document["servers"][0]["url"]);
    let _ = write!(page, "<p><a href=\"{base}/openapi.json\">{base}/openapi.json</a></p>");
    for tag in document["tags"].as_array().into_iter().flatten() {
        begin_section(&mut page, &text(&tag["name"]), &prose(&tag["description"]));
        for (path, method, operation) in
            operations(document).filter(|(.., operation)| operation["tags"][0] == tag["name"])
        {
            write_operation(&mut page, path, method, operation);
        }
        page.push_str("</div></section>");
    }
    begin_section(&mut page, "types", "");
    for (name, schema) in members(&document["components"]["schemas"]) {
        let told = prose(&schema["description"]);
        let _ = write!(page, "<h3 id=\"{0}\">{0}</h3><p>{told}</p>", escaped(name));
        write_members(&mut page, name, schema);
    }
    page.push_str("</div></section>");
    page
}

fn begin_section(page: &mut String, title: &str, told: &str) {
    let _ = write!(
        page,
        "<section class=\"sheet\"><header><h2>{title}</h2><p class=\"small quiet\">{told}</p></header><div class=\"sheet-body\">"
    );
}

/// A table that scrolls by itself where it is too wide.
fn write_table(page: &mut String, label: &str, columns: [&str; 4], rows: &str) {
    if rows.is_empty() {
        return;
    }
    let heads: String = columns.map(|column| format!("<th scope=\"col\">{column}</th>")).concat();
    let _ = write!(
        page,
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{label}\"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    );
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
    let call = format!("{} {}", method.to_uppercase(), escaped(path));
    let _ = write!(
        page,
        "<h3><code>{call}</code></h3><p>{}. {}</p>",
        prose(&operation["summary"]),
        prose(&operation["description"])
    );
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let rows: String = parameters
        .map(|parameter| {
            let kind = kind(&parameter["schema"]);
            let (name, place) = (text(&parameter["name"]), text(&parameter["in"]));
            format!(
                "<tr><th scope=\"row\"><code>{name}</code></th><td>{place}</td><td>{kind}</td><td>{}</td></tr>",
                prose(&parameter["description"])
            )
        })
        .collect();
    write_table(page, &format!("Parameters of {call}"), ["Parameter", "In", "Type", "Is"], &rows);
    for (media, content) in members(&operation["requestBody"]["content"]) {
        let _ = write!(page, "<p>Body, <code>{}</code>: {}</p>", escaped(media), kind(&content["schema"]));
        if content["example"].is_object() {
            let _ = write!(page, "<pre class=\"wrapped\"><code>{}</code></pre>", text(&content["example"]));
        }
    }
    for (status, response) in members(&operation["responses"]).filter(|(status, _)| status.starts_with('2')) {
        let bodies: Vec<String> =
            members(&response["content"]).map(|(_, content)| kind(&content["schema"])).collect();
        let _ = write!(
            page,
            "<p>{}: {}. {}</p>",
            escaped(status),
            prose(&response["description"]),
            bodies.join(", ")
        );
    }
}

fn write_members(page: &mut String, of: &str, schema: &Value) {
    let required: Vec<&Value> = schema["required"].as_array().into_iter().flatten().collect();
    let parts = schema["allOf"].as_array().into_iter().flatten();
    let rows: String = std::iter::once(schema)
        .chain(parts)
        .flat_map(|schema| members(&schema["properties"]))
        .map(|(name, member)| {
            let must =
                if required.iter().any(|required| *required == name) { "always" } else { "may be absent" };
            format!(
                "<tr><th scope=\"row\"><code>{}</code></th><td>{}</td><td>{must}</td><td>{}</td></tr>",
                escaped(name),
                kind(member),
                prose(&member["description"])
            )
        })
        .collect();
    write_table(page, &format!("Members of {}", escaped(of)), ["Member", "Type", "There", "Is"], &rows);
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

/// A text whose words in backticks are code.
fn prose(value: &Value) -> String {
    let text = text(value);
    let mut pieces = text.split('`');
    let mut prose = pieces.next().unwrap_or_default().to_owned();
    while let Some(code) = pieces.next() {
        let _ = match pieces.next() {
            Some(after) => write!(prose, "<code>{code}</code>{after}"),
            None => write!(prose, "`{code}"),
        };
    }
    prose
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_backticks_are_code_and_the_rest_is_escaped() {
        for (told, html) in [
            ("plain", "plain"),
            ("`next` & <b>", "<code>next</code> &amp; &lt;b&gt;"),
            ("one ` alone", "one ` alone"),
            ("`a` or `b`", "<code>a</code> or <code>b</code>"),
        ] {
            assert_eq!(prose(&told.into()), html);
        }
    }
}
