//! What the probes send, and over what: a temporary file of [`FILE_BYTES`], and a pair of TCP sockets on the loopback.
//! Neither leaves a trace, and neither waits longer than [`LIMIT`].

use std::fs::File;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use crate::place;

/// Long enough for several pages and calls, short enough for any disk.
pub(super) const FILE_BYTES: u64 = 256 << 10;
/// Longest wait for the peer.
const LIMIT: Duration = Duration::from_secs(2);

/// What the file holds; no two pages of it are alike.
pub(super) fn content() -> Vec<u8> {
    (0..FILE_BYTES).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

/// A file without a name that holds [`content`]: beside the data if that place can be written, since what is possible
/// depends on the file system; else where temporary files go.
pub(super) fn file(data_dir: &Path) -> io::Result<File> {
    filled(tempfile::tempfile_in(place::nearest(data_dir))).or_else(|_| filled(tempfile::tempfile()))
}

fn filled(file: io::Result<File>) -> io::Result<File> {
    let mut file = file?;
    file.write_all(&content())?;
    Ok(file)
}

/// A connected pair: the sender's end, the receiver's end.
pub(super) fn sockets() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let sender = TcpStream::connect_timeout(&listener.local_addr()?, LIMIT)?;
    let ours = sender.local_addr()?;
    loop {
        // Anybody may connect to a port of the loopback.
        let (receiver, peer) = listener.accept()?;
        if peer != ours {
            continue;
        }
        for socket in [&sender, &receiver] {
            socket.set_read_timeout(Some(LIMIT))?;
            socket.set_write_timeout(Some(LIMIT))?;
            socket.set_nodelay(true)?;
        }
        return Ok((sender, receiver));
    }
}
