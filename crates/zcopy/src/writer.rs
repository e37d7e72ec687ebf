//! Sending a plan to whatever can be written to: a TLS stream, a compressor, a file. Always by copy, through a pooled
//! buffer: there is no descriptor to hand to the kernel.
//!
//! Unlike a sending to a socket it holds its buffer while the writer is not ready: at most 256 KiB out of the pool, or
//! a spare of 16 KiB that no pool counts where that is at its bound.

use std::io::{self, Write};

use bytes::Bytes;

use crate::os;
use crate::route::Why;
use crate::stats::Sent;
use crate::{FileRange, Piece, Route, SendError, SendPlan, Transfer};

/// Bytes read and offered at a time.
const PORTION_BYTES: u64 = 256 << 10;

/// What is written next.
enum Portion {
    Memory(Bytes),
    File(FileRange),
}

/// What stands at the plan's cursor; `None` when it is done.
fn next(plan: &SendPlan) -> Option<Portion> {
    let (pieces, skip) = plan.ahead();
    Some(match pieces.first()? {
        Piece::Bytes(bytes) => {
            let len = (bytes.len() as u64).saturating_sub(skip).min(PORTION_BYTES);
            Portion::Memory(bytes.slice(skip as usize..(skip + len) as usize))
        }
        Piece::File(range) => Portion::File(range.part(skip, PORTION_BYTES)),
        // Read from the file, not loaded from the map, which may shrink.
        #[cfg(target_os = "linux")]
        Piece::Mapped(range) => Portion::File(range.file_range().part(skip, PORTION_BYTES)),
    })
}

impl Transfer {
    /// Writes what is left of `plan` to `writer`, waiting for it and for the disk. Does not flush. When it fails, the
    /// plan's cursor stands behind the last byte that `writer` took.
    ///
    /// # Errors
    /// [`SendError::Io`] for what the writer or a file reports (`WriteZero` for a writer that takes nothing),
    /// [`SendError::FileShrunk`] when a file ends before its range.
    pub fn write_to_blocking(&self, plan: &mut SendPlan, mut writer: impl Write) -> Result<Sent, SendError> {
        let mut sent = Sent::default();
        while let Some(portion) = next(plan) {
            let (buffer, from_file) = match portion {
                Portion::Memory(bytes) => (bytes, false),
                Portion::File(range) => (self.filled(plan, &range, |into| self.read(&range, into))?, true),
            };
            let mut rest = &buffer[..];
            while !rest.is_empty() {
                match writer.write(rest) {
                    Ok(taken) => rest = self.wrote(plan, rest, taken, from_file, &mut sent)?,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(sent)
    }

    /// The bytes of `range` that the file has, at least one, in a buffer.
    fn filled(
        &self,
        plan: &SendPlan,
        range: &FileRange,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> Result<Bytes, SendError> {
        let mut buffer = self.buffers().take_or_spare(range.len() as usize)?;
        let len = buffer.len().min(range.len() as usize);
        let got = read(buffer.get_mut(..len).unwrap_or_default())?;
        if got == 0 {
            self.stats().shrunk();
            return Err(SendError::FileShrunk {
                missing: plan.piece_ahead(u64::MAX).map_or(0, |left| left.len()),
            });
        }
        Ok(buffer.freeze().slice(..got))
    }

    fn read(&self, range: &FileRange, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.calls().read(os::file_ref(range.file()), into, range.offset()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                answer => return answer,
            }
        }
    }

    /// Moves the cursor by what the writer took of `offered`, and answers with the rest.
    fn wrote<'a>(
        &self,
        plan: &mut SendPlan,
        offered: &'a [u8],
        taken: usize,
        from_file: bool,
        sent: &mut Sent,
    ) -> Result<&'a [u8], SendError> {
        // A writer that claims more than it was given is not believed.
        let taken = taken.min(offered.len());
        if taken == 0 {
            return Err(SendError::Io(io::ErrorKind::WriteZero.into()));
        }
        self.stats().call(Route::Copy, sent);
        if from_file {
            self.stats().file_bytes(Route::Copy, taken as u64, sent);
            sent.last_route = Some((Route::Copy, Why::Writer));
        } else {
            self.stats().memory_bytes(taken as u64, sent);
        }
        plan.advance(taken as u64);
        Ok(offered.get(taken..).unwrap_or_default())
    }
}

#[cfg(feature = "tokio")]
impl Transfer {
    /// Writes what is left of `plan` to `writer`. Never waits for a disk on its worker, and lets other tasks have their
    /// turn after about `turn_bytes` (see [`TransferOptions`](crate::TransferOptions::turn_bytes)), also where the
    /// writer always takes all. Waits for a slow writer as long as that takes, with a buffer of at most 256 KiB in
    /// hand, or 16 KiB where the pool has no room. Does not flush.
    ///
    /// # Cancel safety
    /// The future may be dropped at any await: the plan's cursor stands behind the last byte that `writer` took, if the
    /// writer itself is cancel-safe as `AsyncWrite` asks (a write that is pending has taken nothing).
    ///
    /// # Errors
    /// As [`write_to_blocking`](Self::write_to_blocking).
    pub async fn write_to<W>(&self, plan: &mut SendPlan, writer: &mut W) -> Result<Sent, SendError>
    where
        W: tokio::io::AsyncWrite + Unpin + ?Sized,
    {
        let mut sent = Sent::default();
        while let Some(portion) = next(plan) {
            let (buffer, from_file) = match portion {
                Portion::Memory(bytes) => (bytes, false),
                Portion::File(range) => (self.filled_without_waiting(plan, &range, &mut sent).await?, true),
            };
            let mut rest = &buffer[..];
            while !rest.is_empty() {
                let taken = std::future::poll_fn(|context| {
                    std::pin::Pin::new(&mut *writer).poll_write(context, rest)
                });
                let taken = taken.await?;
                let before = plan.sent();
                rest = self.wrote(plan, rest, taken, from_file, &mut sent)?;
                self.pay(plan.sent() - before).await;
            }
        }
        Ok(sent)
    }

    async fn filled_without_waiting(
        &self,
        plan: &mut SendPlan,
        range: &FileRange,
        sent: &mut Sent,
    ) -> Result<Bytes, SendError> {
        let now = |into: &mut [u8]| self.calls().read_now(os::file_ref(range.file()), into, range.offset());
        loop {
            match self.filled(plan, range, now) {
                Err(SendError::Io(error)) if cold(&error) => break,
                Err(SendError::Io(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                answer => return answer,
            }
        }
        self.stats().cold_offload(sent);
        let window = self.window(plan, range);
        self.io_for(range.file()).read_ahead_first(window.clone(), range.len()).await?;
        plan.note_read_ahead(window);
        self.filled(plan, range, |into| self.read(range, into))
    }
}

/// Whether a read without waiting says "not without waiting", or cannot tell.
#[cfg(feature = "tokio")]
fn cold(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || crate::caps::refusal(error).is_some()
}
