//! `linkbeat doctor`: what is wrong is found, named and given a remedy; nothing is made or changed.

use std::net::{TcpListener, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};
use linkbeat_testbed::resolver::Resolver;
use linkbeat_testbed::servers::PrivateServers;
use serde_json::Value;

use crate::support::fleet::{Fleet, Servers};
use crate::support::form::{arg, block_on};
use crate::support::process::{Ended, linkbeat, run};
use crate::support::{Folder, eventually, knowing_no_name};

/// What the doctor says of these servers, on a machine whose resolver answers.
struct Doctor {
    folder: Folder,
    resolver: Resolver,
}

impl Doctor {
    fn new() -> Self {
        Self { folder: Folder::new(), resolver: knowing_no_name() }
    }

    fn command(&self, args: &[&str]) -> Command {
        let resolver = self.resolver.address().to_string();
        linkbeat(self.folder.path(), [&["doctor", "--resolver", &resolver], args].concat())
    }

    fn of(&self, servers: &Servers, args: &[&str]) -> Ended {
        let mut command = self.command(args);
        servers.configure(&mut command);
        run(&mut command)
    }
}

fn findings<'a>(answer: &'a Value, check: &str) -> Vec<&'a Value> {
    answer["findings"].as_array().unwrap().iter().filter(|finding| finding["check"] == check).collect()
}

/// The only finding of that check, which is a problem.
#[track_caller]
fn problem<'a>(answer: &'a Value, check: &str) -> (&'a str, &'a str) {
    let found = findings(answer, check);
    let found: Vec<_> = found.into_iter().filter(|finding| finding["state"] == "problem").collect();
    let [finding] = &found[..] else { panic!("not one problem of `{check}`: {answer:#}") };
    (finding["finding"].as_str().unwrap(), finding["remedy"].as_str().unwrap())
}

#[test]
fn a_healthy_fleet_has_no_problem() {
    let (fleet, doctor) = (Fleet::start(&[]), Doctor::new());
    // Workers take jobs once they have heard which runs were cancelled.
    let jobs = format!("{}.jobs: 0 waiting, 2 consumers", fleet.servers.namespace);
    let answer = eventually("both workers taking jobs", || {
        let answer = doctor.of(&fleet.servers, &["--format", "json"]).expect(0).json();
        findings(&answer, "queues").iter().any(|found| found["finding"] == jobs.as_str()).then_some(answer)
    });
    assert_eq!((&answer["problems"], findings(&answer, "broker").len()), (&0.into(), 1), "{answer:#}");
    let text = answer.to_string();
    for part in [
        "RabbitMQ 3.",
        "PostgreSQL ",
        "without TLS",
        "has every migration",
        "this user may do what a producer does",
        "this user may do what a worker does",
        "this user may do what a recorder does",
        "may do what a recorder does",
        "the database's clock is",
    ] {
        assert!(text.contains(part), "{part}: {answer:#}");
    }
    assert!(findings(&answer, "descriptors").len() == 1 && findings(&answer, "certificates").len() == 1);
    let settings = answer["settings"].as_array().unwrap();
    let namespace = settings.iter().find(|setting| setting["name"] == "namespace").unwrap();
    assert_eq!(namespace["from"], "LINKBEAT_NAMESPACE");
    let table = doctor.of(&fleet.servers, &[]).expect(0).stdout;
    assert!(table.contains("worker.resolver") && !table.contains("worker.per_host"), "{table}");
    let worker = doctor.of(&fleet.servers, &["--role", "worker", "--format", "json"]).expect(0).json();
    assert!(findings(&worker, "database").is_empty(), "a worker needs none: {worker:#}");
}

#[test]
fn a_queue_with_other_arguments_is_named_and_left_as_it_is() {
    let (servers, doctor) = (Servers::new(), Doctor::new());
    let jobs = format!("{}.jobs", servers.namespace);
    let look = |name: String, passive: bool| {
        block_on(async {
            let connection = lapin::Connection::connect(&servers.broker_url, <_>::default()).await.unwrap();
            let channel = connection.create_channel().await.unwrap();
            let mut arguments = FieldTable::default();
            arguments.insert("x-max-length".into(), AMQPValue::LongInt(7));
            let options = QueueDeclareOptions { durable: true, passive, ..<_>::default() };
            let declared = channel.queue_declare(name.into(), options, arguments).await.is_ok();
            let _ = connection.close(200, "".into()).await;
            declared
        })
    };
    assert!(look(jobs.clone(), false));
    let answer = doctor.of(&servers, &["--format", "json"]).expect(3).json();
    let (found, remedy) = problem(&answer, "queues");
    assert!(found.contains(&jobs) && found.contains("inequivalent arg"), "{found}");
    assert!(remedy.contains(&format!("delete_queue {jobs}")), "{remedy}");
    assert!(look(jobs, false), "it still has its own arguments");
    assert!(!look(format!("{}.results", servers.namespace), true), "nothing was made");
}

