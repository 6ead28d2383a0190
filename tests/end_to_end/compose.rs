//! `docker-compose.yml`: no Docker engine is needed to see that it holds together.

use serde_yaml_ng::Value;

use crate::support::Folder;
use crate::support::process::{linkbeat, run};

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
