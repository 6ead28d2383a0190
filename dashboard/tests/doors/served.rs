//! A dashboard over a real socket and a real database.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use linkbeat_dashboard::{
    BadList, CannotFile, Dashboard, DashboardSettings, Desk, Facts, Limits, NewToken, Ports, ScheduleRun,
};
use linkbeat_producer::RunNow;
use linkbeat_shared::{GivenLinks, Lang, Link, LinkUrl, NewLink, Request, RequestId, RequestOptions, RunId};
use linkbeat_store::{Filed, OpenMode, Scope, SharedStore, StoredSchedule};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The hash of `correct horse`, made so that it is quick to check.
pub(crate) const HASH: &str =
    "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0$Kw3/ZjLNvvrvmWv7DSmJdvIaVuO5yzpUAyMmNiCnHLI";

/// Files as the command line does. Nobody publishes the jobs.
#[derive(Debug)]
struct PlainDesk(SharedStore);

#[async_trait]
impl Desk for PlainDesk {
    async fn file(&self, request: Request) -> Result<Filed, CannotFile> {
        Ok(linkbeat_producer::file(&self.0, request).await?)
    }

    fn options(&self) -> RequestOptions {
        RequestOptions::default()
    }

    async fn repeat_run(&self, run: RunId, request: RequestId) -> Result<Filed, CannotFile> {
        linkbeat_producer::repeat(&self.0, run, request)
            .await
            .map_err(|error| CannotFile::Unreadable(error.to_string()))
    }

    async fn run_schedule(
        &self,
        schedule: &StoredSchedule,
        request: RequestId,
    ) -> Result<ScheduleRun, CannotFile> {
        let run = linkbeat_producer::run_now(&*self.0, schedule, request).await;
        Ok(match run.map_err(|error| CannotFile::Unreadable(error.to_string()))? {
            RunNow::Filed(filed) => ScheduleRun::Filed(filed),
            RunNow::Overlap(run) => ScheduleRun::Overlap(run),
            RunNow::Gone => ScheduleRun::Gone,
        })
    }

    fn explain(&self, _: &Link, _: Lang) -> BoxStream<'static, String> {
        stream::iter(["<b>a step".to_owned()]).boxed()
    }

    /// Takes the URLs that stand in the list, one in each line or in quotes. The command line reads lists for good.
    fn read_list(&self, name: &str, list: Vec<u8>, _: Lang) -> Result<GivenLinks, BadList> {
        let list = String::from_utf8(list).unwrap();
        let urls = list.split(['\n', '"', ',']).filter(|text| text.starts_with("http"));
        let links: Vec<NewLink> = urls.map(|url| NewLink::from_url(LinkUrl::parse(url).unwrap())).collect();
        match links.is_empty() {
            true => Err(BadList(format!("{name}:1: `{list}` is no URL"))),
            false => Ok(links.into()),
        }
    }
}

/// A dashboard that is served, and its database.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) store: SharedStore,
    stop: DropGuard,
    serving: JoinHandle<()>,
    _folder: Option<TempDir>,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// A store in a folder of its own.
pub(crate) async fn store() -> (SharedStore, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("a.db").display()).parse().unwrap();
    (linkbeat_store::open(&url, OpenMode::Migrate).await.unwrap(), folder)
}

/// What a dashboard of this store stands on.
pub(crate) fn ports(store: &SharedStore) -> Ports {
    Ports {
        store: store.clone(),
        desk: Arc::new(PlainDesk(store.clone())),
        facts: Arc::new(Facts::default()),
        queues: None,
    }
}

impl Served {
    /// Settings as of a settings file. The dashboard is always reached over loopback, whatever they say.
    pub(crate) async fn with(settings: serde_json::Value) -> Self {
        let (store, folder) = store().await;
        Self::of(settings, store).await.in_folder(folder)
    }

    /// The same with other limits for its clients.
    pub(crate) async fn within(limits: Limits, settings: serde_json::Value) -> Self {
        let (store, folder) = store().await;
        let ports = ports(&store);
        Self::on(ports, limits, settings, store).await.in_folder(folder)
    }

    /// The same of a store that is there already.
    pub(crate) async fn of(settings: serde_json::Value, store: SharedStore) -> Self {
        Self::on(ports(&store), Limits::default(), settings, store).await
    }

    /// The same with ports that a test has made.
    pub(crate) async fn on(
        ports: Ports,
        limits: Limits,
        settings: serde_json::Value,
        store: SharedStore,
    ) -> Self {
        let settings: DashboardSettings = serde_json::from_value(settings).unwrap();
        let dashboard = Dashboard::new(settings, ports).await.unwrap().within(limits);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(dashboard.serve(listener, stop.clone()));
        Self { address, store, stop: stop.drop_guard(), serving, _folder: None }
    }

    /// The same, with the folder of its database, which goes with it.
    pub(crate) fn in_folder(self, folder: TempDir) -> Self {
        Self { _folder: Some(folder), ..self }
    }

    /// Stops it, and waits until it has ended.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        self.serving.await.unwrap();
    }

    /// A connection on which something was sent.
    pub(crate) async fn open(&self, sent: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        stream
    }

    pub(crate) async fn token(&self, name: &str, scope: Scope) -> String {
        let token = NewToken::new();
        assert!(self.store.add_token(&name.parse().unwrap(), &token.hash(), scope).await.unwrap());
        token.reveal().to_owned()
    }

    /// Sends a request with these headers, which may name another host.
    pub(crate) async fn ask(&self, request: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut text =
            format!("{request} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        let names_host = headers.iter().any(|(name, _)| *name == "host");
        if !names_host {
            text += &format!("host: {}\r\n", self.address);
        }
        text.extend(headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")));
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(format!("{text}\r\n{body}").as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), &[], "").await
    }

    pub(crate) async fn get_with(&self, path: &str, token: &str) -> Answer {
        self.ask(&format!("GET {path}"), &[("authorization", &format!("Bearer {token}"))], "").await
    }

    /// Logs in. Returns the answer and the cookie.
    pub(crate) async fn log_in(&self, path: &str, password: &str) -> (Answer, String) {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let body = format!("password={}", password.replace(' ', "+"));
        let answer = self.ask(&format!("POST {path}"), &form, &body).await;
        let cookie = answer.header("set-cookie").unwrap_or_default().split(';').next().unwrap().to_owned();
        (answer, cookie)
    }
}