#[test]
fn pending_and_newer_migrations_are_told_apart() {
    let (servers, doctor) = (Servers::new(), Doctor::new());
    let schema = || {
        let ended = doctor.of(&servers, &["--role", "producer", "--format", "json"]);
        (ended.status, ended.json())
    };
    let (status, answer) = schema();
    assert_eq!((status, problem(&answer, "schema").1), (Some(3), "run `linkbeat migrate`"));
    let mut migrate = linkbeat(doctor.folder.path(), ["migrate"]);
    servers.configure(&mut migrate);
    run(&mut migrate).expect(0);
    let (status, answer) = schema();
    assert_eq!((status, &answer["problems"]), (Some(0), &0.into()), "{answer:#}");
    servers.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')");
    let (status, answer) = schema();
    assert_eq!(status, Some(3));
    assert!(problem(&answer, "schema").0.contains("29990101000000"), "{answer:#}");
}

#[test]
fn wrong_passwords_are_problems_and_no_secret_is_shown() {
    let (servers, doctor) = (Servers::new(), Doctor::new());
    let wrong = |url: &str| {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (user, host) = rest.split_once('@').unwrap();
        format!("{scheme}://{}:s3cret@{host}", user.split(':').next().unwrap())
    };
    for format in ["json", "table"] {
        let mut command = doctor.command(&["--settings", "--format", format, "--header", "X-Key: s3cret"]);
        servers.configure(&mut command);
        command.env("LINKBEAT_BROKER_URL", wrong(&servers.broker_url));
        command.env("LINKBEAT_DATABASE_URL", wrong(&servers.database_url));
        let ended = run(&mut command).expect(3);
        assert!(!format!("{ended:?}").contains("s3cret"), "{ended:#?}");
        assert!(
            ended.stdout.contains("refuses access")
                && ended.stdout.contains("password authentication failed")
        );
        if format == "json" {
            let answer = ended.json();
            assert!(problem(&answer, "broker").1.contains("check user, password"), "{answer:#}");
            problem(&answer, "database");
        }
    }
}

#[test]
fn servers_that_are_away_or_silent_are_told_within_seconds() {
    let doctor = Doctor::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let urls = [
        ("amqp://127.0.0.1:1/".to_owned(), "cannot reach"),
        (format!("amqp://{address}/"), "did not answer"),
    ];
    for (broker, part) in urls {
        let mut command = doctor.command(&["--format", "json"]);
        command.env("LINKBEAT_BROKER_URL", &broker);
        command.env("LINKBEAT_DATABASE_URL", format!("postgres://me:s3cret@{address}/links"));
        let start = Instant::now();
        let answer = run(&mut command).expect(3).json();
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
        assert!(problem(&answer, "broker").0.contains(part), "{answer:#}");
        assert!(problem(&answer, "database").0.contains("no connection within"), "{answer:#}");
        assert!(!findings(&answer, "descriptors").is_empty(), "the others are looked at all the same");
    }
}

#[test]
fn a_resolver_that_does_not_answer_is_a_problem_unless_another_does() {
    let (folder, answering) = (Folder::new(), knowing_no_name());
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    let doctor = |resolvers: &[&str]| {
        let mut command = linkbeat(folder.path(), ["doctor", "--format", "json"]);
        run(command.args(resolvers.iter().flat_map(|resolver| ["--resolver", resolver])))
    };
    let answer = doctor(&[&silent]).expect(3).json();
    let (found, remedy) = problem(&answer, "resolver");
    assert!(found.contains(&silent) && remedy.contains("--resolver"), "{answer:#}");
    let answer = doctor(&[&silent, &answering.address().to_string()]).expect(0).json();
    let states: Vec<_> = findings(&answer, "resolver").iter().map(|found| &found["state"]).collect();
    assert_eq!(states, ["warning", "ok"], "{answer:#}");
}

