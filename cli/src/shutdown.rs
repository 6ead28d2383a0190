//! Ctrl-C and SIGTERM: the first asks for an orderly end, the second ends the process at once.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

const ONCE_MORE: &str = "a second signal ends at once";

/// A token that is cancelled by the first signal. `notice` tells people what happens then.
pub(crate) fn on_signal(notice: &'static str) -> CancellationToken {
    cancelled_by_signal(move || anstream::eprintln!("{notice}; {ONCE_MORE}"))
}

/// The same for a daemon, whose standard error is its log and nothing else.
pub(crate) fn on_signal_to_daemon(notice: &'static str) -> CancellationToken {
    cancelled_by_signal(move || tracing::info!("{notice}; {ONCE_MORE}"))
}

fn cancelled_by_signal(tell: impl FnOnce() + Send + 'static) -> CancellationToken {
    let token = CancellationToken::new();
    let trigger = token.clone();
    tokio::spawn(async move {
        if signal().await.is_err() {
            return;
        }
        trigger.cancel();
        tell();
        if signal().await.is_ok() {
            std::process::exit(130);
        }
    });
    token
}

/// Runs a role to its end. Once `shutdown` is cancelled it has `limit` left; then it is given up, and what
/// it held goes back to the queues by itself.
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
