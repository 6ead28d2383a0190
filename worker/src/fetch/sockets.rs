//! The resolver's sockets, and how often one could not be opened for want of our own.
//!
//! hickory forgets what a socket said and reports that no name server can be reached. Told apart here, a
//! want of descriptors stays our own fault.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hickory_resolver::net::runtime::{RuntimeProvider, TokioRuntimeProvider};

use super::failure::own_fault;

type Opening<S> = Pin<Box<dyn Send + Future<Output = io::Result<S>>>>;

/// Opens sockets as tokio does.
#[derive(Clone, Default)]
pub(super) struct Sockets {
    tokio: TokioRuntimeProvider,
    wants: Arc<AtomicUsize>,
}

impl Sockets {
    /// How often a socket could not be opened through our own fault.
    pub(super) fn wants(&self) -> usize {
        self.wants.load(Ordering::Relaxed)
    }

    fn counting<S: 'static>(&self, opening: Opening<S>) -> Opening<S> {
        let wants = Arc::clone(&self.wants);
        Box::pin(async move {
            let opened = opening.await;
            if opened.as_ref().is_err_and(|error| own_fault(error).is_some()) {
                wants.fetch_add(1, Ordering::Relaxed);
            }
            opened
        })
    }
}

/// hickory's provider has none.
impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sockets").field("wants", &self.wants).finish_non_exhaustive()
    }
}

impl RuntimeProvider for Sockets {
    type Handle = <TokioRuntimeProvider as RuntimeProvider>::Handle;
    type Timer = <TokioRuntimeProvider as RuntimeProvider>::Timer;
    type Udp = <TokioRuntimeProvider as RuntimeProvider>::Udp;
    type Tcp = <TokioRuntimeProvider as RuntimeProvider>::Tcp;

    fn create_handle(&self) -> Self::Handle {
        self.tokio.create_handle()
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        local: Option<SocketAddr>,
        timeout: Option<Duration>,
    ) -> Opening<Self::Tcp> {
        self.counting(self.tokio.connect_tcp(server, local, timeout))
    }

    fn bind_udp(&self, local: SocketAddr, server: SocketAddr) -> Opening<Self::Udp> {
        self.counting(self.tokio.bind_udp(local, server))
    }
}
