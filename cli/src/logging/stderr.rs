//! Standard error, for a process that must go on without it.
//!
//! Lines go through a bounded queue to a thread that writes them. So a reader that stalls, a full disk, or a reader
//! that is gone neither blocks nor ends anybody. Lines that cannot be queued or written are lost and counted. Once
//! writing works again, a line says how many were lost.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Most lines that wait.
const MOST_LINES: usize = 10_000;
/// Most bytes that wait.
const MOST_BYTES: usize = 4 << 20;
/// How long somebody may wait until the lines are written.
const PATIENCE: Duration = Duration::from_secs(1);

/// The process's standard error.
pub(super) static STDERR: LazyLock<Lines> = LazyLock::new(|| {
    Lines::to(std::io::stderr(), |lost| super::own_line(&format!("{lost} lines of the log were lost")))
});

/// Lines on their way to a writer.
pub(super) struct Lines {
    queue: SyncSender<Entry>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Bytes that wait.
    bytes: AtomicUsize,
    /// Lines lost since one last said so.
    lost: AtomicU64,
    /// Somebody waited in vain, and nothing was written since.
    stalled: AtomicBool,
}

enum Entry {
    Line(Vec<u8>),
    /// To be answered once all that came before is written.
    Written(SyncSender<()>),
}

impl Lines {
    /// Begins to write to `out`. `notice` makes the line that says how many were lost.
    fn to(out: impl Write + Send + 'static, notice: impl Fn(u64) -> String + Send + 'static) -> Self {
        let (queue, entries) = sync_channel(MOST_LINES);
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let writing = move || write_all(&entries, &shared, out, notice);
        // Without the thread every line is lost: the queue has no reader.
        drop(std::thread::Builder::new().name("linkbeat-log".to_owned()).spawn(writing));
        Self { queue, state }
    }

    /// Queues a line, with its line break. Never waits.
    pub(super) fn push(&self, line: Vec<u8>) {
        let bytes = line.len();
        let waiting = self.state.bytes.fetch_add(bytes, Relaxed);
        if waiting + bytes > MOST_BYTES || self.queue.try_send(Entry::Line(line)).is_err() {
            self.state.bytes.fetch_sub(bytes, Relaxed);
            self.state.lost.fetch_add(1, Relaxed);
        }
    }

    /// Waits until all lines are written, for a second at most, and not at all while the reader is known to stall.
    pub(super) fn wait(&self) {
        if self.state.stalled.load(Relaxed) {
            return;
        }
        let (written, answer) = sync_channel(1);
        let asked = self.queue.try_send(Entry::Written(written)).is_ok();
        if !asked || answer.recv_timeout(PATIENCE).is_err() {
            self.state.stalled.store(true, Relaxed);
        }
    }
}

fn write_all(entries: &Receiver<Entry>, state: &State, mut out: impl Write, notice: impl Fn(u64) -> String) {
    let mut write = |line: &[u8]| out.write_all(line).and_then(|()| out.flush()).is_ok();
    for entry in entries {
        let line = match entry {
            Entry::Written(written) => {
                // Whoever asked may have stopped waiting.
                let _ = written.try_send(());
                continue;
            }
            Entry::Line(line) => line,
        };
        let lost = state.lost.swap(0, Relaxed);
        let lost_still = if lost > 0 && !write(notice(lost).as_bytes()) { lost } else { 0 };
        let written = write(&line);
        state.bytes.fetch_sub(line.len(), Relaxed);
        state.lost.fetch_add(lost_still + u64::from(!written), Relaxed);
        if written {
            state.stalled.store(false, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};
    use std::sync::Mutex;

    use super::*;

    /// A disk that is full for its first `full` writes.
    #[derive(Clone, Default)]
    struct Disk {
        full: Arc<AtomicU64>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.full.load(Relaxed) > 0 {
                self.full.fetch_sub(1, Relaxed);
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.written.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn notice(lost: u64) -> String {
        format!("lost {lost}\n")
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted() {
        let disk = Disk::default();
        disk.full.store(3, Relaxed);
        let lines = Lines::to(disk.clone(), notice);
        // The first line fails. The second fails with the notice about the first.
        for line in ["one\n", "two\n", "three\n", "four\n"] {
            lines.push(line.into());
        }
        lines.wait();
        assert_eq!(String::from_utf8_lossy(&disk.written.lock().unwrap()), "lost 2\nthree\nfour\n");
    }

    #[test]
    fn a_reader_that_stalls_holds_up_nobody_and_learns_what_it_missed() {
        let (mut reader, writer) = io::pipe().unwrap();
        let lines = Lines::to(writer, notice);
        let line = vec![b'x'; 1_023].into_iter().chain([b'\n']).collect::<Vec<_>>();
        let pushed = 3 * MOST_BYTES / line.len();
        let start = std::time::Instant::now();
        for _ in 0..pushed {
            lines.push(line.clone());
        }
        lines.wait();
        lines.wait();
        assert!(start.elapsed() < 3 * PATIENCE, "{:?}", start.elapsed());
        assert!(lines.state.bytes.load(Relaxed) <= MOST_BYTES);
        let reading = std::thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            text
        });
        while lines.state.bytes.load(Relaxed) > 0 {
            std::thread::yield_now();
        }
        lines.push(b"the last\n".into());
        drop(lines);
        let text = reading.join().unwrap();
        let read = text.lines().filter(|line| line.starts_with('x')).count();
        let lost: usize =
            text.lines().filter_map(|line| line.strip_prefix("lost ")?.parse::<usize>().ok()).sum();
        assert_eq!(read + lost, pushed);
        assert!(lost > 0 && text.ends_with("the last\n"));
    }

    #[test]
    fn a_reader_that_is_gone_ends_nobody() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let lines = Lines::to(writer, notice);
        for _ in 0..3 {
            lines.push(b"line\n".into());
            lines.wait();
        }
        assert_eq!(lines.state.lost.load(Relaxed), 3);
    }
}
