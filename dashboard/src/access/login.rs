//! Logging in and out.

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, header};
use linkbeat_store::{Hash, StoreError};
use tokio::time::timeout;

use super::caller::{COOKIE, session_of};
use super::client::Client;
use super::password::LONGEST;
use super::secret::{PREFIX, hash_of, random};
use crate::serve::App;

/// How long somebody waits until a password can be checked.
const QUEUE: Duration = Duration::from_secs(10);

/// Why somebody is not logged in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoginRefused {
    /// Neither the password nor a token.
    #[error("wrong")]
    Wrong,
    /// Too many tries, here or in all. The next one is possible after so long.
    #[error("too many tries")]
    TooOften(Duration),
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// Whether there is a password.
    pub(crate) fn has_password(&self) -> bool {
        self.access.password.is_some()
    }

    /// Begins a session for whoever knows the password or a token. Returns the cookie to set.
    pub(crate) async fn log_in(
        &self,
        client: Client,
        headers: &HeaderMap,
        secret: &str,
    ) -> Result<HeaderValue, LoginRefused> {
        self.access.attempts.take(client.address, Instant::now()).map_err(LoginRefused::TooOften)?;
        let proof = self.proof_of(secret).await?;
        // A token proves nothing about the password.
        if !secret.starts_with(PREFIX) {
            self.access.attempts.forgive(client.address);
        }
        let cookie = random();
        self.ports.store.begin_session(&hash_of(&cookie), &proof, self.access.sessions).await?;
        tracing::info!(client.address = %client.address, "somebody has logged in");
        let length = self.access.sessions.as_secs();
        Ok(self.cookie(&cookie, length, client.is_secure || is_https_page(headers)))
    }

    /// Ends the session of whoever sends these headers.
    pub(crate) async fn log_out(&self, headers: &HeaderMap) -> Result<(), StoreError> {
        match session_of(headers) {
            Some(session) => self.ports.store.end_session(&session).await?,
            None => return Ok(()),
        }
        self.access.lookouts.forget();
        Ok(())
    }

    /// What the session is begun with.
    async fn proof_of(&self, secret: &str) -> Result<Hash, LoginRefused> {
        if secret.starts_with(PREFIX) {
            let hash = hash_of(secret);
            return self.ports.store.token(&hash).await?.map(|_| hash).ok_or(LoginRefused::Wrong);
        }
        let password = self.access.password.clone().filter(|_| secret.len() <= LONGEST);
        let password = password.ok_or(LoginRefused::Wrong)?;
        let turn = timeout(QUEUE, self.access.verifying.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(LoginRefused::TooOften(QUEUE)) };
        let (hash, tried) = (password.clone(), secret.to_owned());
        let is_right = tokio::task::spawn_blocking(move || hash.is_of(&tried)).await.unwrap_or(false);
        if is_right { Ok(password.proof()) } else { Err(LoginRefused::Wrong) }
    }

    fn cookie(&self, value: &str, seconds: u64, secure: bool) -> HeaderValue {
        let path = self.settings.base_path.join("");
        let path = if path.is_empty() { "/" } else { &path };
        let secure = if secure { "; Secure" } else { "" };
        let text =
            format!("{COOKIE}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
        #[expect(clippy::expect_used, reason = "a base path and a cookie are plain ASCII")]
        HeaderValue::from_str(&text).expect("a header")
    }
}

/// The cookie that takes the cookie of a session back.
pub(crate) fn forgetting_cookie(app: &App) -> HeaderValue {
    app.cookie("", 0, false)
}

/// Whether the form stands on a page that came over https: browsers say so.
fn is_https_page(headers: &HeaderMap) -> bool {
    headers.get(header::ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https://"))
}
