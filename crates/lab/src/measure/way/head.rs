//! The header in front of a part of the file, by a call of its own that says that more is to follow.

use std::net::TcpStream;

use rustix::io::Errno;
use rustix::net::SendFlags;

/// Sends all of it; how many calls that took.
pub(super) fn send(socket: &TcpStream, header: &[u8]) -> anyhow::Result<u64> {
    let (mut rest, mut calls) = (header, 0);
    while !rest.is_empty() {
        calls += 1;
        match rustix::net::send(socket, rest, SendFlags::MORE | SendFlags::NOSIGNAL) {
            Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(calls)
}
