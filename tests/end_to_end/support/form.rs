//! linkbeat's two forms behind one face, so that each rule is tested in both.

use std::path::{Path, PathBuf};
use std::process::Command;

use linkbeat_store::{DatabaseUrl, OpenMode, SharedStore};
use serde_json::Value;

use super::fleet::Fleet;
use super::process::{Ended, linkbeat, run};
use super::{Folder, eventually};

/// One of the forms, with a database of its own.
pub(crate) struct Form {
    pub(crate) folder: Folder,
    fleet: Option<Fleet>,
}

impl Form {
    /// Everything in one process: SQLite and the in-process queue.
    pub(crate) fn embedded() -> Self {
        Self { folder: Folder::new(), fleet: None }
    }

    /// One producer, one recorder and two workers over RabbitMQ and PostgreSQL.
    pub(crate) fn fleet() -> Self {
        Self { folder: Folder::new(), fleet: Some(Fleet::start(&[])) }
    }

    /// Checks a list, or the stored links, and waits for the report.
    pub(crate) fn check(&self, args: &[&str]) -> Ended {
        let command = match &self.fleet {
            None => ["check", "--allow-network", "127.0.0.0/8"].as_slice(),
            Some(_) => &["run", "--wait"],
        };
        let format: &[&str] = if args.contains(&"--format") { &[] } else { &["--format", "json"] };
        run(self.command(command).args(format).args(args))
    }

    /// The same, taking apart the report.
    pub(crate) fn report(&self, args: &[&str]) -> Value {
        let ended = self.check(args);
        let report = ended.json();
        let failed = report["data"]["links"]
            .as_array()
            .unwrap()
            .iter()
            .any(|link| link["verdict"] != "up" && link["verdict"] != Value::Null);
        assert_eq!(ended.status, Some(i32::from(failed)), "the exit status tells whether every link passed");
        report
    }

    /// `linkbeat links list`
    pub(crate) fn links(&self) -> Value {
        run(self.command(&["links", "list", "--format", "json"]).args::<[&str; 0], _>([])).expect(0).json()
    }

    /// Any other command on this form's database.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        run(&mut self.command(args))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = linkbeat(self.folder.path(), args);
        if let Some(fleet) = &self.fleet {
            fleet.configure(&mut command);
        }
        command
    }

    pub(crate) fn list(&self, content: &str) -> PathBuf {
        self.folder.write("list.csv", content)
    }

    /// The database, seen by the store's own eyes.
    pub(crate) fn store<T>(&self, look: impl AsyncFnOnce(SharedStore) -> T) -> T {
        let url = match &self.fleet {
            None => format!("sqlite://{}", self.folder.path().join("linkbeat.db").display()),
            Some(fleet) => fleet.database_url().to_owned(),
        };
        let url: DatabaseUrl = url.parse().unwrap();
        // Whoever looks at once may find it in the making.
        let open = || block_on(linkbeat_store::open(&url, OpenMode::Check)).err().is_none().then_some(());
        eventually("the database to be made", open);
        block_on(async { look(linkbeat_store::open(&url, OpenMode::Check).await.unwrap()).await })
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// A path as an argument.
pub(crate) fn arg(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Makes a test of each form out of one function over a [`Form`].
macro_rules! both_forms {
    ($($(#[$doc:meta])* fn $name:ident($form:ident: &Form) $body:block)+) => {
        $($(#[$doc])* fn $name($form: &$crate::support::form::Form) $body)+

        mod embedded {
            $(#[test] fn $name() { super::$name(&$crate::support::form::Form::embedded()); })+
        }

        mod fleet {
            $(#[test] fn $name() { super::$name(&$crate::support::form::Form::fleet()); })+
        }
    };
}
pub(crate) use both_forms;
