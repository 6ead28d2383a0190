//! The lists that are checked.

use std::fmt::Write;

/// How many links, on how many hosts, and how many of them hang.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Shape {
    /// Loopback hosts, each with an address of its own
    #[arg(long, default_value_t = 2_000)]
    pub(crate) hosts: usize,
    /// Links on each of them
    #[arg(long, default_value_t = 10)]
    pub(crate) links_per_host: usize,
}

impl Shape {
    /// All links.
    pub(crate) fn links(self) -> usize {
        self.hosts * self.links_per_host
    }

    /// One URL a line, host by host; all answer.
    pub(crate) fn healthy(self, port: u16) -> String {
        self.urls(port, |_| false)
    }

    /// The same, but of each host's links the last of every ten never answers.
    pub(crate) fn one_in_ten_hanging(self, port: u16) -> String {
        self.urls(port, |link| link % 10 == 9)
    }

    fn urls(self, port: u16, hangs: impl Fn(usize) -> bool) -> String {
        let mut urls = String::new();
        for host in 0..self.hosts {
            for link in 0..self.links_per_host {
                let path = if hangs(link) { "never" } else { "page" };
                // Writing to a string cannot fail.
                let _ = writeln!(urls, "http://{}:{port}/{path}/{link}", address(host));
            }
        }
        urls
    }
}

/// The address of the host of this number.
pub(crate) fn address(host: usize) -> String {
    format!("127.1.{}.{}", host / 250, host % 250 + 1)
}
