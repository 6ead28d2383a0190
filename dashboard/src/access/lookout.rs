//! Looks after whoever has asked for something that goes on: a login may end meanwhile, and a token be removed.

use std::future::pending;

use axum::http::HeaderMap;
use tokio::time::{Duration, Instant, Interval, interval_at};

use super::caller::{Caller, Credential};
use super::refusal::Refusal;
use crate::serve::App;

/// Finds out, at each heartbeat, whether somebody is still who they were.
#[derive(Debug)]
pub(crate) struct Lookout {
    app: App,
    caller: Caller,
    credential: Credential,
    heartbeat: Interval,
    is_due: bool,
}

impl Lookout {
    pub(crate) fn new(app: &App, caller: Caller, headers: &HeaderMap, heartbeat: Duration) -> Self {
        let heartbeat = interval_at(Instant::now() + heartbeat, heartbeat);
        Self { app: app.clone(), caller, credential: Credential::among(headers), heartbeat, is_due: false }
    }

    /// Waits until they are not. The wait may be given up and begun again.
    pub(crate) async fn ended(&mut self) {
        if self.credential == Credential::None {
            return pending().await;
        }
        loop {
            if !self.is_due {
                self.heartbeat.tick().await;
                self.is_due = true;
            }
            let is_same = self.is_same().await;
            self.is_due = false;
            if !is_same {
                return;
            }
        }
    }

    /// Many views of one person are one question to the database.
    async fn is_same(&self) -> bool {
        let access = &self.app.access;
        let asking = Caller::of(access, &self.app.ports, self.credential);
        match access.lookouts.get(self.credential, asking).await {
            Ok(caller) => caller == self.caller,
            // It may be back at the next heartbeat.
            Err(refusal) => refusal == Refusal::NoDatabase,
        }
    }
}
