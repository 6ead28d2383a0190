//! A dashboard over a real socket and a real database.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use linkbeat_dashboard::{BadList, CannotFile, Dashboard, DashboardSettings, Desk, Ports, ScheduleRun};
use linkbeat_shared::{GivenLinks, Lang, LinkId, NewLink, Request, RequestId, RequestOptions, RunId};
use linkbeat_store::{Filed, OpenMode, SharedStore, StoredSchedule};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Nothing that a test waits for takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Nobody files anything in these tests: `tests/browser` does.
#[derive(Debug)]
struct NoDesk;

#[async_trait]
impl Desk for NoDesk {
    async fn file(&self, _: Request) -> Result<Filed, CannotFile> {
        Err(CannotFile::Broker("there is no desk".to_owned()))
    }

    fn options(&self) -> RequestOptions {
        RequestOptions::default()
    }

    async fn repeat_run(&self, _: RunId, _: RequestId) -> Result<Filed, CannotFile> {
        Err(CannotFile::Broker("there is no desk".to_owned()))
    }

    async fn run_schedule(&self, _: &StoredSchedule, _: RequestId) -> Result<ScheduleRun, CannotFile> {
        Ok(ScheduleRun::Gone)
    }

    fn read_list(&self, _: &str, _: Vec<u8>, _: Lang) -> Result<GivenLinks, BadList> {
        Err(BadList("there is no desk".to_owned()))
    }
}

/// A dashboard that is served, and its database.
pub(crate) struct Served {
    pub(crate) store: SharedStore,
    address: SocketAddr,
    stop: CancellationToken,
    _folder: TempDir,
}

/// What was answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    head: String,
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

/// An answer that goes on.
pub(crate) struct Stream(TcpStream);

impl Stream {
    /// Reads until this has come, and gives what came.
    pub(crate) async fn until(&mut self, text: &str) -> String {
        let reading = async {
            let (mut came, mut piece) = (String::new(), [0; 4096]);
            while !came.contains(text) {
                let bytes = self.0.read(&mut piece).await.unwrap();
                assert!(bytes > 0, "the stream ended: {came}");
                came.push_str(&String::from_utf8_lossy(&piece[..bytes]));
            }
            came
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("it comes in time")
    }

    pub(crate) async fn until_end(&mut self) {
        let mut rest = Vec::new();
        tokio::time::timeout(Duration::from_secs(3), self.0.read_to_end(&mut rest)).await.unwrap().unwrap();
    }
}

impl Served {
    pub(crate) async fn at(base_path: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("a.db").display()).parse().unwrap();
        let store = linkbeat_store::open(&url, OpenMode::Migrate).await.unwrap();
        let settings =
            DashboardSettings { base_path: base_path.parse().unwrap(), ..DashboardSettings::default() };
        let ports =
            Ports { store: store.clone(), desk: Arc::new(NoDesk), facts: Arc::default(), queues: None };
        let dashboard = Dashboard::new(settings, ports).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        tokio::spawn(dashboard.serve(listener, stop.clone()));
        Self { store, address, stop, _folder: folder }
    }

    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    pub(crate) async fn import(&self, urls: &[&str]) -> Vec<LinkId> {
        let links: Vec<_> = urls.iter().map(|url| NewLink::from_url(url.parse().unwrap())).collect();
        self.store.import(links.into()).await.unwrap().ids
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), &[], "").await
    }

    pub(crate) async fn ask(&self, request: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut stream = self.send(request, headers, body, "close").await;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// Asks for something that does not end.
    pub(crate) async fn stream(&self, path: &str) -> Stream {
        Stream(self.send(&format!("GET {path}"), &[], "", "keep-alive").await)
    }

    async fn send(&self, request: &str, headers: &[(&str, &str)], body: &str, connection: &str) -> TcpStream {
        let mut text = format!(
            "{request} HTTP/1.1\r\nhost: {}\r\nconnection: {connection}\r\ncontent-length: {}\r\n",
            self.address,
            body.len()
        );
        text.extend(headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")));
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(format!("{text}\r\n{body}").as_bytes()).await.unwrap();
        stream
    }
}
