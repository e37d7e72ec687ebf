//! By copy: into a pooled, page-aligned buffer, and from there into the file.
//!
//! Bytes are put as far behind the start of a page in the buffer as they will be in the file: the copy into the page
//! cache is slow on common CPUs when the two differ by a few bytes, and portions end where pages do.

use std::io;

use super::{Got, Incoming, PORTION_MAX, ReceiveError};
use crate::os::{SocketRef, file_ref};
use crate::sys::PAGE;

/// Calls to receive for one portion at most: a peer that trickles is not waited for in a loop.
const GATHERS_MAX: usize = 16;

/// How receiving for one portion ended.
enum Ended {
    /// With the portion full, or with nothing more there right now.
    Open,
    /// The peer sends no more.
    End,
    Failed(io::Error),
}

pub(super) fn portion(
    incoming: &mut Incoming<'_>,
    socket: SocketRef<'_>,
    gather: bool,
) -> Result<Got, ReceiveError> {
    let start = (*incoming.offset % PAGE as u64) as usize;
    let most = incoming.portion_bytes();
    let last = most as u64 == incoming.left;
    // Of the pool's classes the next larger one would be no cheaper to receive into.
    let wanted = if last || most <= start { most.min(PORTION_MAX - start) } else { most - start };
    // A thread that waits inside the call holds it meanwhile.
    let buffers = incoming.transfer.buffers();
    let mut buffer = buffers.take_or_spare(start + wanted).map_err(ReceiveError::Memory)?;
    let wanted = wanted.min(buffer.len().saturating_sub(start));
    let room = buffer.get_mut(start..start + wanted).unwrap_or_default();
    let (got, ended) = receive(incoming, socket, room, gather);
    if got == wanted {
        incoming.portion = (2 * incoming.portion).min(PORTION_MAX);
    }
    let written = write(incoming, room.get(..got).unwrap_or_default());
    drop(buffer);
    written?;
    match ended {
        Ended::Failed(error) => Err(ReceiveError::Socket(error)),
        _ if got > 0 => Ok(Got::Bytes(got as u64)),
        Ended::End => Ok(Got::End),
        Ended::Open => Ok(Got::WouldBlock),
    }
}

/// Receives what is there, up to `room`.
fn receive(
    incoming: &mut Incoming<'_>,
    socket: SocketRef<'_>,
    room: &mut [u8],
    gather: bool,
) -> (usize, Ended) {
    let mut got = 0;
    for _ in 0..GATHERS_MAX {
        let Some(free) = room.get_mut(got..).filter(|free| !free.is_empty()) else { break };
        incoming.done.calls += 1;
        match incoming.transfer.calls().receive(socket, free, gather && got > 0) {
            Ok(0) => return (got, Ended::End),
            Ok(n) => got += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return (got, Ended::Failed(error)),
        }
    }
    (got, Ended::Open)
}

/// Writes all of `bytes` at the offset, and moves it.
pub(super) fn write(incoming: &mut Incoming<'_>, mut bytes: &[u8]) -> Result<(), ReceiveError> {
    while !bytes.is_empty() {
        incoming.done.calls += 1;
        match incoming.transfer.calls().write(file_ref(incoming.file), bytes, *incoming.offset) {
            Ok(n) if n > 0 => {
                let n = n.min(bytes.len());
                incoming.wrote(n as u64);
                bytes = bytes.get(n..).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            failed => {
                let error = failed.err().unwrap_or_else(|| io::ErrorKind::WriteZero.into());
                return Err(ReceiveError::File { error, lost: bytes.len() as u64 });
            }
        }
    }
    Ok(())
}
