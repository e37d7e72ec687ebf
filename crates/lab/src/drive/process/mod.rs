//! The broker's process, seen from outside through `/proc`: what it used, and which one it is.

mod cache;
mod kernel;
mod listener;
mod room;
mod usage;

use std::net::{IpAddr, SocketAddr, UdpSocket};

pub use cache::{
    Dropped, drop_everything, drop_files, drop_partition, log_folder, may_drop_everything, sees_files, settle,
};
pub(super) use kernel::KernelThreads;
pub(super) use room::Room;
pub use usage::{Memory, cpu, forget_peak, memory, own_cpu, read_from_disk};

/// A process that can be measured, or why there is none.
pub type Found = std::result::Result<u32, String>;

/// The process that listens at `address`, if it is one of this machine and may be looked at.
pub fn find(address: SocketAddr) -> Found {
    if !is_local(address.ip()) {
        return Err("remote".to_owned());
    }
    listener::find(address)
}

/// Whether the address is one of this machine: only such a one can be bound.
pub(super) fn is_local(ip: IpAddr) -> bool {
    ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_process_that_listens_is_found_without_root() {
        let here = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(find(here.local_addr().unwrap()), Ok(std::process::id()));
        let everywhere = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = everywhere.local_addr().unwrap().port();
        assert_eq!(find(([127, 0, 0, 1], port).into()), Ok(std::process::id()));
    }

    #[test]
    fn an_address_of_another_machine_is_remote() {
        // TEST-NET-1: nobody's.
        assert_eq!(find("192.0.2.1:9092".parse().unwrap()), Err("remote".to_owned()));
    }
}
