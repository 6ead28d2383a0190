//! The PostgreSQL roles of docs/database-roles.md, made by its own statements: the fleet works with them, and none
//! may do more than it must.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::fleet::{Servers, free_port, http_status};
use crate::support::form::{arg, block_on};
use crate::support::process::{Ended, Guarded, linkbeat, run};
use crate::support::site::{Answer, Street};
use crate::support::{Folder, eventually};

const DOCUMENT: &str = include_str!("../../docs/database-roles.md");
const PERMISSION_DENIED: &str = "42501";

/// The documented roles in a database of the test's own; their names are made unique, as roles belong to
/// the whole server.
struct Roles {
    servers: Servers,
    folder: Folder,
}

impl Roles {
    fn documented() -> Self {
        let roles = Self { servers: Servers::new(), folder: Folder::new() };
        let blocks: Vec<&str> =
            DOCUMENT.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
        let [logins, database, tables] = blocks[..] else {
            panic!("three blocks of SQL, not {}", blocks.len())
        };
        roles.servers.execute(&roles.unique(logins));
        roles.servers.execute(&roles.unique(database));
        run(&mut roles.command("owner", &["migrate"])).expect(0);
        roles.execute("owner", &roles.unique(tables)).unwrap();
        roles
    }

    fn name(&self, role: &str) -> String {
        format!("{}_{role}", self.servers.namespace)
    }

    fn unique(&self, statements: &str) -> String {
        let mut unique =
            statements.replace("DATABASE links", &format!("DATABASE {}", self.servers.namespace));
        for role in ["owner", "producer", "recorder", "dashboard", "web"] {
            unique = unique.replace(&format!("linkbeat_{role}"), &self.name(role));
        }
        unique
    }

    fn url(&self, role: &str) -> String {
        let password = ["owner", "producer", "recorder", "dashboard", "web"]
            .iter()
            .position(|name| *name == role)
            .unwrap()
            + 1;
        let place = self.servers.database_url.rsplit_once('@').unwrap().1;
        format!("postgres://{}:change-me-{password}@{place}", self.name(role))
    }

    fn command(&self, role: &str, args: &[&str]) -> Command {
        let mut command = linkbeat(self.folder.path(), args);
        self.servers.configure(&mut command);
        command.env("LINKBEAT_DATABASE_URL", self.url(role));
        command
    }

    fn run(&self, role: &str, args: &[&str]) -> Ended {
        run(&mut self.command(role, args))
    }

    fn daemon(&self, role: &str, database: &str) -> Guarded {
        let health = format!("127.0.0.1:{}", free_port());
        let mut command = self.command("dashboard", &[role, "--health-addr", &health]);
        if role == "worker" {
            command.args(["--allow-network", "127.0.0.0/8"]);
        }
        let daemon = Guarded::spawn(command.env("LINKBEAT_DATABASE_URL", database).stdout(Stdio::null()));
        eventually("the role to be ready", || http_status(&health, "/ready").filter(|status| *status == 200));
        daemon
    }

    /// As that role; `Err` is the SQLSTATE.
    fn execute(&self, role: &str, statements: &str) -> Result<Vec<String>, String> {
        block_on(async {
            let (client, connection) =
                tokio_postgres::connect(&self.url(role), tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            let answered = client.simple_query(statements).await;
            let answered = answered.map_err(|error| error.code().unwrap().code().to_owned())?;
            let texts = answered.iter().filter_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            });
            Ok(texts.collect())
        })
    }

    #[track_caller]
    fn refuses(&self, role: &str, statement: &str) {
        assert_eq!(self.execute(role, statement), Err(PERMISSION_DENIED.to_owned()), "{role}: {statement}");
    }

    fn problems(&self, role: &str, as_role: &str) -> Value {
        self.run(role, &["doctor", "--role", as_role, "--format", "json"]).json()["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|finding| finding["state"] == "problem")
            .map(|finding| finding["finding"].clone())
            .collect()
    }
}

impl Drop for Roles {
    fn drop(&mut self) {
        for role in ["owner", "producer", "recorder", "dashboard", "web"] {
            let name = self.name(role);
            self.servers.execute(&format!("DROP OWNED BY {name} CASCADE; DROP ROLE {name}"));
        }
    }
}

