//! A secret goes through every setting, from every source, and comes out nowhere.

use figment::Figment;
use figment::providers::Serialized;
use figment::value::{Dict, Value};
use serde_json::{Map, json};

use super::{Settings, load, origins};

const SECRET: &str = "s3cret";

/// Settings whose value is any text. It is no secret, and `Debug` shows it.
const FREE_TEXT: [&str; 15] = [
    "worker.name",
    "broker_ca",
    "celery.queues",
    "celery.tasks",
    "celery.default_queue",
    "celery.key_prefix",
    "celery.hostname",
    "broker_certificate",
    "broker_key",
    "check.backlink",
    "check.white_list",
    "log",
    "worker.extra_ca",
    "worker.user_agent",
    "health_addr",
];

/// Values with the secret in them, of which some are right for some setting.
fn values() -> Vec<serde_json::Value> {
    let texts = [
        "postgres://me:s3cret@db/links?password=s3cret",
        "postgres://me:s3cret@db:port/links",
        "postgres://me:s3cret@db/links?sslmode=s3cret",
        "mysql://me:s3cret@db/links",
        "amqps://me:s3cret@a/,amqps://me:s3cret@b/",
        "amqps://me:s3cret@a/,amqp://me:s3cret@b/",
        "amqp://me:s3cret@mq:port/",
        "amqp://me:s3/cr@et:s3cret@mq/",
        "http://me:s3cret@proxy:3128",
        "socks5://me:s3cret@proxy:3128",
        "http://me:s3cret@",
        "//me:s3cret@",
    ];
    let mut values: Vec<_> = texts.iter().map(|text| json!(text)).collect();
    values.push(json!(texts));
    values.extend(texts.map(|text| json!({ "a": text })));
    values
}

/// Values that are secret only where a header or a URL belongs.
fn secret_values() -> Vec<serde_json::Value> {
    let texts =
        ["X-Key: s3cret", "Host: s3cret", "X-Key s3cret", "X-Key: s3cret\u{e9}\n", "s3cret", "me:s3cret"];
    let lists = texts.map(|text| json!(["X-One: s3cret", text]));
    texts.iter().map(|text| json!(text)).chain(lists).chain([json!({ "X-Key": "s3cret" })]).collect()
}

/// The paths of all settings.
fn paths(dict: &Dict, above: &str) -> Vec<String> {
    let path = |(key, value): (&String, &Value)| match value.as_dict() {
        Some(section) => paths(section, &format!("{above}{key}.")),
        None => vec![format!("{above}{key}")],
    };
    dict.iter().flat_map(path).collect()
}

/// `{"worker": {"proxy": value}}` for `worker.proxy`.
fn nested(path: &str, value: &serde_json::Value) -> serde_json::Value {
    path.rsplit('.').fold(value.clone(), |value, key| Map::from_iter([(key.to_owned(), value)]).into())
}

#[track_caller]
fn assert_hidden(output: &str, case: &str) {
    assert!(!output.contains(SECRET) && !output.contains("cr@et"), "{case}: {output}");
}

#[test]
fn a_secret_in_any_setting_comes_out_nowhere() {
    let defaults = Figment::from(Serialized::defaults(Settings::default())).extract().unwrap();
    let (mut read, mut refused) = (0, 0);
    for path in paths(&defaults, "") {
        let secret_there = super::secret::is_secret(&path);
        let more = if secret_there { secret_values() } else { Vec::new() };
        for value in values().into_iter().chain(more) {
            let flags = nested(&path, &value);
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), toml_of(&path, &value)).unwrap();
            let no_flags = json!({});
            for (file, flags) in [(None, &flags), (Some(file.path()), &no_flags)] {
                let case = format!("{path} = {value} of {file:?}");
                match load(file, flags) {
                    Ok(settings) if FREE_TEXT.contains(&path.as_str()) => {
                        assert_hidden(
                            &format!("{:?} {:?}", settings.database_url, settings.worker.proxy),
                            &case,
                        );
                    }
                    Ok(settings) => {
                        read += 1;
                        assert_hidden(&format!("{settings:?} {settings:#?}"), &case);
                    }
                    Err(failure) => {
                        refused += 1;
                        assert_hidden(&format!("{failure} {failure:?}"), &case);
                        assert!(failure.setting.unwrap().starts_with(&path), "{case}");
                    }
                }
                let shown = origins(file, flags)
                    .map_or_else(|failure| failure.to_string(), |shown| format!("{shown:?}"));
                assert_hidden(&shown, &case);
            }
        }
    }
    assert!(read > 5 && refused > 500, "{read} read, {refused} refused");
}

/// The same as a line of a settings file. JSON's texts and lists are TOML's; its objects are not.
fn toml_of(path: &str, value: &serde_json::Value) -> String {
    match value.as_object() {
        None => format!("{path} = {value}\n"),
        Some(object) => object.iter().map(|(key, value)| format!("{path}.{key} = {value}\n")).collect(),
    }
}

#[test]
fn no_prefix_of_a_settings_file_shows_a_secret() {
    let whole = "database_url = \"postgres://me:s3cret@db/x\"\n[worker]\nheaders = ['X-Key: s3cret', \"s3cret\\u00e9\"]\n\
                 proxy = '''http://me:s3cret@p'''\n[check]\nbacklink = 'a'\n";
    let file = tempfile::NamedTempFile::new().unwrap();
    for end in 0..whole.len() {
        for tail in ["", "\u{1}", "]", "=", "\"", "s3cret = s3cret", "\n[worker]\n"] {
            std::fs::write(file.path(), format!("{}{tail}", &whole[..end])).unwrap();
            let case = format!("{end} {tail:?}");
            match load(Some(file.path()), &json!({})) {
                Ok(settings) => assert_hidden(&format!("{settings:?}"), &case),
                // An unknown key is named, and in one of these files the word for the secret is such a key.
                Err(failure) if tail.starts_with(SECRET) && failure.setting.is_some() => {}
                Err(failure) => assert_hidden(&format!("{failure:?}"), &case),
            }
        }
    }
}
