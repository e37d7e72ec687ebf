//! The real binary, in a temporary directory, on a free port, gone when the test is.

mod binary;
mod broker;
pub mod commands;
mod process;
pub mod raw;

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::net::{AddressFamily, SocketType, connect, socket, sockopt};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

pub use binary::find_or_build;
pub use broker::Broker;
pub(crate) use broker::STOP_LIMIT;
pub use process::{Ended, kill_group, run_to_end, which};

/// A connection with a large receive buffer, so that much of a response can wait in it.
pub fn wide_receiver(address: &str) -> Result<TcpStream> {
    let address: SocketAddr = address.parse().with_context(|| format!("{address} is no address"))?;
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket(family, SocketType::STREAM, None)?;
    // The kernel takes what it allows; it must be told before the connection agrees on a window.
    sockopt::set_socket_recv_buffer_size(&socket, 8 << 20)?;
    connect(&socket, &address)?;
    Ok(TcpStream::from(socket))
}

/// Polls until `check` is true; an error or half a minute ends it.
pub fn until(what: &str, mut check: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !check().with_context(|| what.to_owned())? {
        ensure!(Instant::now() < deadline, "{what} did not come true within 30 s");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Takes as many open files as this user may have: crowds of connections need them on both sides.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    // Refused, the crowd is smaller and its case says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
