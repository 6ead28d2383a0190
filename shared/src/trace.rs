//! Trace context: ties the messages of one request together, so that a tracing system can show its whole way.
//!
//! It travels in the headers `traceparent` and `tracestate` (<https://www.w3.org/TR/trace-context/>). What comes
//! from others is checked here once; a malformed context is left out, as the specification asks.

use std::fmt;

/// Longest `tracestate` that is kept, in bytes: what the specification asks everybody to pass on.
const STATE_MAX: usize = 512;
/// Longest `traceparent`, in bytes. Version 00 has 55; later versions may append fields.
const PARENT_MAX: usize = 256;
/// Where the dashes stand: version, trace id, parent id and flags are of fixed length.
const DASHES: [usize; 3] = [2, 35, 52];
/// The length of those four fields.
const FIXED: usize = 55;

/// A valid `traceparent`, and the `tracestate` that came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    parent: String,
    state: Option<String>,
}

impl TraceContext {
    /// `None`: `parent` is no valid `traceparent`. An invalid `state` is left out.
    pub fn parse(parent: &str, state: Option<&str>) -> Option<Self> {
        let state = state.filter(|state| is_state(state)).map(str::to_owned);
        is_parent(parent).then(|| Self { parent: parent.to_owned(), state })
    }

    /// The value of `traceparent`.
    pub fn parent(&self) -> &str {
        &self.parent
    }

    /// The value of `tracestate`.
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parent)
    }
}

/// `00-<32 hex>-<16 hex>-<2 hex>`, in lower case; neither id is all zeros. Version ff does not exist. A later version
/// begins with the same fields and may go on after another dash.
fn is_parent(text: &str) -> bool {
    let bytes = text.as_bytes();
    if !(FIXED..=PARENT_MAX).contains(&bytes.len()) || !bytes.iter().all(u8::is_ascii_graphic) {
        return false;
    }
    let is_fixed = bytes[..FIXED].iter().enumerate().all(|(at, byte)| match DASHES.contains(&at) {
        true => *byte == b'-',
        false => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    });
    let is_zero = |id: &[u8]| id.iter().all(|byte| *byte == b'0');
    let goes_on = match &bytes[..2] {
        b"ff" => return false,
        b"00" => bytes.len() == FIXED,
        _ => bytes.get(FIXED).is_none_or(|byte| *byte == b'-'),
    };
    is_fixed && goes_on && !is_zero(&bytes[3..35]) && !is_zero(&bytes[36..52])
}

fn is_state(text: &str) -> bool {
    (1..=STATE_MAX).contains(&text.len()) && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_valid_context_is_kept_as_it_came() {
        let context = TraceContext::parse(PARENT, Some("vendor=1,other=2")).unwrap();
        assert_eq!((context.parent(), context.state()), (PARENT, Some("vendor=1,other=2")));
        let later = format!("cc{}-what-comes-later", &PARENT[2..]);
        assert_eq!(TraceContext::parse(&later, None).unwrap().parent(), later);
    }

    #[test]
    fn what_is_malformed_is_left_out() {
        let zeros = |range: std::ops::Range<usize>| {
            let mut text = PARENT.to_owned();
            text.replace_range(range.clone(), &"0".repeat(range.len()));
            text
        };
        let bad = [
            "",
            "00-1-2-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0é",
            &zeros(3..35),
            &zeros(36..52),
            &format!("cc{}-{}", &PARENT[2..], "x".repeat(PARENT_MAX)),
        ];
        for text in bad {
            assert_eq!(TraceContext::parse(text, None), None, "{text}");
        }
        for state in ["", "line\nbreak", &"x".repeat(STATE_MAX + 1)] {
            assert_eq!(TraceContext::parse(PARENT, Some(state)).unwrap().state(), None, "{state}");
        }
    }
}
