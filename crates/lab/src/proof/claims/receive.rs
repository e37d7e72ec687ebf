//! The way back: from a socket into a file.

use std::fs::File;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;

use anyhow::ensure;
use pagewire_zcopy::{BufferPool, IoPool, PoolOptions, Route, Transfer, TransferOptions};

use super::{Bench, Tried, figures};
use crate::copies::is_copied;
use crate::measure::worker::filled;

/// Fits into the buffers of a socket whose peer does not read yet.
const BYTES: usize = 64 << 10;
/// What the file is overwritten with while its bytes lie in the socket, and once more when they lie in the other file.
const IN_SOCKET: u8 = b'S';
const IN_FILE: u8 = b'F';

/// The aliasing test, twice: first what lies in the socket is asked whether it is still the sender's page, which it has
/// to be for the second question to mean anything; then what `transfer_from` has put into a file.
pub(super) fn transfer_from(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let (in_socket, spliced) = received(bench, Route::Splice)?;
    let (_, copied) = received(bench, Route::Copy)?;
    let holds = without_copy(in_socket, spliced);
    let follows = match holds {
        Some(true) => "splice saves the way through the program, and the copy into the page cache as well",
        Some(false) => {
            "splice saves the way through the program, and the page cache gets a copy all the same"
        }
        None => "that decides nothing",
    };
    Ok(Tried {
        holds,
        evidence: format!(
            "what sendfile had put into the socket still changed with its file ({:.0} % of it); once transfer_from had \
             moved it into another file, {:.0} % did by splice and {:.0} % by copy: {follows}",
            in_socket * 100.0,
            spliced * 100.0,
            copied * 100.0
        ),
        figures: figures([
            ("aliased_share_in_socket", in_socket),
            ("aliased_share_after_splice", spliced),
            ("aliased_share_after_copy", copied),
        ]),
    })
}

/// What was no reference in the socket any more says nothing of the way into the file.
fn without_copy(in_socket: f64, in_file: f64) -> Option<bool> {
    (is_copied(in_socket) == Some(false)).then(|| is_copied(in_file)).flatten().map(|copied| !copied)
}

/// The shares that changed with the sender's file: of what lay in the socket, and of what lies in the receiver's file.
fn received(bench: &Bench<'_>, route: Route) -> anyhow::Result<(f64, f64)> {
    let source = filled(bench.dir, b'A', BYTES as u64)?;
    let target = tempfile::tempfile_in(bench.dir)?;
    let (sender, receiver) = connection()?;
    let mut offset = 0;
    let sent = rustix::fs::sendfile(&sender, &source, Some(&mut offset), BYTES)?;
    ensure!(sent == BYTES, "the socket took {sent} bytes of {BYTES}");
    source.write_all_at(&vec![IN_SOCKET; BYTES], 0)?;

    let options = TransferOptions { route: Some(route), ..TransferOptions::default() };
    let transfer = Transfer::new(options, BufferPool::new(PoolOptions::default()), IoPool::new(1, 1));
    let mut offset = 0;
    let moved = transfer.transfer_from_blocking(&receiver, &target, &mut offset, BYTES as u64)?;
    ensure!(moved.bytes == BYTES as u64, "the socket gave {} bytes of {BYTES}", moved.bytes);
    ensure!(moved.route == route, "{} stood in for {route}: {}", moved.route, moved.why);
    let in_socket = share_of(&target, IN_SOCKET)?;
    source.write_all_at(&vec![IN_FILE; BYTES], 0)?;
    Ok((in_socket, share_of(&target, IN_FILE)?))
}

fn connection() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let sender = TcpStream::connect(listener.local_addr()?)?;
    Ok((sender, listener.accept()?.0))
}

/// Of the file's bytes, those that are this one.
fn share_of(file: &File, byte: u8) -> io::Result<f64> {
    let mut bytes = vec![0; BYTES];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes.into_iter().filter(|found| *found == byte).count() as f64 / BYTES as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_still_a_reference_in_the_socket_tells_of_the_file() {
        assert_eq!(without_copy(1.0, 0.0), Some(false));
        assert_eq!(without_copy(1.0, 1.0), Some(true));
        assert_eq!((without_copy(0.0, 0.0), without_copy(1.0, 0.5)), (None, None));
    }
}
