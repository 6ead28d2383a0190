//! Passwords in settings that cannot be read are not shown, and the settings are named.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::support::Folder;
use crate::support::process::{Ended, linkbeat, run};

#[track_caller]
fn named_without_its_secret(ended: Ended, parts: &[&str]) {
    let ended = ended.expect(2);
    let all = format!("{}{}", ended.stdout, ended.stderr);
    assert!(!all.contains("s3cret"), "{ended:#?}");
    for part in parts {
        assert!(all.contains(part), "`{part}`: {ended:#?}");
    }
}

#[test]
fn a_syntax_error_in_the_settings_file_does_not_show_its_line() {
    let folder = Folder::new();
    folder.write("linkbeat.toml", "namespace = 'a'\nbroker_url = amqp://me:s3cret@mq/\n");
    for command in [&["links", "list"][..], &["worker"], &["doctor"], &["doctor", "--format", "json"]] {
        named_without_its_secret(run(&mut linkbeat(folder.path(), command)), &["linkbeat.toml:2:"]);
    }
}

#[test]
fn a_variable_that_is_not_utf_8_is_an_error_that_names_it() {
    let folder = Folder::new();
    for variable in ["LINKBEAT_BROKER_URL", "LINKBEAT_WORKER_PROXY", "LINKBEAT_CHECK_RETRIES"] {
        for command in [&["links", "list"][..], &["doctor"]] {
            let mut command = linkbeat(folder.path(), command);
            command.env(variable, OsStr::from_bytes(b"amqp://me:s3cret\xff@mq/"));
            named_without_its_secret(run(&mut command), &[variable, "UTF-8"]);
        }
    }
}

#[test]
fn wrong_flags_are_named_and_their_values_are_not() {
    let folder = Folder::new();
    let cases: [(&[&str], &[&str]); 7] = [
        (&["worker", "--header", "X-Key s3cret"], &["worker.headers", "--header", "Name: value"]),
        (&["worker", "--header", "Host: s3cret"], &["--header", "host"]),
        (&["worker", "--proxy", "socks5://me:s3cret@p"], &["worker.proxy", "--proxy", "http://host:port"]),
        (&["check", "--database-url", "mysql://me:s3cret@db/"], &["--database-url", "postgres://"]),
        (&["run", "--broker-url", "amqp://me:s3cret@mq:port/"], &["--broker-url", "percent-encode"]),
        (&["worker", "--header", "X-Key:", "s3cret"], &["unexpected argument"]),
        (&["migrate", "postgres://me:s3cret@db/links"], &["unexpected argument", "db/links"]),
    ];
    for (args, parts) in cases {
        named_without_its_secret(run(&mut linkbeat(folder.path(), args)), parts);
    }
}
