//! The real binary, in a temporary directory, on a free port, gone when the test is.

mod binary;
mod broker;
pub mod commands;
pub mod http;
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
pub(crate) use process::lines_of;
pub use process::{Ended, kill_group, run_to_end, tail, which};

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

/// How long anything is waited for. Only a failure takes as long, however slow the machine.
pub const PATIENCE: Duration = Duration::from_mins(2);
/// What is waited for is looked at this often.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Polls until `check` is true; an error or the end of all patience ends it.
pub fn until(what: &str, mut check: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !check().with_context(|| what.to_owned())? {
        ensure!(Instant::now() < deadline, "{what} did not come true within {PATIENCE:?}");
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

/// Polls until `check` finds nothing wrong; what it found last is the error at the end of all patience.
pub fn until_right(what: &str, mut check: impl FnMut() -> Result<()>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while let Err(wrong) = check() {
        if Instant::now() >= deadline {
            return Err(wrong.context(format!("{what}, after {PATIENCE:?}")));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

/// Takes as many open files as this user may have: crowds of connections need them on both sides.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    // Refused, the crowd is smaller and its case says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
