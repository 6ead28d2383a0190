use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

use super::cast::{Act, Role};
use super::certificates::Certificates;
use super::{site, site::Play};

/// Visitors that may wait at a door.
const BACKLOG: u32 = 128;

/// The sites, served on loopback until the street is dropped.
pub(crate) struct Street {
    second_act: Arc<AtomicBool>,
    certificates: Arc<Certificates>,
    houses: Vec<(Role, SocketAddr)>,
    /// The ports on which nobody listens. Held, so that no other house gets one of them.
    _closed: Vec<TcpSocket>,
    _servers: Vec<AbortOnDropHandle<()>>,
}

impl Street {
    /// Opens every site on a free port of 127.0.0.1, in its first act.
    pub(crate) async fn open(cast: Vec<Role>) -> anyhow::Result<Self> {
        let second_act = Arc::new(AtomicBool::new(false));
        let certificates = Arc::new(Certificates::make()?);
        let (mut houses, mut closed, mut servers) = (Vec::new(), Vec::new(), Vec::new());
        for role in cast {
            let socket = TcpSocket::new_v4()?;
            socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
            let (plays, address) = (role.plays, socket.local_addr()?);
            houses.push((role, address));
            if plays == [Play::Dead, Play::Dead] {
                closed.push(socket);
                continue;
            }
            let server = serve(socket.listen(BACKLOG)?, plays, second_act.clone(), certificates.clone());
            servers.push(AbortOnDropHandle::new(tokio::spawn(server)));
        }
        Ok(Self { second_act, certificates, houses, _closed: closed, _servers: servers })
    }

    /// Changes the street to its second act.
    pub(crate) fn change(&self) {
        self.second_act.store(true, Ordering::Release);
    }

    /// What linkbeat must say of each neighbour.
    pub(crate) fn roles(&self) -> impl Iterator<Item = &Role> {
        self.houses.iter().map(|(role, _)| role)
    }

    /// The authority that vouches for the street's certificates, in PEM.
    pub(crate) fn authority(&self) -> &str {
        &self.certificates.authority
    }

    /// Writes the street's list as people would keep theirs.
    pub(crate) fn write_csv(&self, file: &Path) -> std::io::Result<()> {
        let mut csv = std::fs::File::create(file)?;
        writeln!(csv, "name,url,active,shown")?;
        for (role, address) in &self.houses {
            let secure = matches!(role.plays[Act::First as usize], Play::Expired | Play::Ending);
            let scheme = if secure { "https" } else { "http" };
            writeln!(csv, "{},{scheme}://{address}/,{},{}", role.name, role.active, role.shown)?;
        }
        Ok(())
    }
}

async fn serve(
    listener: TcpListener,
    plays: [Play; 2],
    second_act: Arc<AtomicBool>,
    certificates: Arc<Certificates>,
) {
    let mut visits = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        while visits.try_join_next().is_some() {}
        let play = plays[usize::from(second_act.load(Ordering::Acquire))];
        let certificates = certificates.clone();
        visits.spawn(async move {
            // A visitor that goes away early is no concern of the site's.
            let _ = match play {
                Play::Expired => serve_tls(&certificates.expired, play, stream).await,
                Play::Ending => serve_tls(&certificates.ending, play, stream).await,
                play => site::serve(play, stream).await,
            };
        });
    }
}

async fn serve_tls(tls: &TlsAcceptor, play: Play, stream: TcpStream) -> std::io::Result<()> {
    site::serve(play, tls.accept(stream).await?).await
}
