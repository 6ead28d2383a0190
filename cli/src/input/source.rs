//! Where links come from, and how their bytes become text.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::quote::quote;
use super::{InputError, charset, shapes};

/// Most bytes read from one source: four million links or so.
const MAX_BYTES: u64 = 256 << 20;

/// How long a list may take to begin that comes on standard input without being named.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where links come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A file.
    File(PathBuf),
    /// Standard input, written `-`.
    Stdin,
    /// A link itself.
    Url(String),
}

/// The text of a source.
pub(super) struct Decoded {
    pub(super) text: String,
    /// Its encoding, if it is not UTF-8.
    pub(super) charset: Option<&'static str>,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Stdin => f.write_str("standard input"),
            Self::Url(url) => f.write_str(&quote(url)),
        }
    }
}

impl Source {
    /// What an argument names.
    pub(crate) fn from_path(path: &Path) -> Self {
        match path.to_str() {
            Some("-") => Self::Stdin,
            Some(url) if url.starts_with("http://") || url.starts_with("https://") => {
                Self::Url(url.to_owned())
            }
            _ => Self::File(path.to_owned()),
        }
    }

    /// Standard input, if a list comes from there: `None` at a terminal, at its end, and where nothing comes in time.
    /// Whoever starts linkbeat may leave a pipe open that nobody writes to.
    pub(crate) fn redirected() -> Option<Self> {
        if io::stdin().is_terminal() {
            return None;
        }
        let (came, answer) = sync_channel(1);
        std::thread::spawn(move || {
            came.send(io::stdin().lock().fill_buf().is_ok_and(|text| !text.is_empty()))
        });
        answer.recv_timeout(PATIENCE).unwrap_or(false).then_some(Self::Stdin)
    }

    pub(super) fn is_url(&self) -> bool {
        matches!(self, Self::Url(_))
    }

    /// The whole text, without a byte order mark.
    pub(super) fn read(&self) -> Result<Decoded, InputError> {
        let bytes = match self {
            Self::File(path) => File::open(path).and_then(read_file),
            Self::Stdin => read_bounded(io::stdin().lock(), MAX_BYTES, 0),
            Self::Url(url) => return Ok(Decoded { text: url.clone(), charset: None }),
        };
        self.decode(bytes.map_err(|error| self.unreadable(error))?.ok_or_else(|| self.too_large())?)
    }

    /// Whether its file name ends in `.extension`.
    pub(super) fn has_extension(&self, extension: &str) -> bool {
        match self {
            Self::File(path) => path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension)),
            Self::Stdin | Self::Url(_) => false,
        }
    }

    /// UTF-8 or UTF-16, with a byte order mark or without one, or else what [`charset`] finds.
    pub(super) fn decode(&self, bytes: Vec<u8>) -> Result<Decoded, InputError> {
        // Spreadsheets write UTF-16 with a mark, and on Chinese and Japanese systems what these had before Unicode.
        let marked = Encoding::for_bom(&bytes).or_else(|| unmarked_utf_16(&bytes).map(|found| (found, 0)));
        let decoded = match marked {
            Some((encoding, mark)) if encoding != UTF_8 => self.decode_as(encoding, &bytes[mark..]),
            _ => match String::from_utf8(bytes) {
                Ok(text) => Ok(Decoded { text, charset: None }),
                Err(error) => self.decode_as(charset::of(error.as_bytes()), error.as_bytes()),
            },
        };
        let mut decoded = decoded?;
        if decoded.text.starts_with('\u{feff}') {
            decoded.text.drain(..'\u{feff}'.len_utf8());
        }
        if decoded.text.trim().is_empty() {
            return Err(InputError::Empty { at: self.clone() });
        }
        Ok(decoded)
    }

    fn decode_as(&self, encoding: &'static Encoding, bytes: &[u8]) -> Result<Decoded, InputError> {
        match encoding.decode_without_bom_handling_and_without_replacement(bytes) {
            Some(text) => Ok(Decoded { text: text.into_owned(), charset: Some(encoding.name()) }),
            None => {
                let offset = str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
                let line = 1 + bytes[..offset].iter().filter(|&&byte| byte == b'\n').count();
                Err(InputError::NotText { at: self.clone(), line, offset })
            }
        }
    }

    pub(super) fn unreadable(&self, error: io::Error) -> InputError {
        let advice = match error.kind() {
            io::ErrorKind::NotFound => Some(self.advice_if_missing()),
            io::ErrorKind::IsADirectory => Some("name a file in it".into()),
            io::ErrorKind::PermissionDenied => Some("check who may read it".into()),
            _ => None,
        };
        InputError::Unreadable { at: self.clone(), error, advice }
    }

    /// Somebody may mean a site by `friend.example`.
    fn advice_if_missing(&self) -> Cow<'static, str> {
        let name = self.to_string();
        let host = name.split('/').next().unwrap_or_default();
        let is_host = host.rsplit_once('.').is_some_and(|(site, end)| {
            !site.is_empty() && end.len() > 1 && end.chars().all(|c| c.is_ascii_alphabetic())
        });
        if is_host && !shapes::is_known_ending(self) {
            format!("write https://{name} to check that URL, or correct the path").into()
        } else {
            "check the path (- reads standard input)".into()
        }
    }

    fn too_large(&self) -> InputError {
        InputError::TooLarge { at: self.clone(), limit: MAX_BYTES }
    }
}

/// UTF-16 without a byte order mark. Every URL has letters of ASCII, of which one byte is null, always the first or always
/// the second.
fn unmarked_utf_16(bytes: &[u8]) -> Option<&'static Encoding> {
    let nulls = |first| bytes.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let enough = bytes.len() / 8;
    match (nulls(0), nulls(1)) {
        (0, 0) => None,
        (first, 0) if first >= enough => Some(UTF_16BE),
        (0, second) if second >= enough => Some(UTF_16LE),
        _ => None,
    }
}

/// All bytes of the file. Room for them is made once: growing would take it twice for a moment.
fn read_file(file: File) -> io::Result<Option<Vec<u8>>> {
    let size = file.metadata()?.len().min(MAX_BYTES);
    read_bounded(file, MAX_BYTES, usize::try_from(size).unwrap_or_default())
}

/// All bytes of the reader, about `expected`. `None` if there are more than `limit`.
fn read_bounded(reader: impl Read, limit: u64, expected: usize) -> io::Result<Option<Vec<u8>>> {
    // One more, so that the end is found without growing.
    let mut bytes = Vec::with_capacity(expected + 1);
    let read = reader.take(limit + 1).read_to_end(&mut bytes)?;
    Ok((read as u64 <= limit).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dash_is_standard_input() {
        assert_eq!(Source::from_path(Path::new("-")), Source::Stdin);
        assert_eq!(Source::from_path(Path::new("./-")), Source::File("./-".into()));
        assert_eq!(Source::from_path(Path::new("https://a/")), Source::Url("https://a/".into()));
    }

    #[test]
    fn reading_stops_at_the_limit() {
        assert_eq!(read_bounded(&b"four"[..], 4, 0).unwrap().as_deref(), Some(&b"four"[..]));
        assert_eq!(read_bounded(&b"fives"[..], 4, 4).unwrap(), None);
        assert_eq!(read_bounded(io::repeat(b'x'), 4, 0).unwrap(), None);
        let error = Source::Stdin.too_large();
        assert_eq!(error.to_string(), "standard input: is larger than 256 MiB");
        assert_eq!(error.advice().as_deref(), Some("split it into several files"));
    }
}
