//! A whole check: a page of 10 KB over a kept connection to a site on this machine, judged.

use std::sync::Arc;

use linkbeat_shared::{BacklinkPattern, CheckSpec, JobLink, LinkId, LinkUrl, Timeout, Verdict};
use linkbeat_worker::{Engine, Outcome, WorkerSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::Piece;
use crate::page::{BACKLINK, page, runtime};

/// Long: a program whose instructions are counted is slow.
const TIMEOUT_MS: u64 = 60_000;

/// The site runs in the same thread. Its part is small, and always the same.
pub(crate) fn piece() -> anyhow::Result<Piece> {
    let runtime = runtime()?;
    let (engine, link) = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/", listener.local_addr()?);
        tokio::spawn(serve(listener));
        let settings =
            WorkerSettings { allow_network: vec!["127.0.0.0/8".parse()?], ..WorkerSettings::default() };
        let link = JobLink { id: LinkId::new(), url: LinkUrl::parse(&url)?, page_url: None, backlink: true };
        anyhow::Ok((Engine::new(&settings)?, link))
    })?;
    let spec = Arc::new(CheckSpec {
        backlink: Some(BacklinkPattern::parse(BACKLINK)?),
        timeout: Timeout::from_millis(TIMEOUT_MS)?,
        ..CheckSpec::default()
    });
    let check = move || match runtime.block_on(engine.check(&link, &spec)) {
        Outcome::Judged(result) => result.verdict,
        Outcome::OwnFault(_) => None,
    };
    anyhow::ensure!(check() == Some(Verdict::Up), "the site is not up");
    Ok(Piece::new("check a link", 20, check))
}

async fn serve(listener: TcpListener) {
    let page = page();
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n", page.len());
    let answer: Arc<str> = (head + &page).into();
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answer_all(stream, Arc::clone(&answer)));
    }
}

async fn answer_all(mut stream: TcpStream, answer: Arc<str>) -> std::io::Result<()> {
    let mut head = Vec::with_capacity(1_024);
    loop {
        head.clear();
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut head).await? == 0 {
                return Ok(());
            }
        }
        stream.write_all(answer.as_bytes()).await?;
    }
}
