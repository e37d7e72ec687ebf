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

/// A file to try things with.
#[derive(Debug)]
pub(super) struct Sample {
    /// It has no name, and holds [`content`].
    pub(super) file: File,
    /// Where it is, if not beside the data, and why: what is possible depends on the file system.
    pub(super) elsewhere: Option<String>,
}

/// A file beside the data if that place can be written; else where temporary files go.
pub(super) fn sample(data_dir: &Path) -> io::Result<Sample> {
    let error = match filled(tempfile::tempfile_in(place::nearest(data_dir))) {
        Ok(file) => return Ok(Sample { file, elsewhere: None }),
        Err(error) => error.kind(),
    };
    let other = std::env::temp_dir();
    let file = filled(tempfile::tempfile_in(&other))?;
    let elsewhere =
        format!("tried in {}, which may be another file system (beside the data: {error})", other.display());
    Ok(Sample { file, elsewhere: Some(elsewhere) })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_could_not_lie_beside_the_data_says_where_it_is() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(sample(dir.path()).expect("a file").elsewhere, None);
        // Nobody can make a file there.
        let elsewhere = sample(Path::new("/proc")).expect("a file").elsewhere.expect("a note");
        assert!(elsewhere.contains(&std::env::temp_dir().display().to_string()), "{elsewhere}");
    }
}
