//! The head of an answer, read as browsers and curl read it.

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

/// Most headers kept, as many as curl does.
const MAX_HEADERS: usize = 5_000;

/// Status and headers of an answer.
#[derive(Debug)]
pub(in super::super) struct Head {
    pub(in super::super) status: StatusCode,
    pub(in super::super) headers: HeaderMap,
}

/// No head of an answer, whoever reads it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The head that these bytes begin with, and its length. `None`: it is not whole yet. Answers before the answer
/// (1xx) are passed over.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, Malformed> {
    let mut start = 0;
    loop {
        start += bytes[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let Some(length) = end(&bytes[start..]) else { return Ok(None) };
        let head = one(&bytes[start..start + length])?;
        start += length;
        if !head.status.is_informational() {
            return Ok(Some((head, start)));
        }
    }
}

/// Where the empty line ends. Lines may end with a line feed alone (RFC 9112 §2.2).
fn end(bytes: &[u8]) -> Option<usize> {
    let mut ends = memchr::memchr_iter(b'\n', bytes).map(|at| at + 1);
    ends.find_map(|at| match &bytes[at..] {
        [b'\n', ..] => Some(at + 1),
        [b'\r', b'\n', ..] => Some(at + 2),
        _ => None,
    })
}

fn one(bytes: &[u8]) -> Result<Head, Malformed> {
    // Neither curl nor a browser takes a NUL here.
    if bytes.contains(&0) {
        return Err(Malformed);
    }
    let mut lines = bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let status = status(lines.next().unwrap_or_default()).ok_or(Malformed)?;
    let mut fields: Vec<(&[u8], Vec<u8>)> = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        match (line.first(), fields.last_mut()) {
            // A folded line (RFC 9112 §5.2).
            (Some(b' ' | b'\t'), Some((_, value))) => {
                value.push(b' ');
                value.extend_from_slice(line.trim_ascii());
            }
            _ => {
                // A line without a colon says nothing.
                let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
                fields.push((line[..colon].trim_ascii(), line[colon + 1..].trim_ascii().to_vec()));
            }
        }
    }
    if fields.len() > MAX_HEADERS {
        return Err(Malformed);
    }
    let mut headers = HeaderMap::with_capacity(fields.len());
    for (name, value) in fields {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(&value)) {
            headers.append(name, value);
        }
    }
    Ok(Head { status, headers })
}

/// `HTTP/1.1 200 OK`, in any case, with any white space. `ICY` is what old radio servers call themselves.
fn status(line: &[u8]) -> Option<StatusCode> {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let version = words.next()?.to_ascii_uppercase();
    if !(version.starts_with(b"HTTP/1")
        || version == b"HTTP/2"
        || version == b"HTTP/2.0"
        || version == b"ICY")
    {
        return None;
    }
    StatusCode::from_bytes(words.next()?.get(..3)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(u16, Vec<String>)> {
        let (head, length) = parse(text.as_bytes()).ok()??;
        assert_eq!(&text.as_bytes()[length..], b"page", "{text:?}");
        let headers = head.headers.iter().map(|(name, value)| format!("{name}={}", value.to_str().unwrap()));
        Some((head.status.as_u16(), headers.collect()))
    }

    #[test]
    fn sloppy_heads_are_read() {
        for (text, status, headers) in [
            ("HTTP/1.1 200 OK\r\na: b\r\n\r\npage", 200, vec!["a=b"]),
            ("HTTP/1.0 404\nA : b\n\npage", 404, vec!["a=b"]),
            ("\r\nhttp/1.1  200OK\r\n\r\npage", 200, vec![]),
            ("HTTP/1.1\t301 Moved\r\na: b\r\n  c\r\n\r\npage", 301, vec!["a=b c"]),
            ("HTTP/1.1 200 OK\r\nno colon\r\nb@d: x\r\na:\r\n\r\npage", 200, vec!["a="]),
            ("HTTP/1.1 103 Hints\r\nx: y\r\n\r\nHTTP/1.1 200 OK\r\n\r\npage", 200, vec![]),
            ("ICY 200 OK\r\n\r\npage", 200, vec![]),
        ] {
            let headers = headers.into_iter().map(str::to_owned).collect();
            assert_eq!(read(text), Some((status, headers)), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_head_is_none() {
        for garbage in [
            "garbage\r\n\r\n",
            "HTTP/1.1 2x0 OK\r\n\r\n",
            "SSH-2.0-x\n\n",
            "HTTP/1.1\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\0: \r\n\r\n",
            "HTTP/1.1 200 OK\r\na: b\0c\r\n\r\n",
        ] {
            assert_eq!(parse(garbage.as_bytes()).err(), Some(Malformed), "{garbage:?}");
        }
        assert!(parse(b"HTTP/1.1 200 OK\r\na: b\r\n").unwrap().is_none());
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADERS + 1));
        assert_eq!(parse(many.as_bytes()).err(), Some(Malformed));
    }
}
