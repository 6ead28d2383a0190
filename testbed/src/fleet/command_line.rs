//! How a process is started.

/// How a process is started, besides what all are given.
#[derive(Debug, Clone, Default)]
pub struct CommandLine {
    /// A program and its arguments that start linkbeat in their turn, such as `prlimit --nofile=256`.
    pub through: Vec<String>,
    /// What follows the role's name.
    pub arguments: Vec<String>,
    /// Variables of its environment.
    pub variables: Vec<(String, String)>,
}

impl CommandLine {
    /// A producer that takes no job for lost as long as a test lasts.
    pub fn patient() -> Self {
        Self::default().variable("LINKBEAT_PRODUCER_REPUBLISH_AFTER_SECS", "900")
    }

    /// With this variable.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With these arguments.
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(ToString::to_string));
        self
    }

    /// With a wall clock that is off by so much, such as `-1h`; the clock that measures time is right.
    pub fn clock_off(self, by: &str) -> Self {
        self.variable("LD_PRELOAD", &fake_time())
            .variable("FAKETIME", by)
            .variable("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }

    /// Started by this program.
    pub fn through(mut self, program: &[&str]) -> Self {
        self.through = program.iter().map(ToString::to_string).collect();
        self
    }
}

/// libfaketime for programs with threads (Debian: faketime).
fn fake_time() -> String {
    let folders = std::fs::read_dir("/usr/lib").unwrap().map(|folder| folder.unwrap().path());
    let mut libraries = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
    let library =
        libraries.find(|library| library.exists()).expect("libfaketime is installed (Debian: faketime)");
    library.to_str().unwrap().to_owned()
}
