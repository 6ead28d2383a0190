//! Where the body of an answer ends, however sloppily that is said.

use std::io;

use reqwest::StatusCode;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use tokio::io::AsyncReadExt;

use super::connect::BoxedStream;
use super::head::Head;

const BUFFER: usize = 16 << 10;
/// Longest line with the size of a chunk.
const MAX_LINE: usize = 4_096;

/// The body of one answer.
pub(in super::super) struct Body {
    stream: BoxedStream,
    /// What was read and not yet handed on.
    read: Vec<u8>,
    framing: Framing,
}

#[derive(Debug, PartialEq, Eq)]
enum Framing {
    ToTheEnd,
    /// So many bytes are left.
    Length(u64),
    Chunks(Chunk),
}

#[derive(Debug, PartialEq, Eq)]
enum Chunk {
    /// The line with a size comes next.
    Size,
    /// So many bytes of a chunk are left.
    Data(u64),
    /// The last one was there.
    Over,
}

impl Body {
    pub(super) fn new(stream: BoxedStream, head: &Head, read: Vec<u8>) -> Self {
        Self { stream, read, framing: framing(head.status, &head.headers) }
    }

    /// The next piece; `None`: the body is over. An error: it broke off.
    pub(in super::super) async fn piece(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(step) = self.step()? {
                return Ok(step);
            }
            let mut more = vec![0; BUFFER];
            let length = match self.stream.read(&mut more).await {
                Ok(length) => length,
                // Many servers forget to end TLS properly.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
                Err(error) => return Err(error),
            };
            if length == 0 {
                return self.at_the_end();
            }
            self.read.extend_from_slice(&more[..length]);
        }
    }

    /// What can be said without reading on: a piece, or that the body is over.
    fn step(&mut self) -> io::Result<Option<Option<Vec<u8>>>> {
        loop {
            match &mut self.framing {
                Framing::Length(0) | Framing::Chunks(Chunk::Over) => return Ok(Some(None)),
                _ if self.read.is_empty() => return Ok(None),
                Framing::ToTheEnd => return Ok(Some(Some(std::mem::take(&mut self.read)))),
                Framing::Length(left) => return Ok(Some(Some(take(&mut self.read, left)))),
                Framing::Chunks(Chunk::Data(left)) => {
                    let piece = take(&mut self.read, left);
                    if *left == 0 {
                        self.framing = Framing::Chunks(Chunk::Size);
                    }
                    return Ok(Some(Some(piece)));
                }
                Framing::Chunks(Chunk::Size) => {
                    // The end of the line before, with or without a carriage return.
                    let skip = self.read.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
                    self.read.drain(..skip);
                    let Some(end) = self.read.iter().position(|byte| *byte == b'\n') else {
                        if self.read.len() > MAX_LINE {
                            return Err(io::ErrorKind::InvalidData.into());
                        }
                        return Ok(None);
                    };
                    let size = size(&self.read[..end]).ok_or(io::ErrorKind::InvalidData)?;
                    self.read.drain(..=end);
                    self.framing = Framing::Chunks(if size == 0 { Chunk::Over } else { Chunk::Data(size) });
                }
            }
        }
    }

    /// The connection is over. Whether the body is, too, the framing knows; a last chunk that nobody sent is not
    /// missed.
    fn at_the_end(&mut self) -> io::Result<Option<Vec<u8>>> {
        match self.framing {
            Framing::ToTheEnd | Framing::Chunks(Chunk::Size) => Ok(None),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// At most `left` bytes.
fn take(read: &mut Vec<u8>, left: &mut u64) -> Vec<u8> {
    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(read.len());
    *left -= length as u64;
    read.drain(..length).collect()
}

/// A size in hex digits. What follows them does not count.
fn size(line: &[u8]) -> Option<u64> {
    let line = line.trim_ascii();
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    u64::from_str_radix(str::from_utf8(&line[..digits]).ok()?, 16).ok()
}

/// Whether a body comes in chunks. For browsers and curl the word may stand anywhere.
pub(in super::super) fn has_chunks(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(TRANSFER_ENCODING).iter().filter_map(|value| value.to_str().ok());
    codings.flat_map(|value| value.split(',')).any(|coding| coding.trim().eq_ignore_ascii_case("chunked"))
}

fn framing(status: StatusCode, headers: &HeaderMap) -> Framing {
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return Framing::Length(0);
    }
    if has_chunks(headers) {
        return Framing::Chunks(Chunk::Size);
    }
    // The first length that is one. A connection that is closed after one answer needs none.
    let lengths = headers.get_all(CONTENT_LENGTH).iter().filter_map(|value| value.to_str().ok());
    let length = lengths.flat_map(|value| value.split(',')).find_map(|length| length.trim().parse().ok());
    length.map_or(Framing::ToTheEnd, Framing::Length)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    /// The body that comes in pieces of this length.
    async fn body(headers: &HeaderMap, text: &str, length: usize) -> io::Result<String> {
        let (mut server, client) = tokio::io::duplex(1 << 16);
        let text = text.as_bytes().to_vec();
        tokio::spawn(async move {
            for piece in text.chunks(length) {
                tokio::io::AsyncWriteExt::write_all(&mut server, piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let head = Head { status: StatusCode::OK, headers: headers.clone() };
        let mut body = Body::new(Box::new(client), &head, Vec::new());
        let mut read = Vec::new();
        while let Some(piece) = body.piece().await? {
            read.extend(piece);
        }
        Ok(String::from_utf8(read).unwrap())
    }

    #[tokio::test]
    async fn the_end_is_found_however_it_is_said() {
        let chunked = headers(TRANSFER_ENCODING, "Chunked");
        let long = |value| headers(CONTENT_LENGTH, value);
        for length in [1, 3, 1_000] {
            for (headers, text) in [
                (&chunked, "3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"),
                (&chunked, "3\nabc\n1\nd\n0\n\n"),
                (&chunked, "003 \r\nabc\r\n1 ; x=y\r\nd\r\n0\r\n"),
                (&chunked, "3\r\nabc\r\n1\r\nd\r\n"),
                (&long("4"), "abcd and more"),
                (&long("4, 4"), "abcd"),
                (&long("many"), "abcd"),
                (&long("-1"), "abcd"),
                (&headers(TRANSFER_ENCODING, "identity"), "abcd"),
            ] {
                assert_eq!(body(headers, text, length).await.unwrap(), "abcd", "{text:?} by {length}");
            }
            for (headers, text) in [(&chunked, "5\r\nabc"), (&long("9"), "abc"), (&chunked, "x\r\n")] {
                assert!(body(headers, text, length).await.is_err(), "{text:?} by {length}");
            }
        }
    }
}
