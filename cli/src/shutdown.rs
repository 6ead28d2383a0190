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

fn cancelled_by_signal(notify: impl FnOnce() + Send + 'static) -> CancellationToken {
    let token = CancellationToken::new();
    let trigger = token.clone();
    tokio::spawn(async move {
        if signal().await.is_err() {
            return;
        }
        trigger.cancel();
        notify();
        if signal().await.is_ok() {
            std::process::exit(130);
        }
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

#[cfg(unix)]
async fn signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
