//! The clients in `examples/`, as the user that docs/operations.md documents for another app.

use std::process::Command;

use linkbeat_testbed::background;
use linkbeat_testbed::database::Database;
use linkbeat_testbed::fleet::{CommandLine, Fleet, Place, Role};
use linkbeat_testbed::servers::PrivateServers;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use crate::support::process::{BINARY, Ended, linkbeat, run};
use crate::support::site::{Answer, Street};
use crate::support::{Folder, eventually};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");
const PASSWORD: &str = "hunter2";

/// A RabbitMQ with the documented users, and a fleet of which each role is such a user.
struct World {
    // In the order in which they end.
    fleet: Fleet,
    folder: Folder,
    street: Street,
    servers: PrivateServers,
    _database: Database,
}

impl World {
    fn start() -> Self {
        let servers = PrivateServers::start("start_rabbitmq provide_rabbitmqctl provide_node");
        let (folder, street) = (Folder::new(), Street::open());
        run_documented(&servers);
        let database = background(Database::create("linkbeat"));
        let place = Place {
            broker_url: url(&servers, "linkbeat-admin"),
            database_url: database.url.clone(),
            namespace: "linkbeat".to_owned(),
        };
        // On a busy machine a new RabbitMQ takes a while.
        eventually("the queues", || {
            let mut migrate = linkbeat(folder.path(), ["migrate"]);
            migrate.env("LINKBEAT_BROKER_URL", &place.broker_url);
            let ended = run(migrate.env("LINKBEAT_DATABASE_URL", &place.database_url));
            (ended.status == Some(0)).then_some(())
        });
        let mut fleet = Fleet::new(BINARY, folder.path(), place, &[]);
        for (role, user) in [
            (Role::Producer, "linkbeat-producer"),
            (Role::Recorder, "linkbeat-recorder"),
            (Role::Worker, "linkbeat-worker"),
        ] {
            let command = CommandLine::default().variable("LINKBEAT_BROKER_URL", &url(&servers, user));
            background(fleet.start(role, command));
        }
        Self { fleet, folder, street, servers, _database: database }
    }

    /// A program that asks as the user `blog`.
    fn client(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).args(arguments);
        command
    }

    fn python(&self) -> (String, Vec<String>) {
        let python = std::env::var("LINKBEAT_TEST_PYTHON").expect("LINKBEAT_TEST_PYTHON; run scripts/test");
        (python, vec![format!("{EXAMPLES}/request_run.py"), url(&self.servers, "blog")])
    }

    fn node(&self) -> (String, Vec<String>) {
        ("node".to_owned(), vec![format!("{EXAMPLES}/request_run.js"), url(&self.servers, "blog")])
    }

    /// Asks with options as Python's and Node's clients have them.
    fn ask(&self, (program, first): &(String, Vec<String>), options: &[&str]) -> Ended {
        let mut command = self.client(program, &[]);
        run(command.args(first).args(options).env("NODE_PATH", self.servers.get("NODE_PATH")))
    }
}

/// Runs the lines of docs/operations.md that make the users, to the letter.
fn run_documented(servers: &PrivateServers) {
    let manual = include_str!("../../docs/operations.md");
    let (_, rest) = manual.split_once("```sh permissions\n").expect("the users");
    let (commands, _) = rest.split_once("```").unwrap();
    let path = format!("{}:{}", servers.get("RABBITMQCTL"), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    for role in ["ADMIN", "PRODUCER", "WORKER", "RECORDER", "BLOG"] {
        shell.env(format!("{role}_PASSWORD"), PASSWORD);
    }
    run(shell.args(["-euc", commands]).env("PATH", path)).expect(0);
}

fn url(servers: &PrivateServers, user: &str) -> String {
    let mut url: Url = servers.get("BROKER_URL").parse().unwrap();
    url.set_username(user).unwrap();
    url.set_password(Some(PASSWORD)).unwrap();
    url.set_path("/%2f");
    url.to_string()
}

#[test]
fn the_clients_in_python_and_node_ask_as_the_documented_user() {
    let mut world = World::start();
    let url = world.street.set("gone", Answer::Page(404, String::new()));
    world.folder.write("links.json", json!([{ "name": "gone", "url": url }]).to_string());
    world.folder.write("bad.json", json!([{ "link": url }]).to_string());
    for client in [world.python(), world.node()] {
        let id = Uuid::now_v7().to_string();
        let report =
            world.ask(&client, &["links.json", "--request-id", &id, "--lang", "zh"]).expect(0).json();
        assert_eq!((&report["code"], &report["data"]["active_num"]), (&json!(0), &json!(1)), "{report}");
        assert_eq!(report["data"]["links"][0]["reason_text"], "网页请求返回404");
        assert_eq!(report["request_id"], json!(id));
        let refused = world.ask(&client, &["bad.json"]).expect(1).json();
        let told = refused["message"].as_str().unwrap();
        assert!(told.contains("links[0].link: unknown field; did you mean `url`?"), "{told}");
        let cancelled = world.ask(&client, &["--cancel", "--request-id", &id]).expect(0).json();
        assert_eq!(cancelled["data"]["state"], "finished", "it had ended");
    }
    // Nobody takes the request, or nobody works on it: that is said in words.
    let nowhere = "namespace of nobody";
    for client in [world.python(), world.node()] {
        let ended = world.ask(&client, &["links.json", "--namespace", nowhere]).expect(3);
        assert!(ended.stderr.starts_with("no answer: "), "{ended:#?}");
        assert!(!ended.stderr.contains("Traceback"), "{ended:#?}");
    }
    let producer = world.fleet.of(Role::Producer)[0];
    world.fleet.process(producer).kill();
    for client in [world.python(), world.node()] {
        let ended = world.ask(&client, &["links.json", "--wait", "1"]).expect(3);
        assert!(ended.stderr.contains("no answer: none came within 1 s"), "{ended:#?}");
    }
    assert_eq!(world.street.hits("gone"), 2);
}

/// `cargo test` builds it beside the binary.
#[test]
fn the_client_in_rust_asks_as_the_documented_user() {
    let world = World::start();
    let url_of_page = world.street.set("gone", Answer::Page(404, String::new()));
    world.folder.write("links.json", json!([{ "name": "gone", "url": url_of_page }]).to_string());
    let program = std::path::Path::new(BINARY.0).with_file_name("examples").join("request_run");
    let program = program.to_str().unwrap();
    let broker_url = url(&world.servers, "blog");
    let report: Value =
        run(&mut world.client(program, &[&broker_url, "links.json", "lang=\"zh\""])).expect(0).json();
    assert_eq!(report["data"]["links"][0]["reason_text"], "网页请求返回404");
    let refused = run(&mut world.client(program, &[&broker_url, "urls=[]"])).expect(1).json();
    let told = refused["message"].as_str().unwrap();
    assert!(told.contains("urls: unknown field; did you mean `links`?"), "{told}");
    let mut lost = world.client(program, &[&broker_url, "links.json"]);
    let ended = run(lost.env("LINKBEAT_NAMESPACE", "namespace of nobody")).expect(3);
    assert!(ended.stderr.starts_with("no answer: "), "{ended:#?}");
}
