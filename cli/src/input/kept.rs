//! The good rows of all inputs, compressed. A million links take a few megabytes this way, whatever their format was.
//!
//! They are kept as text and parsed again for each reading. A link that came in another way than through its parser
//! could be one that no check may touch.

use std::io::{self, BufRead, BufReader, Write};

use flate2::Compression;
use flate2::bufread::DeflateDecoder;
use flate2::write::DeflateEncoder;
use linkbeat_shared::{LinkSource, NewLink};

use super::row::Fields;

/// Rows on their way in: each is one line of JSON.
pub(super) struct Keeping {
    rows: DeflateEncoder<Vec<u8>>,
    count: usize,
}

impl Keeping {
    pub(super) fn new() -> Self {
        Self { rows: DeflateEncoder::new(Vec::new(), Compression::fast()), count: 0 }
    }

    pub(super) fn push(&mut self, row: &Fields) -> io::Result<()> {
        serde_json::to_writer(&mut self.rows, row)?;
        self.rows.write_all(b"\n")?;
        self.count += 1;
        Ok(())
    }

    pub(super) fn finish(self) -> io::Result<Kept> {
        let mut rows = self.rows.finish()?;
        rows.shrink_to_fit();
        Ok(Kept { rows, count: self.count })
    }
}

/// The rows.
pub(super) struct Kept {
    rows: Vec<u8>,
    count: usize,
}

impl LinkSource for Kept {
    fn named(&self) -> usize {
        self.count
    }

    fn links(&self) -> Box<dyn Iterator<Item = NewLink> + Send + '_> {
        let lines = BufReader::new(DeflateDecoder::new(self.rows.as_slice())).split(b'\n');
        // What was written here can be read, and was parsed before.
        let rows = lines.map_while(|line| serde_json::from_slice::<Fields>(&line.ok()?).ok());
        Box::new(rows.filter_map(|row| row.parse().ok()))
    }
}
