//! By splice: into a pooled pipe, and from there into the file. The pipe is empty again before anything is waited for.

use std::io;

use super::{Got, Incoming, ReceiveError, copied};
use crate::Route;
use crate::caps::{self, Refusal};
use crate::os::{SocketRef, file_ref};
use crate::pipes::Pipe;
use crate::route::Why;
use crate::splice::Splice;

pub(super) fn portion(incoming: &mut Incoming<'_>, socket: SocketRef<'_>) -> Result<Got, ReceiveError> {
    let mut pipe = match incoming.transfer.pipes().take() {
        Ok(Some(pipe)) => pipe,
        Ok(None) => return Ok(copy_instead(incoming, None)),
        Err(error) => return refused_or(incoming, error),
    };
    incoming.portion = pipe.capacity();
    let count = incoming.portion_bytes();
    incoming.done.calls += 1;
    let leg = Splice::SocketToPipe { socket, pipe: pipe.write_end().map_err(ReceiveError::Socket)? };
    match incoming.transfer.calls().splice(leg, count) {
        Ok(0) => Ok(Got::End),
        Ok(n) => {
            pipe.filled(n);
            empty(incoming, pipe)?;
            Ok(Got::Bytes(n as u64))
        }
        Err(error) => match error.kind() {
            io::ErrorKind::Interrupted => Ok(Got::Bytes(0)),
            io::ErrorKind::WouldBlock => Ok(Got::WouldBlock),
            _ => refused_or(incoming, error),
        },
    }
}

/// Moves all that is in the pipe into the file.
fn empty(incoming: &mut Incoming<'_>, mut pipe: Pipe) -> Result<(), ReceiveError> {
    while pipe.len() > 0 {
        let lost = pipe.len() as u64;
        let failed = |error| ReceiveError::File { error, lost };
        incoming.done.calls += 1;
        let leg = Splice::PipeToFile {
            pipe: pipe.read_end().map_err(failed)?,
            file: file_ref(incoming.file),
            offset: *incoming.offset,
        };
        match incoming.transfer.calls().splice(leg, pipe.len()) {
            Ok(0) => return Err(failed(io::ErrorKind::WriteZero.into())),
            Ok(n) => {
                pipe.drained(n);
                incoming.wrote(n as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => match caps::refusal(&error) {
                Some(refusal) => {
                    copy_instead(incoming, Some(refusal));
                    return copy_out(incoming, pipe);
                }
                None => return Err(failed(error)),
            },
        }
    }
    Ok(())
}

/// The file does not take what is in the pipe by reference: writes it the plain way.
fn copy_out(incoming: &mut Incoming<'_>, mut pipe: Pipe) -> Result<(), ReceiveError> {
    let lost = pipe.len() as u64;
    let failed = |error| ReceiveError::File { error, lost };
    let buffers = incoming.transfer.buffers();
    let mut buffer = buffers.take_for_a_call(pipe.len()).map_err(failed)?;
    let got = pipe.read_all(&mut buffer).map_err(failed)?;
    copied::write(incoming, buffer.get(..got).unwrap_or_default())
}

/// Goes on by copy, without the caller hearing of it.
fn copy_instead(incoming: &mut Incoming<'_>, refusal: Option<Refusal>) -> Got {
    if let Some(refusal) = refusal {
        incoming.transfer.note_refusal(Route::Splice, refusal);
    }
    (incoming.done.route, incoming.done.why) = (Route::Copy, Why::Refused);
    incoming.portion = super::PORTION_START;
    Got::Bytes(0)
}

fn refused_or(incoming: &mut Incoming<'_>, error: io::Error) -> Result<Got, ReceiveError> {
    match caps::refusal(&error) {
        Some(refusal) => Ok(copy_instead(incoming, Some(refusal))),
        None => Err(ReceiveError::Socket(error)),
    }
}