#[test]
fn the_fleet_works_with_the_documented_roles_and_none_may_do_more() {
    let (roles, street) = (Roles::documented(), Street::open());
    let _producer = roles.daemon("producer", &roles.url("producer"));
    let _recorder = roles.daemon("recorder", &roles.url("recorder"));
    let _worker = roles.daemon("worker", "postgres://nobody@127.0.0.1:1/none");
    let up = street.set("up", Answer::Page(200, String::new()));
    let secret = street.set("down", Answer::Page(404, String::new())).replace("http://", "http://me:s3cret@");
    let list =
        roles.folder.write("list.csv", format!("name,url\nup,{up}\ndown,{secret}\nfriend,{up}?friend\n"));
    let wait = ["run", arg(&list), "--wait", "--white-list", "friend", "--format", "json"];
    // Twice: the second time links and runs are there already.
    for _ in 0..2 {
        let report = roles.run("producer", &wait).expect(1).json();
        assert_eq!((&report["data"]["up"], &report["data"]["down"]), (&1.into(), &1.into()), "{report:#}");
    }
    let runs = roles.run("producer", &["runs", "list", "--format", "json"]).expect(0).json();
    let id = runs[0]["run_id"].as_str().unwrap();
    roles.run("producer", &["runs", "show", id]).expect(1);
    for role in ["producer", "recorder"] {
        assert_eq!(roles.problems(role, role), Value::Array(Vec::new()));
    }

    for role in ["producer", "recorder", "dashboard"] {
        for statement in [
            "DELETE FROM links",
            "DELETE FROM checks",
            "DELETE FROM runs",
            "TRUNCATE jobs",
            "DROP TABLE checks",
            "ALTER TABLE links ADD COLUMN more text",
            "CREATE TABLE mine (id int)",
            "INSERT INTO __diesel_schema_migrations (version) VALUES ('1')",
        ] {
            roles.refuses(role, statement);
        }
    }
    roles.refuses("producer", "INSERT INTO checks SELECT * FROM checks");
    roles.refuses("producer", "UPDATE checks SET outcome = 1");
    roles.refuses("recorder", "UPDATE checks SET outcome = 1");
    roles.refuses("recorder", "INSERT INTO links SELECT * FROM links");
    roles.refuses("recorder", "INSERT INTO runs (id) VALUES (gen_random_uuid())");
    // Partitions are made by the owner's function, which the recorder alone may call.
    for role in ["producer", "dashboard"] {
        roles.refuses(role, "SELECT make_checks_partitions()");
    }
    roles.refuses("recorder", "DELETE FROM checks_partitions");
    let last = "SELECT name FROM checks_partitions ORDER BY from_run DESC LIMIT 1";
    let last = roles.execute("owner", last).unwrap().remove(0);
    let forget = format!("DROP TABLE {last}; DELETE FROM checks_partitions WHERE name = '{last}'");
    roles.execute("owner", &forget).unwrap();
    assert_eq!(roles.execute("recorder", "SELECT make_checks_partitions()").unwrap(), ["1"]);
    // What is old is removed by the owner's functions, which the recorder alone may call. They spare what is young.
    for call in [
        "drop_checks_partition('ffffffff-ffff-ffff-ffff-ffffffffffff')",
        "clean_dropped_runs(1000)",
        "delete_old_runs('ffffffff-ffff-ffff-ffff-ffffffffffff', 1000)",
        "delete_old_hours(2000000000, 1000)",
    ] {
        for role in ["producer", "dashboard"] {
            roles.refuses(role, &format!("SELECT {call}"));
        }
        let done = roles.execute("recorder", &format!("SELECT coalesce({call}::text, '0')")).unwrap();
        assert_eq!(done, ["0"], "{call}");
    }
    roles.refuses("recorder", "SELECT droppable_checks_partition('ffffffff-ffff-ffff-ffff-ffffffffffff')");
    for table in ["link_days", "link_hours", "jobs", "runs", "parkings"] {
        roles.refuses("recorder", &format!("DELETE FROM {table}"));
    }
    roles.refuses("producer", "UPDATE link_days SET up = 1");
    for table in ["links", "checks", "runs", "jobs", "removed_links", "changes", "__diesel_schema_migrations"]
    {
        roles.refuses("dashboard", &format!("SELECT * FROM {table}"));
    }
    // No right, or a view over several tables, through which PostgreSQL cannot write.
    for view in ["linkbeat_links", "linkbeat_runs"] {
        let refused = roles.execute("dashboard", &format!("DELETE FROM {view}")).unwrap_err();
        assert!(["42501", "55000"].contains(&refused.as_str()), "{view}: {refused}");
    }
    assert_eq!(roles.execute("owner", "SELECT url FROM links WHERE name = 'down'").unwrap(), [secret]);
    roles.run("recorder", &["history", "prune", "--older-than", "30d"]).expect(0);
    roles.run("producer", &["links", "history", "down"]).expect(0);
    roles.run("producer", &["history", "status"]).expect(0);
    let views = [
        "linkbeat_links",
        "linkbeat_checks",
        "linkbeat_runs",
        "linkbeat_changes",
        "linkbeat_days",
        "linkbeat_hours",
    ];
    let seen =
        views.map(|view| roles.execute("dashboard", &format!("SELECT v::text FROM {view} v")).unwrap());
    let rows: Vec<_> = seen.iter().map(Vec::len).collect();
    // The two runs may lie in two hours, or on two days.
    assert!(
        rows[..4] == [3, 6, 2, 2] && (3..=6).contains(&rows[4]) && (3..=6).contains(&rows[5]),
        "{rows:?}"
    );
    assert!(!format!("{seen:?}").contains("s3cret"), "{seen:#?}");
}

