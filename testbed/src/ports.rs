//! Ports for servers that a test starts.

use std::fs::OpenOptions;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Below the ports that systems give to clients (Linux: from 32,768 on).
const PORTS: Range<u16> = 12_000..32_000;

/// Which port was given last, to `free_port` of `scripts/servers.sh` too.
const GIVEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/ports");

/// A port of loopback that no other test gets.
///
/// No client's connection takes it either, before its server starts or while its server is down.
///
/// # Panics
/// If `target/ports` cannot be written.
pub fn free_port() -> u16 {
    std::fs::create_dir_all(Path::new(GIVEN).parent().unwrap()).unwrap();
    let given = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(GIVEN).unwrap();
    given.lock().unwrap();
    let last = std::io::read_to_string(&given).unwrap().trim().parse().unwrap_or_else(|_| somewhere());
    let port = (last + 1..PORTS.end).chain(PORTS).find(|port| is_free(*port)).unwrap();
    given.set_len(0).unwrap();
    given.write_all_at(format!("{port}\n").as_bytes(), 0).unwrap();
    port
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Where a checkout begins: two that are tested at the same time hardly meet.
fn somewhere() -> u16 {
    PORTS.start + (std::process::id() % u32::from(PORTS.end - PORTS.start)) as u16
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nobody_gets_a_port_twice() {
        let askers: Vec<_> = (0..8).map(|_| std::thread::spawn(|| [(); 20].map(|()| free_port()))).collect();
        let given: Vec<u16> = askers.into_iter().flat_map(|asker| asker.join().unwrap()).collect();
        assert_eq!(given.iter().collect::<HashSet<_>>().len(), 160);
        assert!(given.iter().all(|port| PORTS.contains(port)));
    }
}
