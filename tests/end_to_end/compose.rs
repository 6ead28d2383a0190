//! `docker-compose.yml`: no Docker engine is needed to see that it holds together.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use serde_yaml_ng::Value;

use crate::support::Folder;
use crate::support::fleet::free_port;
use crate::support::process::{linkbeat, run};
use crate::units::assert_is_setting;

const FILE: &str = include_str!("../../docker-compose.yml");

fn compose() -> Value {
    let mut compose: Value = serde_yaml_ng::from_str(FILE).unwrap();
    compose.apply_merge().unwrap();
    compose
}

fn services(compose: &Value) -> impl Iterator<Item = (&str, &Value)> {
    compose["services"].as_mapping().unwrap().iter().map(|(name, service)| (name.as_str().unwrap(), service))
}

#[test]
fn the_fleet_is_complete_and_its_services_depend_on_each_other_as_they_should() {
    let compose = compose();
    let names: Vec<_> = services(&compose).map(|(name, _)| name).collect();
    for name in ["rabbitmq", "postgres", "migrate", "producer", "recorder", "worker"] {
        assert!(names.contains(&name), "{name} is missing");
    }
    for (name, service) in services(&compose) {
        let Some(needs) = service.get("depends_on") else { continue };
        for (other, condition) in needs.as_mapping().unwrap() {
            let other = other.as_str().unwrap();
            assert!(names.contains(&other), "{name} needs {other}");
            match condition["condition"].as_str().unwrap() {
                "service_healthy" => {
                    assert!(compose["services"][other].get("healthcheck").is_some(), "{other}");
                }
                "service_completed_successfully" => assert_eq!(compose["services"][other]["restart"], "no"),
                unknown => panic!("{unknown}"),
            }
        }
    }
    assert!(
        compose["services"]["worker"].get("container_name").is_none(),
        "a named container cannot be scaled"
    );
    assert!(!serde_yaml_ng::to_string(&compose["services"]["worker"]).unwrap().contains("DATABASE"));
}

#[test]
fn every_linkbeat_service_is_confined_watched_and_a_command_that_exists() {
    let (compose, folder) = (compose(), Folder::new());
    let ours = services(&compose).filter(|(_, service)| service["image"] == "linkbeat:latest");
    for (name, service) in ours {
        assert_eq!(service["read_only"], true, "{name}");
        assert!(!service["user"].as_str().unwrap().starts_with('0'), "{name}");
        assert_eq!(service["cap_drop"][0], "ALL", "{name}");
        if ["producer", "recorder", "worker"].contains(&name) {
            assert!(service.get("healthcheck").is_some(), "{name}");
        }
        if let Some(command) = service.get("command") {
            let args = command.as_sequence().unwrap().iter().map(|word| word.as_str().unwrap());
            run(linkbeat(folder.path(), args).arg("--help")).expect(0);
        }
    }
}

#[test]
fn images_are_pinned_ports_are_on_loopback_and_probes_reach_the_roles() {
    let compose = compose();
    for (name, service) in services(&compose) {
        let image = service["image"].as_str().unwrap();
        let is_pinned = image.split_once(':').is_some_and(|(_, tag)| tag.contains('.'));
        assert!(is_pinned || image == "linkbeat:latest", "{name}: {image}");
        for port in service.get("ports").and_then(Value::as_sequence).into_iter().flatten() {
            assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{name}: {port:?}");
        }
        if ["producer", "recorder", "worker"].contains(&name) {
            let command = serde_yaml_ng::to_string(&service["command"]).unwrap();
            assert!(command.contains("0.0.0.0:9180") && service["expose"][0] == "9180", "{name}: {command}");
        }
    }
    assert!(compose["services"]["rabbitmq"]["image"].as_str().unwrap().ends_with("-management"));
}

#[test]
fn there_are_no_secrets_in_the_file() {
    for line in FILE.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let secret = line.contains("PASS") || line.contains("amqp://") || line.contains("postgres://");
        assert!(!secret || line.contains("_PASSWORD:?"), "a secret must come from the environment: {line}");
    }
}

#[test]
fn each_variable_of_ours_is_a_setting() {
    let (compose, folder) = (compose(), Folder::new());
    let ours = services(&compose).filter(|(_, service)| service["image"] == "linkbeat:latest");
    let variables = ours.flat_map(|(name, service)| {
        let environment = service["environment"].as_mapping().unwrap();
        environment.keys().map(move |variable| (name, variable.as_str().unwrap()))
    });
    for (name, variable) in variables {
        assert_is_setting(&folder, variable, name);
    }
}

/// What the specification of Compose knows, of what one may use here.
const KNOWN: [&str; 19] = [
    "build",
    "cap_drop",
    "command",
    "depends_on",
    "environment",
    "expose",
    "healthcheck",
    "hostname",
    "image",
    "ports",
    "profiles",
    "read_only",
    "restart",
    "security_opt",
    "stop_grace_period",
    "tmpfs",
    "ulimits",
    "user",
    "volumes",
];

#[test]
fn the_file_says_only_what_compose_knows() {
    let compose = compose();
    let top = compose.as_mapping().unwrap().keys().map(|key| key.as_str().unwrap());
    for key in top {
        assert!(key.starts_with("x-") || ["services", "volumes"].contains(&key), "{key}");
    }
    for (name, service) in services(&compose) {
        for key in service.as_mapping().unwrap().keys().map(|key| key.as_str().unwrap()) {
            assert!(KNOWN.contains(&key), "{name}: {key}");
        }
        for volume in service.get("volumes").and_then(Value::as_sequence).into_iter().flatten() {
            let named = volume.as_str().unwrap().split(':').next().unwrap();
            assert!(compose["volumes"].get(named).is_some(), "{name}: {named}");
        }
    }
}

/// The probe needs nothing but what the image of Debian has: bash, head and grep.
#[test]
fn the_probe_tells_a_role_that_is_ready_from_one_that_is_not() {
    let compose = compose();
    let probe = compose["services"]["worker"]["healthcheck"]["test"].as_sequence().unwrap();
    let [kind, program, args @ ..] = probe.as_slice() else { panic!("{probe:?}") };
    assert_eq!((kind, program), (&Value::from("CMD"), &Value::from("bash")));
    for (status, is_ready) in [("200 OK", true), ("503 Service Unavailable", false)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let server = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut asked = [0; 64];
            let length = socket.read(&mut asked).unwrap();
            assert!(asked[..length].starts_with(b"GET /ready HTTP/1.0\r\n"), "{asked:?}");
            write!(socket, "HTTP/1.0 {status}\r\ncontent-length: 3\r\n\r\n200").unwrap();
        });
        let args = args.iter().map(|arg| arg.as_str().unwrap().replace("9180", &port));
        let ended = Command::new("bash").args(args).status().unwrap();
        assert_eq!(ended.success(), is_ready, "{status}");
        server.join().unwrap();
    }
    let nobody = free_port().to_string();
    let args = args.iter().map(|arg| arg.as_str().unwrap().replace("9180", &nobody));
    assert!(!Command::new("bash").args(args).stderr(Stdio::null()).status().unwrap().success());
}

#[test]
fn the_image_is_built_upon_pinned_ones_by_the_locked_versions() {
    let file = include_str!("../../Dockerfile");
    let bases: Vec<_> = file.lines().filter_map(|line| line.strip_prefix("FROM ")).collect();
    assert_eq!(bases.len(), 2, "{bases:?}");
    for base in bases {
        let (_, tag) = base.split_whitespace().next().unwrap().split_once(':').unwrap();
        assert!(tag.contains('.'), "{base}");
    }
    assert!(file.contains("cargo build --release --locked"));
}