#[test]
fn one_machine_needs_no_server_and_no_file_is_made() {
    let doctor = Doctor::new();
    let answer = run(&mut doctor.command(&["--format", "json"])).expect(0).json();
    for check in ["broker", "database", "schema", "disk", "descriptors", "resolver", "certificates"] {
        let states: Vec<_> = findings(&answer, check).iter().map(|found| &found["state"]).collect();
        assert!(states == ["ok"] || (check == "descriptors" && states == ["warning"]), "{check}: {answer:#}");
    }
    assert_eq!(std::fs::read_dir(doctor.folder.path()).unwrap().count(), 0, "it only looks");
    let file = doctor.folder.write("linkbeat.db", "this is no database, and that is told in one line");
    let answer = run(&mut doctor.command(&["--format", "json"])).expect(3).json();
    assert!(answer["findings"].to_string().contains("not a database"), "{answer:#}");
    std::fs::remove_file(&file).unwrap();
    let list = doctor.folder.write("list.csv", "url\nhttp://127.0.0.1:1/\n");
    run(&mut linkbeat(doctor.folder.path(), ["check", arg(&list), "--allow-network", "127.0.0.0/8"]))
        .expect(1);
    let answer = run(&mut doctor.command(&["--format", "json"])).expect(0).json();
    assert_eq!(findings(&answer, "schema")[0]["finding"], "has every migration");
}

#[test]
fn wrong_settings_end_with_2() {
    let doctor = Doctor::new();
    for (variable, value, check) in [
        ("LINKBEAT_CHECK_TIMEOUT", "soon", "settings"),
        ("LINKBEAT_BROKER_URL", "redis://me:s3cret@host", "broker"),
        ("LINKBEAT_DATABASE_URL", "mysql://me:s3cret@host", "database"),
        ("LINKBEAT_WORKER_EXTRA_CA", "/no/such/file.pem", "certificates"),
    ] {
        let ended = run(doctor.command(&["--format", "json"]).env(variable, value)).expect(2);
        assert!(!format!("{ended:?}").contains("s3cret"), "{ended:#?}");
        problem(&ended.json(), check);
    }
}

#[test]
fn a_user_with_too_few_rights_for_celery_clients_is_told_what_is_missing_and_what_grants_it() {
    let (rabbit, servers, doctor) =
        (PrivateServers::start("start_rabbitmq provide_rabbitmqctl"), Servers::new(), Doctor::new());
    let path = format!("{}:{}", rabbit.get("RABBITMQCTL"), std::env::var("PATH").unwrap());
    let administrate = |commands: &str| {
        let done = Command::new("sh").args(["-euc", commands]).env("PATH", &path).output().unwrap();
        assert!(done.status.success(), "{commands}: {done:?}");
    };
    let namespace = &servers.namespace;
    administrate(&format!(
        "rabbitmqctl add_user few s3cret
         rabbitmqctl set_permissions few '^$' '^({namespace}\\..*|amq\\.default)$' '^{namespace}\\.requests'"
    ));
    let (_, host) = rabbit.get("BROKER_URL").split_once('@').unwrap();
    let examine = || {
        let mut command = doctor.command(&["--role", "producer", "--format", "json"]);
        servers.configure(&mut command);
        command
            .env("LINKBEAT_BROKER_URL", format!("amqp://few:s3cret@{host}"))
            .env("LINKBEAT_CELERY_QUEUES", "blog.tasks,celery");
        serde_json::from_str::<Value>(&run(&mut command).stdout).unwrap()
    };
    let answer = examine();
    let (text, remedy) = problem(&answer, "celery");
    for missing in [
        "configure the queue `blog.tasks`",
        "write to the queue `celery`",
        "read the queue `celery`",
        "configure the exchange `celeryev`",
        "write to the exchange `celeryev`",
        "configure the exchange `celery.pidbox`",
        "write to the exchange `reply.celery.pidbox`",
        "configure queues `amq.gen-…`",
    ] {
        assert!(text.contains(missing), "{missing} is not in {text}");
    }
    assert!(!text.contains("amq.default") && !text.contains("s3cret"), "{text}");

    assert_eq!(text.matches("`amq.gen-…`").count(), 3, "{text}");

    let (_, command) = remedy.split_once(": ").unwrap();
    administrate(command);
    let answer = examine();
    let [finding] = findings(&answer, "celery")[..] else { panic!("{answer:#}") };
    assert_eq!(finding["state"], "ok", "{answer:#}");
    assert_eq!(findings(&answer, "permissions")[0]["state"], "ok", "its other rights are kept: {answer:#}");

    administrate("rabbitmqctl set_permissions few '^amq\\.gen' '.*' '^(celery|amq\\.gen-.*)$'");
    let answer = examine();
    let (text, _) = problem(&answer, "celery");
    assert!(text.contains("configure the queue `celery`") && !text.contains("write"), "{text}");
    for missing in ["`blog.tasks`", "`celery.pidbox`", &format!("`{namespace}.events`")] {
        assert!(text.contains(&format!("read the exchange {missing}")), "{missing} is not in {text}");
    }
    assert!(!text.contains("read the exchange `celery`"), "{text}");
}
