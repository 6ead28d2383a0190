//! `redis://` and `rediss://`: a key for each task, and a word to those who wait for it.
//!
//! linkbeat speaks the protocol itself: it needs six commands.

mod address;
mod connection;

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use serde::Deserialize;

use super::{Backend, Untold};
use crate::doors::celery::outcome::{Status, Told};

pub use address::RedisAddress;
use connection::{Connection, Reply};

/// Connections that are kept.
const IDLE: usize = 4;
/// How often a key is looked at anew when somebody else was writing it.
const TRIES: usize = 5;

/// Writes results to Redis.
#[derive(Debug)]
pub(in super::super) struct Redis {
    address: RedisAddress,
    /// What every key begins with.
    prefix: String,
    /// For how long a key is kept, in seconds; 0: for ever.
    expires: u64,
    idle: Mutex<Vec<Connection>>,
}

impl Redis {
    /// `prefix` is what apps call `global_keyprefix`.
    pub(in super::super) fn new(address: RedisAddress, prefix: &str, expires: u64) -> Self {
        let mut prefix = prefix.to_owned();
        // As Celery joins the two.
        if !prefix.is_empty() && !prefix.ends_with([':', '_', '-', '.']) {
            prefix.push('_');
        }
        Self { address, prefix, expires, idle: Mutex::default() }
    }

    async fn write(&self, connection: &mut Connection, told: &Told<'_>) -> Result<(), Untold> {
        let key = format!("{}celery-task-meta-{}", self.prefix, told.id);
        let value = told.to_json().to_string();
        let expires = self.expires.to_string();
        let mut set = vec!["SET", &key, &value];
        if self.expires > 0 {
            set.extend(["EX", &expires]);
        }
        for _ in 0..TRIES {
            let looked = connection.ask(&[&["WATCH", &key], &["GET", &key]]).await?;
            if matches!(looked.last(), Some(Reply::Bulk(Some(stored))) if stays(stored, told.outcome.status))
            {
                connection.ask(&[&["UNWATCH"]]).await?;
                return Ok(());
            }
            let written = connection.ask(&[&["MULTI"], &set, &["PUBLISH", &key, &value], &["EXEC"]]).await?;
            // Otherwise somebody else wrote the key meanwhile.
            if let Some(Reply::Done) = written.last() {
                return Ok(());
            }
        }
        Err(Untold("others kept writing the same key of Redis".to_owned()))
    }
}

#[async_trait]
impl Backend for Redis {
    async fn tell(&self, told: &Told<'_>) -> Result<(), Untold> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let kept = match kept {
            // The server may have closed it since.
            Some(mut connection) => self.write(&mut connection, told).await.ok().map(|()| connection),
            None => None,
        };
        let connection = match kept {
            Some(connection) => connection,
            None => {
                let mut connection = Connection::open(&self.address).await?;
                self.write(&mut connection, told).await?;
                connection
            }
        };
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(connection);
        }
        Ok(())
    }
}

/// Whether what is stored stays: a success always, and any end of a task that only begins now.
fn stays(stored: &[u8], now: Status) -> bool {
    #[derive(Deserialize)]
    struct Stored {
        status: String,
    }
    let Ok(Stored { status }) = serde_json::from_slice(stored) else { return false };
    status == "SUCCESS" || (now == Status::Started && ["FAILURE", "REVOKED"].contains(&status.as_str()))
}
