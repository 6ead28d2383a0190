//! The links of all inputs, compressed. A million links take a few megabytes this way, whatever their format was.
//!
//! They are kept as they were parsed, so reading them again parses no URL.

use std::io::{self, BufRead, BufReader, Write};

use flate2::Compression;
use flate2::bufread::DeflateDecoder;
use flate2::write::DeflateEncoder;
use linkbeat_shared::{LinkSource, NewLink};

/// Links on their way in: each is one line of JSON.
pub(super) struct Keeping {
    links: DeflateEncoder<Vec<u8>>,
    count: usize,
}

impl Keeping {
    pub(super) fn new() -> Self {
        Self { links: DeflateEncoder::new(Vec::new(), Compression::fast()), count: 0 }
    }

    pub(super) fn push(&mut self, link: &NewLink) -> io::Result<()> {
        serde_json::to_writer(&mut self.links, link)?;
        self.links.write_all(b"\n")?;
        self.count += 1;
        Ok(())
    }

    pub(super) fn finish(self) -> io::Result<Kept> {
        let mut links = self.links.finish()?;
        links.shrink_to_fit();
        Ok(Kept { links, count: self.count })
    }
}

/// The links.
pub(super) struct Kept {
    links: Vec<u8>,
    count: usize,
}

impl LinkSource for Kept {
    fn named(&self) -> usize {
        self.count
    }

    fn links(&self) -> Box<dyn Iterator<Item = NewLink> + Send + '_> {
        let lines = BufReader::new(DeflateDecoder::new(self.links.as_slice())).split(b'\n');
        // What was written here can be read.
        Box::new(lines.map_while(|line| serde_json::from_slice(&line.ok()?).ok()))
    }
}
