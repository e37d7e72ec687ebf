//! What every way can do: send a header and a part of the file, whole, to a socket that blocks.

use std::fs::File;
use std::net::TcpStream;
use std::sync::Arc;

use bytes::Bytes;
use pagewire_zcopy::Route;

use super::Way;
use super::bare::SendfileBare;
use super::library::Library;
use super::read_write::ReadWrite;
use super::transfer_to::TransferTo;
use crate::record::KernelWord;

/// What one sending came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Moved {
    /// File bytes that really went this way, not by another that had to stand in.
    pub(crate) by_way: u64,
    /// System calls, as far as the way itself counts them.
    pub(crate) calls: u64,
    /// File bytes by route, indexed by [`Route::index`]; none of a way that is not the library's.
    pub(crate) took: [u64; Route::COUNT],
}

impl std::ops::AddAssign for Moved {
    fn add_assign(&mut self, other: Self) {
        self.by_way += other.by_way;
        self.calls += other.calls;
        for (sum, bytes) in self.took.iter_mut().zip(other.took) {
            *sum += bytes;
        }
    }
}

/// Carries parts of one file.
pub(crate) trait Carry {
    /// Sends `header` (none if it is empty), then `len` bytes of the file from `offset`.
    fn carry(&mut self, socket: &TcpStream, header: &Bytes, offset: u64, len: u64) -> anyhow::Result<Moved>;

    /// What the kernel had to say against this way, once it has been tried.
    fn refusal(&self) -> Option<String> {
        None
    }

    /// The kernel's own word on what was sent over `socket` so far, waiting a moment for what it has not said yet.
    /// `None` where it says nothing.
    fn word(&mut self, _socket: &TcpStream) -> anyhow::Result<Option<KernelWord>> {
        Ok(None)
    }
}

/// Whoever carries `file` by `way`.
pub(crate) fn carrier(way: Way, file: &Arc<File>) -> anyhow::Result<Box<dyn Carry>> {
    let file = Arc::clone(file);
    Ok(match way {
        Way::Library(route) => Box::new(Library::new(Some(route), file)),
        Way::Auto => Box::new(Library::new(None, file)),
        Way::TransferTo => Box::new(TransferTo::new(file)),
        Way::SendfileBare => Box::new(SendfileBare::new(file)),
        Way::ReadWrite(buffer) => Box::new(ReadWrite::new(file, buffer)?),
    })
}
