//! One pipe: owned while it is out, back in its pool when dropped empty.
//!
//! Invariant: `len` is what is in the pipe. Nobody else holds its ends, so it changes only by what a call said it
//! moved.

use std::io;
use std::sync::Arc;

use super::Store;
use super::ends::{self, Ends};
use crate::FileRef;

/// A pipe of a [`PipePool`](super::PipePool). One that is dropped with bytes in it is closed, and they are gone.
#[derive(Debug)]
pub(crate) struct Pipe {
    /// `None` only while being dropped.
    ends: Option<Ends>,
    len: usize,
    home: Arc<Store>,
}

impl Pipe {
    pub(super) fn new(ends: Ends, home: Arc<Store>) -> Self {
        Self { ends: Some(ends), len: 0, home }
    }

    /// Bytes in it.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes that fit, if every page of it is filled.
    pub(crate) fn capacity(&self) -> usize {
        self.ends.as_ref().map_or(0, Ends::capacity)
    }

    /// A call put so many bytes in.
    pub(crate) fn filled(&mut self, n: usize) {
        self.len = self.len.saturating_add(n);
    }

    /// A call took so many bytes out.
    pub(crate) fn drained(&mut self, n: usize) {
        self.len = self.len.saturating_sub(n);
    }

    /// Takes bytes out by copying them: for when the pipe's other way out turns out to be closed. 0 when it is empty.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let wanted = into.len().min(self.len);
        let Some(into) = into.get_mut(..wanted).filter(|into| !into.is_empty()) else { return Ok(0) };
        loop {
            match ends::read(self.read_end()?, &mut *into) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(n) => {
                    self.drained(n);
                    return Ok(n);
                }
            }
        }
    }

    /// Takes all of its bytes out, into the front of `into`: how many there were.
    pub(crate) fn read_all(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut end = 0;
        while self.len > 0 {
            match self.read(into.get_mut(end..).unwrap_or_default())? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => end += n,
            }
        }
        Ok(end)
    }

    /// Where bytes go in.
    pub(crate) fn write_end(&self) -> io::Result<FileRef<'_>> {
        self.ends.as_ref().map(Ends::write_end).ok_or_else(gone)
    }

    /// Where bytes come out.
    pub(crate) fn read_end(&self) -> io::Result<FileRef<'_>> {
        self.ends.as_ref().map(Ends::read_end).ok_or_else(gone)
    }
}

fn gone() -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}

impl Drop for Pipe {
    fn drop(&mut self) {
        if let Some(ends) = self.ends.take() {
            self.home.put_back(ends, self.len == 0);
        }
    }
}