#[test]
fn the_producers_login_may_decide_about_a_run_that_is_held_back() {
    let (roles, street) = (Roles::documented(), Street::open());
    let _producer = roles.daemon("producer", &roles.url("producer"));
    let _recorder = roles.daemon("recorder", &roles.url("recorder"));
    let _worker = roles.daemon("worker", "postgres://nobody@127.0.0.1:1/none");
    let sites = |status| {
        let urls = (0..12).map(|n| street.set(&format!("site{n}"), Answer::Page(status, String::new())));
        urls.collect::<Vec<_>>().join("\n")
    };
    let list = roles.folder.write("list.txt", sites(200));
    let wait = ["run", arg(&list), "--wait", "--format", "json"];
    roles.run("producer", &wait).expect(0);
    sites(404);
    for decision in ["discard", "apply"] {
        let report = roles.run("producer", &wait).expect(3).json();
        roles.run("producer", &["runs", decision, report["data"]["run_id"].as_str().unwrap()]).expect(0);
    }
    let links = roles.run("producer", &["links", "list", "--format", "json"]).expect(0).json();
    assert!(links.as_array().unwrap().iter().all(|link| link["shown"] == false), "{links:#}");
}

#[test]
fn the_dashboard_reads_all_and_writes_only_what_its_actions_need() {
    let roles = Roles::documented();
    let token = roles.run("owner", &["tokens", "add", "a", "--scope", "write"]).expect(0).stdout;
    let list = roles.folder.write("list.csv", "name,url\na,http://127.0.0.1:9/\n");
    roles.run("producer", &["links", "import", arg(&list)]).expect(0);
    let listen = format!("127.0.0.1:{}", free_port());
    let health = format!("127.0.0.1:{}", free_port());
    let mut command = roles.command("web", &["dashboard", "--listen", &listen, "--health-addr", &health]);
    let _dashboard = Guarded::spawn(command.stdout(Stdio::null()));
    eventually("the dashboard to be served", || {
        http_status(&listen, "/feed/").filter(|status| *status == 200)
    });
    for path in ["/", "/feed/links.json", "/feed/changes.atom", "/feed/badge.svg", "/login"] {
        assert_eq!(http_status(&listen, path), Some(200), "{path}");
    }
    assert!(token.starts_with("lb_"), "{token}");
    // What people do there, by the statements of the commands that do the same.
    for action in [
        &["links", "set", "a", "--shown", "false"][..],
        &["links", "history", "a"],
        &["schedule", "add", "often", "--every", "6h"],
        &["schedule", "pause", "often"],
        &["schedule", "remove", "often"],
        &["links", "remove", "a"],
        &["links", "add", "http://127.0.0.1:9/b"],
        &["runs", "list"],
        &["history", "status"],
    ] {
        roles.run("web", action).expect(0);
    }
    for statement in [
        "DELETE FROM checks",
        "DELETE FROM runs",
        "DELETE FROM jobs",
        "DELETE FROM removed_links",
        "TRUNCATE links",
        "DROP TABLE links",
        "UPDATE checks SET outcome = 1",
        "INSERT INTO checks SELECT * FROM checks",
        "UPDATE changes SET shown = true",
        "UPDATE link_days SET up = 1",
        "INSERT INTO tokens SELECT * FROM tokens",
        "UPDATE tokens SET scope = 'write'",
        "DELETE FROM tokens",
        "UPDATE sessions SET ends_at = ends_at",
        "CREATE TABLE mine (id int)",
        "SELECT make_checks_partitions()",
    ] {
        roles.refuses("web", statement);
    }
    for table in ["tokens", "sessions"] {
        for role in ["producer", "recorder", "dashboard"] {
            roles.refuses(role, &format!("SELECT * FROM {table}"));
        }
    }
}

#[test]
fn a_role_that_lacks_rights_is_told_which() {
    let roles = Roles::documented();
    let lacks = |role: &str, as_role: &str| roles.problems(role, as_role).to_string();
    let recorder = lacks("producer", "recorder");
    assert!(
        recorder.contains("INSERT on checks") && recorder.contains("EXECUTE on make_checks_partitions()"),
        "{recorder}"
    );
    let dashboard = lacks("dashboard", "producer");
    assert!(dashboard.contains("permission denied for table __diesel_schema_migrations"), "{dashboard}");
}
