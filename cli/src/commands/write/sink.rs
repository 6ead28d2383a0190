//! Where a result goes: a file, or standard output.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;

use super::stream::StreamError;
use crate::exit::Failure;
use crate::plain::PlainJson;

pub(super) struct Sink<'a> {
    /// `None`: standard output.
    file: Option<&'a Path>,
    out: Box<dyn Write>,
}

impl<'a> Sink<'a> {
    /// Creates the file. JSON cannot steer a terminal either.
    pub(super) fn open(file: Option<&'a Path>, json: bool) -> Result<Self, Failure> {
        let out: Box<dyn Write> = match file {
            None => Box::new(io::stdout()),
            Some(path) => Box::new(File::create(path).map_err(|error| failure(file, &error))?),
        };
        let out = BufWriter::new(out);
        let out: Box<dyn Write> = if json { Box::new(PlainJson(out)) } else { Box::new(out) };
        Ok(Self { file, out })
    }

    pub(super) fn out(&mut self) -> &mut dyn Write {
        &mut self.out
    }

    /// Writes what is buffered, and says what became of the result.
    pub(super) fn end(mut self, written: Result<(), StreamError>) -> Result<(), Failure> {
        match written.and_then(|()| Ok(self.out.flush()?)) {
            Ok(()) => Ok(()),
            // The reader (`head`, say) has seen enough.
            Err(StreamError::Write(error))
                if error.kind() == ErrorKind::BrokenPipe && self.file.is_none() =>
            {
                Ok(())
            }
            Err(StreamError::Write(error)) => Err(failure(self.file, &error)),
            Err(StreamError::Read(error)) => Err(error.into()),
        }
    }
}

fn failure(file: Option<&Path>, error: &io::Error) -> Failure {
    let what = file.map_or_else(|| "the result".to_owned(), |file| file.display().to_string());
    match error.kind() {
        // The format has no form for this.
        ErrorKind::InvalidInput => Failure::usage(error.to_string()),
        _ => Failure::infrastructure(format!("cannot write {what}: {error}")),
    }
}
