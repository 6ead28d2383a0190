//! How many connections a role has with RabbitMQ.

use std::fs;
use std::time::Duration;

use crate::support::fleet::Fleet;

/// The connections of a process to this port, by what the kernel says.
fn connections(process: u32, port: u16) -> usize {
    let inodes: Vec<String> = fs::read_dir(format!("/proc/{process}/fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| {
            let name = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            Some(name.to_owned())
        })
        .collect();
    let to_port = format!(":{port:04X}");
    let is_one = |line: &&str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        // Remote address, state (established), inode.
        fields.len() > 9
            && fields[2].ends_with(&to_port)
            && fields[3] == "01"
            && inodes.iter().any(|inode| inode == fields[9])
    };
    let tables = ["tcp", "tcp6"].map(|table| fs::read_to_string(format!("/proc/{process}/net/{table}")));
    tables.iter().flatten().map(|table| table.lines().filter(is_one).count()).sum()
}

fn port_of(url: &str) -> u16 {
    let (_, port) = url.rsplit_once(':').unwrap();
    port.split('/').next().unwrap().parse().unwrap()
}

#[test]
fn a_worker_has_exactly_two_connections() {
    let mut fleet = Fleet::without_workers(&[]);
    let worker = fleet.start_worker(&[]);
    let port = port_of(&fleet.servers.broker_url);
    let process = fleet.role(worker).id();
    for _ in 0..5 {
        assert_eq!(connections(process, port), 2);
        std::thread::sleep(Duration::from_millis(200));
    }
}
