//! Which process listens at an address: the kernel's table of sockets gives an inode, and the descriptors of the
//! processes that may be looked at say whose it is.
//!
//! A line of `/proc/net/tcp` (proc_net_tcp.rst): `sl local:port remote:port state ... uid timeout inode ...`, addresses
//! as words in the machine's byte order, in hexadecimal.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// The state LISTEN.
const LISTEN: &str = "0A";
/// Columns of a line.
const LOCAL: usize = 1;
const STATE: usize = 3;
const INODE: usize = 9;
/// Passes connections on to a container: its CPU is not the broker's.
const PROXY: &str = "docker-proxy";

/// The process behind `address`, or why it cannot be told.
pub(super) fn find(address: SocketAddr) -> Result<u32, String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let inodes: Vec<u64> = tables.iter().flat_map(|table| listening(table, address)).collect();
    if inodes.is_empty() {
        return Err("it listens in another network namespace (a container?); give its process id".to_owned());
    }
    let owner = processes().into_iter().find(|pid| inodes.iter().any(|inode| holds(*pid, *inode)));
    let Some(pid) = owner else {
        return Err(
            "its process belongs to another user; run as that user or as root, or give its id".to_owned()
        );
    };
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    if name.trim() == PROXY {
        return Err(format!("{PROXY} (process {pid}) stands before it; give the broker's own process id"));
    }
    Ok(pid)
}

/// Inodes of the sockets of `table` that take connections for `address`.
fn listening(table: &str, address: SocketAddr) -> Vec<u64> {
    let of_line = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let local = socket_address(columns.get(LOCAL)?)?;
        let takes = local.port() == address.port()
            && (local.ip().is_unspecified() || local.ip().to_canonical() == address.ip().to_canonical());
        let listens = *columns.get(STATE)? == LISTEN;
        (takes && listens).then(|| columns.get(INODE)?.parse().ok()).flatten()
    };
    table.lines().skip(1).filter_map(of_line).collect()
}

/// `0100007F:1F90`, or the same with four words.
fn socket_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let words = address.as_bytes().chunks(8).map(|word| {
        let word = u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?;
        // The kernel prints the four bytes, which are in network order, as a number of this machine.
        Some(word.to_ne_bytes())
    });
    let words: Vec<[u8; 4]> = words.collect::<Option<_>>()?;
    let ip = match words.as_slice() {
        [one] => IpAddr::V4(Ipv4Addr::from(*one)),
        [_, _, _, _] => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(words.concat()).ok()?)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// All processes, oldest numbers first.
fn processes() -> Vec<u32> {
    let names = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut all: Vec<u32> = names.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    all.sort_unstable();
    all
}

/// Whether one of the process's descriptors is that socket. One that may not be looked at holds none.
fn holds(pid: u32, inode: u64) -> bool {
    let wanted = format!("socket:[{inode}]");
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let mut links = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
    links.any(|link| link == Path::new(&wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words as this machine's kernel would print them.
    fn printed(bytes: &[u8]) -> String {
        let words = bytes.chunks(4).map(|word| u32::from_ne_bytes(word.try_into().unwrap()));
        words.map(|word| format!("{word:08X}")).collect::<Vec<_>>().concat()
    }

    fn line(address: &[u8], port: u16, state: &str, inode: u64) -> String {
        let rest = "00000000:00000000 00:00000000 00000000     0        0";
        format!(
            "   0: {}:{port:04X} {}:0000 {state} {rest} {inode} 1 0000 100 0 0 10 0\n",
            printed(address),
            "0".repeat(8)
        )
    }

    #[test]
    fn the_listener_of_the_port_and_address_is_found_in_the_kernels_words() {
        let table = [
            "  sl  local_address rem_address   st tx_queue ...\n".to_owned(),
            line(&[127, 0, 0, 1], 9092, "01", 1),
            line(&[127, 0, 0, 1], 9093, LISTEN, 2),
            line(&[10, 0, 0, 1], 9092, LISTEN, 3),
            line(&[127, 0, 0, 1], 9092, LISTEN, 4),
            "rubbish\n".to_owned(),
        ];
        assert_eq!(listening(&table.concat(), "127.0.0.1:9092".parse().unwrap()), [4]);
        assert_eq!(listening(&table.concat(), "127.0.0.1:9094".parse().unwrap()), [0; 0]);
    }

    #[test]
    fn a_listener_on_every_address_and_one_that_maps_the_older_protocol_count() {
        let head = "head\n".to_owned();
        let every = line(&[0; 4], 9092, LISTEN, 5);
        let address = "127.0.0.1:9092".parse().unwrap();
        assert_eq!(listening(&(head.clone() + &every), address), [5]);
        let six = line(&[0; 16], 9092, LISTEN, 6);
        assert_eq!(listening(&(head.clone() + &six), address), [6]);
        let mapped = [[0; 10].as_slice(), &[0xff, 0xff, 127, 0, 0, 1]].concat();
        assert_eq!(listening(&(head + &line(&mapped, 9092, LISTEN, 7)), address), [7]);
    }
}
