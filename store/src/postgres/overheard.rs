//! Reads along what a server sends, for the codes of its errors.
//!
//! diesel passes on the text of an error, which is in the server's language, but not its code (SQLSTATE). Nothing above
//! the wire can tell it. A message is one byte of kind, four bytes of length that count themselves, and its content:
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html>.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsStream};

use super::dial::Wire;

/// The kind of a message that reports an error.
const ERROR: u8 = b'E';
/// A statement in a transaction of which another one failed.
const REFUSED: &str = "25P02";
/// How much of an error is kept, in bytes. Its code stands near the beginning, before its texts.
const KEPT: usize = 1_024;

/// The code of the latest error that a server reported on one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct LatestCode(Arc<Mutex<Option<String>>>);

impl LatestCode {
    /// The code, which is then forgotten.
    pub(super) fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Statements that were sent together with one that failed are refused, which says nothing about why.
    fn set(&self, code: Option<String>) {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.is_none() || code.as_deref() != Some(REFUSED) {
            *latest = code;
        }
    }
}

/// A stream to a server on which somebody reads along. It begins with the first message after encryption.
pub(super) struct Overheard {
    wire: Box<dyn Wire>,
    messages: Messages,
}

impl Overheard {
    pub(super) fn new(wire: Box<dyn Wire>, latest: LatestCode) -> Self {
        Self { wire, messages: Messages { head: Vec::with_capacity(5), left: 0, error: Vec::new(), latest } }
    }
}

/// How far the messages were read.
struct Messages {
    /// What is there of the current message's kind and length.
    head: Vec<u8>,
    /// How much of its content is still to come.
    left: usize,
    /// Its content, if it is an error.
    error: Vec<u8>,
    latest: LatestCode,
}

impl Messages {
    fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let wanted = if self.left > 0 { self.left } else { 5 - self.head.len() };
            let (now, later) = bytes.split_at(wanted.min(bytes.len()));
            if self.left > 0 {
                self.content(now);
            } else {
                self.begin(now);
            }
            bytes = later;
        }
    }

    fn begin(&mut self, bytes: &[u8]) {
        self.head.extend_from_slice(bytes);
        if let [_, length @ ..] = self.head.as_slice()
            && let Ok(length) = <[u8; 4]>::try_from(length)
        {
            self.left = (u32::from_be_bytes(length) as usize).saturating_sub(4);
            if self.left == 0 {
                self.head.clear();
            }
        }
    }

    fn content(&mut self, bytes: &[u8]) {
        let is_error = self.head.first() == Some(&ERROR);
        if is_error {
            let kept = bytes.len().min(KEPT - self.error.len());
            self.error.extend_from_slice(&bytes[..kept]);
        }
        self.left -= bytes.len();
        if self.left == 0 {
            if is_error {
                self.latest.set(code(&self.error));
                self.error.clear();
            }
            self.head.clear();
        }
    }
}

/// The field `C` of an error. Each field is one byte of kind, a text, and a zero byte.
fn code(fields: &[u8]) -> Option<String> {
    let code = fields.split(|byte| *byte == 0).find_map(|field| field.strip_prefix(b"C"))?;
    String::from_utf8(code.to_vec()).ok()
}

impl AsyncRead for Overheard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.wire).poll_read(context, buffer))?;
        self.messages.read(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Overheard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(context)
    }
}

impl TlsStream for Overheard {
    fn channel_binding(&self) -> ChannelBinding {
        self.wire.channel_binding()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len() + 4).unwrap().to_be_bytes();
        [&[kind][..], &length, content].concat()
    }

    #[test]
    fn what_was_refused_for_another_error_does_not_hide_its_code() {
        let latest = LatestCode::default();
        for code in ["25P02", "23505", "25P02"] {
            latest.set(Some(code.to_owned()));
        }
        assert_eq!(latest.take().as_deref(), Some("23505"));
    }

    #[test]
    fn a_code_is_found_however_the_bytes_come() {
        let error = message(ERROR, b"SFEHLER\0VERROR\0C57014\0Mstorniere Anweisung\0\0");
        let long = message(ERROR, format!("SERROR\0C53100\0M{}\0\0", "x".repeat(5_000)).as_bytes());
        let notice = message(b'N', b"SWARNING\0C01000\0Mno code of an error\0\0");
        let rows = message(b'D', b"C99999\0EEEEE");
        let stream = [rows.clone(), error, message(b'Z', b"I"), message(b'1', b""), notice, rows].concat();
        for piece in 1..=stream.len() {
            let latest = LatestCode::default();
            let mut messages = Messages { head: vec![], left: 0, error: vec![], latest: latest.clone() };
            stream.chunks(piece).for_each(|bytes| messages.read(bytes));
            assert_eq!(latest.take().as_deref(), Some("57014"), "in pieces of {piece}");
            assert_eq!(latest.take(), None);
            long.chunks(piece).for_each(|bytes| messages.read(bytes));
            assert_eq!(latest.take().as_deref(), Some("53100"), "in pieces of {piece}");
        }
    }
}
