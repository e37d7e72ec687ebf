//! Positioned I/O on a descriptor; what the operating system's files and the memory files share.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::{Errno, ReadWriteFlags, preadv2, pwritev};

/// The kernel refuses more slices in one call (UIO_MAXIOV).
const SLICES_MAX: usize = 1024;

/// Writes every byte of `slices` from `offset` on. One `pwritev` in the ordinary case.
pub(crate) fn write_all_at(file: &File, mut offset: u64, slices: &[IoSlice<'_>]) -> io::Result<()> {
    for group in slices.chunks(SLICES_MAX) {
        offset += write_group(file, offset, group)?;
    }
    Ok(())
}

fn write_group(file: &File, offset: u64, slices: &[IoSlice<'_>]) -> io::Result<u64> {
    let total: u64 = slices.iter().map(|slice| slice.len() as u64).sum();
    let mut done = 0;
    while done < total {
        let rest;
        let next = if done == 0 {
            slices
        } else {
            rest = after(slices, done);
            &rest
        };
        match pwritev(file, next, offset + done) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => done += written as u64,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(total)
}

/// The slices without their first `skip` bytes. Only needed after a short write, hence the allocation.
fn after<'a>(slices: &'a [IoSlice<'a>], skip: u64) -> Vec<IoSlice<'a>> {
    let mut skip = skip as usize;
    let mut rest = Vec::with_capacity(slices.len());
    for slice in slices {
        let bytes: &'a [u8] = slice;
        let left = bytes.get(skip.min(bytes.len())..).unwrap_or_default();
        skip -= bytes.len() - left.len();
        if !left.is_empty() {
            rest.push(IoSlice::new(left));
        }
    }
    rest
}

pub(crate) fn read_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    file.read_at(buffer, offset)
}

/// Whether a file can be asked to read without waiting. One refusal is believed for as long as the file is open.
#[derive(Debug, Default)]
pub(crate) struct NoWait {
    refused: AtomicBool,
}

impl NoWait {
    /// `preadv2(2)` with `RWF_NOWAIT`; an ordinary read of a file that does not know it.
    pub(crate) fn read_at(&self, file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.refused.load(Ordering::Relaxed) {
            match preadv2(file, &mut [IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT) {
                Ok(read) => return Ok(read),
                Err(Errno::INTR) => {}
                // Old kernels, file systems without it, sandboxes.
                Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::PERM) => {
                    self.refused.store(true, Ordering::Relaxed);
                }
                Err(errno) => return Err(errno.into()),
            }
        }
        read_at(file, offset, buffer)
    }
}

pub(crate) fn preallocate(file: &File, offset: u64, len: u64) -> io::Result<()> {
    if len == 0 {
        return Ok(());
    }
    fallocate(file, FallocateFlags::KEEP_SIZE, offset, len).map_err(|errno| match errno {
        Errno::OPNOTSUPP => io::ErrorKind::Unsupported.into(),
        errno => errno.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_after_a_short_write_starts_inside_the_right_slice() {
        let slices = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cde"), IoSlice::new(b"f")];
        let text = |skip| after(&slices, skip).iter().flat_map(|s| s.to_vec()).collect::<Vec<u8>>();
        assert_eq!(text(0), b"abcdef");
        assert_eq!(text(2), b"cdef");
        assert_eq!(text(3), b"def");
        assert_eq!(text(6), b"");
    }

    #[test]
    fn a_file_that_refuses_is_read_in_the_ordinary_way() {
        let file = tempfile::tempfile().expect("temp file");
        write_all_at(&file, 0, &[IoSlice::new(b"abc")]).expect("write");
        let nowait = NoWait { refused: true.into() };
        let mut bytes = [0; 4];
        assert_eq!(nowait.read_at(&file, 1, &mut bytes).expect("read"), 2);
        assert_eq!(&bytes[..2], b"bc");
    }

    #[test]
    fn more_slices_than_one_call_takes_are_all_written() {
        let file = tempfile::tempfile().expect("temp file");
        let slices = vec![IoSlice::new(b"xy"); SLICES_MAX + 7];
        write_all_at(&file, 3, &slices).expect("write");
        assert_eq!(file.metadata().expect("metadata").len(), 3 + 2 * (SLICES_MAX as u64 + 7));
    }
}
