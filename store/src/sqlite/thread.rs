//! The thread that owns the connection.

use std::error::Error;
use std::fmt;

use diesel::SqliteConnection;
use diesel_async::sync_connection_wrapper::SpawnBlocking;
use futures::FutureExt;
use futures::executor::block_on;
use futures::future::{BoxFuture, ready};
use tokio::sync::{mpsc, oneshot};

use super::Connection;
use crate::error::Fault;

/// How many calls may wait; further callers wait for their turn to wait.
const WAITING_CALLS: usize = 64;

enum Command {
    Call(Box<dyn FnOnce(&mut Connection) + Send>),
    Close(oneshot::Sender<()>),
}

/// Where a wrapped connection does its work: at once, on the thread that asks for it.
pub(super) struct OnThisThread;

impl SpawnBlocking for OnThisThread {
    fn spawn_blocking<'a, R: Send + 'static>(
        &mut self,
        task: impl FnOnce() -> R + Send + 'static,
    ) -> BoxFuture<'a, Result<R, Box<dyn Error + Send + Sync>>> {
        ready(Ok(task())).boxed()
    }

    fn get_runtime() -> Self {
        Self
    }
}

/// Carries out calls one after the other, each whole. What writes is done whether its caller still waits or not; what only
/// reads is left out if nobody waits for it when its turn comes.
pub(super) struct DatabaseThread {
    commands: mpsc::Sender<Command>,
}

impl DatabaseThread {
    /// Starts the thread with the connection that `open` gives; it ends when `self` is dropped or closed.
    pub(super) async fn start<T: Send + 'static>(
        open: impl FnOnce() -> Result<(SqliteConnection, T), Fault> + Send + 'static,
    ) -> Result<(Self, T), Fault> {
        let (commands, waiting) = mpsc::channel(WAITING_CALLS);
        let (answer, answered) = oneshot::channel();
        let life = move || match open() {
            Ok((connection, found)) => {
                // Whoever opens may have gone away; then no call comes either.
                let _ = answer.send(Ok(found));
                serve(Connection::new(connection), waiting);
            }
            Err(fault) => {
                let _ = answer.send(Err(fault));
            }
        };
        std::thread::Builder::new()
            .name("linkbeat-sqlite".to_owned())
            .spawn(life)
            .map_err(|error| Fault::Unavailable(format!("no thread for it: {error}")))?;
        let found = answered.await.map_err(|_| closed())??;
        Ok((Self { commands }, found))
    }

    /// Has `work` done on the connection. `only_reads`: it changes nothing.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        only_reads: bool,
        work: impl AsyncFnOnce(&mut Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let (answer, answered) = oneshot::channel();
        let call = Box::new(move |connection: &mut Connection| {
            if only_reads && answer.is_closed() {
                return;
            }
            // The caller may have gone away; what writes is done all the same.
            let _ = answer.send(block_on(work(connection)));
        });
        self.commands.send(Command::Call(call)).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// Ends the thread once all earlier calls are done.
    pub(super) async fn close(&self) {
        let (closed, ended) = oneshot::channel();
        if self.commands.send(Command::Close(closed)).await.is_ok() {
            // An error means the same: the thread is gone.
            let _ = ended.await;
        }
    }
}

fn serve(mut connection: Connection, mut waiting: mpsc::Receiver<Command>) {
    while let Some(command) = waiting.blocking_recv() {
        match command {
            Command::Call(call) => call(&mut connection),
            Command::Close(closed) => {
                // Before the closer goes on: a later call is refused, rather than left in a channel that nobody reads.
                waiting.close();
                drop(connection);
                // The closer may have gone away.
                let _ = closed.send(());
                return;
            }
        }
    }
}

impl fmt::Debug for DatabaseThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseThread").finish_non_exhaustive()
    }
}

fn closed() -> Fault {
    Fault::Unavailable("it was closed on our side".to_owned())
}
