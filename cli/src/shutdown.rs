//! Ctrl-C and SIGTERM. The first signal asks for an orderly end. The second ends the process at once.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::logging;

const ONCE_MORE: &str = "a second signal ends at once";

/// A token that the first signal cancels. `notice` tells people what happens then.
pub(crate) fn on_signal(notice: &'static str) -> CancellationToken {
    cancelled_by_signal(move || logging::print_note(format_args!("{notice}; {ONCE_MORE}")))
}

/// The same for a daemon, whose standard error is its log and nothing else.
pub(crate) fn on_signal_to_daemon(notice: &'static str) -> CancellationToken {
    cancelled_by_signal(move || tracing::info!("{notice}; {ONCE_MORE}"))
}

/// From its return on, a signal no longer ends the process by itself.
fn cancelled_by_signal(notify: impl FnOnce() + Send + 'static) -> CancellationToken {
    let token = CancellationToken::new();
    let Ok(mut signals) = Signals::listen() else { return token };
    let trigger = token.clone();
    tokio::spawn(async move {
        signals.next().await;
        trigger.cancel();
        notify();
        signals.next().await;
        std::process::exit(130);
    });
    token
}

/// Runs a role to its end. Once `shutdown` is cancelled it has `limit` left. Then it is given up. What it held goes
/// back to the queues by itself.
pub(crate) async fn within(limit: Duration, shutdown: CancellationToken, role: impl Future<Output = ()>) {
    let overdue = async {
        shutdown.cancelled().await;
        tokio::time::sleep(limit).await;
    };
    tokio::select! {
        () = role => {}
        () = overdue => tracing::warn!("did not stop within {limit:?}; giving up what is left"),
    }
}

/// What asks the process to end. A signal that comes before somebody waits for it is kept.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Self { interrupt, terminate })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) {
        self.0.recv().await;
    }
}
