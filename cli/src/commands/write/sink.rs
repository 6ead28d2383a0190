//! Where a result goes: a file, or standard output.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;

use tempfile::{NamedTempFile, TempPath};

use super::stream::StreamError;
use crate::exit::Failure;
use crate::plain::PlainJson;

pub(super) struct Sink<'a> {
    /// `None`: standard output.
    file: Option<&'a Path>,
    /// The file beside it that holds the result until it is whole.
    unfinished: Option<TempPath>,
    out: Box<dyn Write>,
}

impl<'a> Sink<'a> {
    /// Opens where the result goes. A file keeps what it holds until the result is whole. JSON cannot steer a terminal
    /// either.
    pub(super) fn open(file: Option<&'a Path>, json: bool) -> Result<Self, Failure> {
        let (out, unfinished): (Box<dyn Write>, _) = match file {
            None => (Box::new(io::stdout()), None),
            Some(path) => {
                let (out, unfinished) = open_file(path).map_err(|error| failure(file, &error))?;
                (Box::new(out), unfinished)
            }
        };
        let out = BufWriter::new(out);
        let out: Box<dyn Write> = if json { Box::new(PlainJson(out)) } else { Box::new(out) };
        Ok(Self { file, unfinished, out })
    }

    pub(super) fn out(&mut self) -> &mut dyn Write {
        &mut self.out
    }

    /// Writes what is buffered, and says what became of the result. The file is replaced only by a whole result.
    pub(super) fn end(mut self, written: Result<(), StreamError>) -> Result<(), Failure> {
        match written.and_then(|()| Ok(self.out.flush()?)) {
            Ok(()) => self.replace(),
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

    fn replace(self) -> Result<(), Failure> {
        let Self { file, unfinished, out } = self;
        // Some systems rename no file that is open.
        drop(out);
        match (unfinished, file) {
            (Some(unfinished), Some(path)) => {
                unfinished.persist(path).map_err(|error| failure(file, &error.error))
            }
            _ => Ok(()),
        }
    }
}

/// Opens a file to write to, and says where it is if it is to replace `path`. Anything but a plain file is written in
/// place: a pipe, a device, or what a symbolic link such as `/dev/stdout` leads to. So is a file in a folder where no
/// other can be made.
fn open_file(path: &Path) -> io::Result<(File, Option<TempPath>)> {
    let before = match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => Some(found),
        Ok(_) => return Ok((File::create(path)?, None)),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if before.is_some() {
        // Whoever may not write to it may not replace it.
        OpenOptions::new().write(true).open(path)?;
    }
    match beside(path, before.map(|found| found.permissions())) {
        Ok(unfinished) => {
            let (out, place) = unfinished.into_parts();
            Ok((out, Some(place)))
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok((File::create(path)?, None)),
        Err(error) => Err(error),
    }
}

/// A file in the same folder, so that it can take the place of `path` in one step. It has the same permissions, or those
/// of any new file.
fn beside(path: &Path, permissions: Option<Permissions>) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".linkbeat-").suffix(".unfinished");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.tempfile_in(folder)?;
    if let Some(permissions) = permissions {
        file.as_file().set_permissions(permissions)?;
    }
    Ok(file)
}

fn failure(file: Option<&Path>, error: &io::Error) -> Failure {
    let what = file.map_or_else(|| "the result".to_owned(), |file| file.display().to_string());
    match error.kind() {
        // The format has no form for this.
        ErrorKind::InvalidInput => Failure::usage(error.to_string()),
        kind => {
            let failure = Failure::infrastructure(format!("cannot write {what}: {error}"));
            match kind {
                ErrorKind::NotFound => failure.advise("make its folder first"),
                ErrorKind::IsADirectory => failure.advise("name a file in it"),
                _ => failure,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &[u8], end: Result<(), StreamError>) -> Result<(), Failure> {
        let mut sink = Sink::open(Some(path), false)?;
        sink.out().write_all(text).unwrap();
        sink.end(end)
    }

    #[cfg(unix)]
    fn mode(path: &Path) -> u32 {
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions()) & 0o777
    }

    #[test]
    #[cfg(unix)]
    fn a_file_is_replaced_by_a_whole_result_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        write(&path, b"first", Ok(())).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"first");
        let plain = folder.path().join("plain");
        fs::write(&plain, "").unwrap();
        assert_eq!(mode(&path), mode(&plain), "as any new file");

        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
        let disk_full = io::Error::from(ErrorKind::StorageFull);
        write(&path, b"half of the sec", Err(disk_full.into())).unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"first");
        write(&path, b"second", Ok(())).unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"second".to_vec(), 0o640));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left");
    }

    #[test]
    #[cfg(unix)]
    fn pipes_devices_and_links_are_written_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        write(&link, b"new", Ok(())).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"new");
        write(Path::new("/dev/null"), b"gone", Ok(())).unwrap();

        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read(pipe).unwrap()
        });
        write(&pipe, b"through", Ok(())).unwrap();
        assert_eq!(reader.join().unwrap(), b"through");
    }
}
