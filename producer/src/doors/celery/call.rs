//! A task's arguments become a request.
//!
//! Every task has the signature of the original, `check_friend(site_link=None, white_list=None)`. By name it takes
//! `links` and all options of a request as well.

use linkbeat_shared::wire::{self, RequestMessage, Unreadable};
use linkbeat_shared::{RequestOptions, derived_id};
use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::sent::Arguments;

/// The arguments that have a place.
const PLACES: [&str; 2] = ["site_link", "white_list"];
/// What a link of `links` may say.
const OF_LINKS: [&str; 4] = ["name", "url", "page_url", "backlink"];

/// The request that the task of this name and id makes.
pub(super) fn request(name: &str, id: &str, arguments: Arguments) -> Result<RequestMessage, Failure> {
    let mut fields = by_name(name, arguments)?;
    fields.retain(|_, value| !value.is_null());
    if let Some(pattern) = fields.remove("site_link").filter(|pattern| pattern != "")
        && fields.insert("backlink".to_owned(), pattern).is_some()
    {
        return Err(Failure::type_error(format!("{name}() takes site_link or backlink, not both")));
    }
    if fields.get("white_list").is_some_and(|names| !names.is_array()) {
        return Err(Failure::type_error("white_list must be a list of names of links"));
    }
    if let Some(links) = fields.remove("links") {
        fields.insert("links".to_owned(), Value::Array(self::links(links)?));
    }
    fields.insert("schema".to_owned(), json!(wire::schema_of::<RequestMessage>()));
    fields.insert("request_id".to_owned(), json!(derived_id::celery_request(id)));
    let message = serde_json::to_vec(&fields).unwrap_or_default();
    wire::decode(&message).map_err(|error| invalid(&error))
}

/// What is wrong with a request, as an exception.
pub(super) fn invalid(error: &Unreadable) -> Failure {
    Failure::value_error(match error {
        Unreadable::Invalid(what) => what.clone(),
        other => other.to_string(),
    })
}

/// All arguments by their names.
fn by_name(name: &str, arguments: Arguments) -> Result<Map<String, Value>, Failure> {
    let Arguments { args, kwargs } = arguments;
    if args.len() > PLACES.len() {
        return Err(Failure::type_error(format!(
            "{name}() takes from 0 to {} positional arguments but {} were given",
            PLACES.len(),
            args.len()
        )));
    }
    let mut fields: Map<_, _> = PLACES.iter().map(ToString::to_string).zip(args).collect();
    for (key, value) in kwargs {
        if !is_known(&key) {
            return Err(Failure::type_error(format!(
                "{name}() got an unexpected keyword argument '{}'; it takes {}, links, {}",
                key.escape_debug(),
                PLACES.join(", "),
                RequestOptions::names_in_messages().collect::<Vec<_>>().join(", ")
            )));
        }
        if fields.insert(key.clone(), value).is_some() {
            return Err(Failure::type_error(format!("{name}() got multiple values for argument '{key}'")));
        }
    }
    Ok(fields)
}

fn is_known(key: &str) -> bool {
    PLACES.contains(&key) || key == "links" || RequestOptions::names_in_messages().any(|name| name == key)
}

/// Each link is a URL, or a dict.
fn links(links: Value) -> Result<Vec<Value>, Failure> {
    let Value::Array(links) = links else {
        return Err(Failure::type_error("links must be a list of URLs, or of dicts with a url"));
    };
    links
        .into_iter()
        .enumerate()
        .map(|(index, link)| match link {
            Value::String(url) => Ok(json!({ "url": url })),
            Value::Object(link) => match link.keys().find(|key| !OF_LINKS.contains(&key.as_str())) {
                None => Ok(Value::Object(link)),
                Some(unknown) => Err(Failure::type_error(format!(
                    "links[{index}] has an unknown key '{}'; it may have {}",
                    unknown.escape_debug(),
                    OF_LINKS.join(", ")
                ))),
            },
            _ => Err(Failure::type_error(format!("links[{index}] is neither a URL nor a dict"))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(args: Value, kwargs: Value) -> Result<RequestMessage, String> {
        let (Value::Array(args), Value::Object(kwargs)) = (args, kwargs) else { panic!() };
        request("check_friend", "a", Arguments { args, kwargs })
            .map_err(|failure| failure.to_json().to_string())
    }

    #[test]
    fn the_signature_of_the_original_is_taken() {
        let all = call(json!([]), json!({})).unwrap();
        assert_eq!((all.links, all.options), (None, RequestOptions::default()));
        assert_eq!(call(json!([null, null]), json!({})).unwrap().options, RequestOptions::default());
        assert_eq!(call(json!([""]), json!({})).unwrap().options, RequestOptions::default());
        let by_place = call(json!(["my\\.blog", ["a"]]), json!({})).unwrap();
        let by_name = call(json!([]), json!({"site_link": "my\\.blog", "white_list": ["a"]})).unwrap();
        assert_eq!(
            (by_place.options.backlink.as_ref().unwrap().as_str(), &by_place.options.white_list[..]),
            ("my\\.blog", &["a".to_owned()][..])
        );
        assert_eq!(by_place, by_name);
        let more = call(
            json!([]),
            json!({"links": ["http://a/", {"url": "http://b/", "name": "b"}], "timeout_ms": 900}),
        )
        .unwrap();
        assert_eq!(more.links.unwrap()[1].name.as_deref(), Some("b"));
        assert_eq!(more.options.timeout.unwrap().as_millis(), 900);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (args, kwargs, part) in [
            (json!([1, 2, 3]), json!({}), "takes from 0 to 2 positional arguments but 3 were given"),
            (
                json!([]),
                json!({"sitelink": "x"}),
                "unexpected keyword argument 'sitelink'; it takes site_link",
            ),
            (json!(["x"]), json!({"site_link": "y"}), "multiple values for argument 'site_link'"),
            (json!(["x"]), json!({"backlink": "y"}), "site_link or backlink"),
            (json!([5]), json!({}), "backlink: "),
            (json!(["(?=a)"]), json!({}), "look-around"),
            (json!([null, "a"]), json!({}), "white_list must be a list"),
            (json!([]), json!({"links": "http://a/"}), "links must be a list"),
            (
                json!([]),
                json!({"links": [{"url": "http://a/", "naem": "x"}]}),
                "links[0] has an unknown key 'naem'",
            ),
            (json!([]), json!({"links": ["http://a/", 7]}), "links[1] is neither"),
            (json!([]), json!({"links": [{"name": "x"}]}), "url"),
            (json!([]), json!({"timeout_ms": "soon"}), "timeout_ms"),
        ] {
            let error = call(args, kwargs).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
