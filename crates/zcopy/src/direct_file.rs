//! A file opened once more, for reads that pass the page cache by (`O_DIRECT`).
//!
//! ```text
//!   FileRange's descriptor --/proc/self/fd/N--> a second one, O_RDONLY | O_DIRECT
//!                          --statx-----------> what offsets and lengths must be multiples of
//! ```
//!
//! The flag belongs to an open file description, so the caller's own descriptor is left as it is. A name is not needed:
//! an unlinked file is opened as well. Offsets, lengths and the alignment are in bytes; memory is page-aligned.
//!
//! <https://man7.org/linux/man-pages/man2/open.2.html> (`O_DIRECT`), <https://man7.org/linux/man-pages/man2/statx.2.html>

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use linux_raw_sys::general::STATX_DIOALIGN;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, StatxFlags, open, statx};
use rustix::io::Errno;

use crate::sys::PAGE;

/// Where the kernel does not tell: the largest sector that disks have.
const ALIGN_DEFAULT: u64 = 4096;
/// Coarser ones would read more around a range than a range.
pub(crate) const ALIGN_MAX: u64 = 64 << 10;

/// A descriptor for direct reads (`O_DIRECT`, <https://man7.org/linux/man-pages/man2/open.2.html>), and their alignment
/// (`STATX_DIOALIGN`, <https://man7.org/linux/man-pages/man2/statx.2.html>). Closed when dropped.
///
/// A read takes page-aligned memory, as [`DirectBuffer`](crate::DirectBuffer) is, of an aligned length, from an aligned
/// offset.
#[derive(Debug)]
#[doc(alias = "O_DIRECT")]
pub struct DirectFile {
    fd: OwnedFd,
    align: u64,
}

impl DirectFile {
    /// Opens `file` once more.
    ///
    /// # Errors
    /// `EOPNOTSUPP` for what is no file on a disk, or one that cannot be read past the page cache into page-aligned
    /// memory; what `open(2)` reports: `EINVAL` from a file system without `O_DIRECT`, `ENOENT` without `/proc`,
    /// `EACCES`, `EMFILE`.
    pub fn open(file: BorrowedFd<'_>) -> io::Result<Self> {
        let align = alignment(file)?;
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let fd = open(path, OFlags::RDONLY | OFlags::DIRECT | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { fd, align })
    }

    /// What offset and length of a read must be multiples of: a power of two, at most 64 KiB.
    pub fn align(&self) -> u64 {
        self.align
    }

    /// `pread(2)`: dirty pages of the range are written out first, by the kernel, so what was written before is read.
    /// Short at the end of the file, which may lie anywhere; 0 behind it. Waits for the disk.
    ///
    /// # Errors
    /// `EINVAL` for what is not aligned, `EIO` and the like.
    pub fn read(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(rustix::io::pread(&self.fd, into, offset)?)
    }
}

/// What direct reads of `file` must be multiples of.
fn alignment(file: BorrowedFd<'_>) -> Result<u64, Errno> {
    let dio = StatxFlags::from_bits_retain(STATX_DIOALIGN);
    let stat = statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::TYPE | dio)?;
    // Anything else might wait for a peer when it is opened.
    let kind = FileType::from_raw_mode(stat.stx_mode.into());
    if !matches!(kind, FileType::RegularFile | FileType::BlockDevice) {
        return Err(Errno::OPNOTSUPP);
    }
    if stat.stx_mask & STATX_DIOALIGN != 0 {
        told(stat.stx_dio_mem_align, stat.stx_dio_offset_align).ok_or(Errno::OPNOTSUPP)
    } else {
        Ok(guessed(stat.stx_blksize))
    }
}

/// What the kernel told, if reads into page-aligned memory can keep to it. Zeros mean that there are no direct reads.
fn told(memory: u32, offset: u32) -> Option<u64> {
    let usable = memory > 0 && PAGE.is_multiple_of(memory as usize) && offset.is_power_of_two();
    let align = u64::from(offset);
    (usable && align <= ALIGN_MAX).then_some(align)
}

/// The file system's block size, where that is one and not an advice for large reads.
fn guessed(block_bytes: u32) -> u64 {
    let block = u64::from(block_bytes);
    if block.is_power_of_two() && (ALIGN_DEFAULT..=ALIGN_MAX).contains(&block) {
        block
    } else {
        ALIGN_DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn an_alignment_that_page_aligned_memory_cannot_keep_is_none() {
        assert_eq!(
            (told(4, 512), told(512, 4096), told(4096, 65_536)),
            (Some(512), Some(4096), Some(65_536))
        );
        for (memory, offset) in [(0, 0), (8192, 512), (4, 0), (4, 3000), (4, 131_072)] {
            assert_eq!(told(memory, offset), None, "{memory} {offset}");
        }
    }

    #[test]
    fn untold_the_block_size_serves_if_it_is_one() {
        assert_eq!(
            [512, 4096, 16_384, 1 << 20, 0, 5000].map(guessed),
            [4096, 4096, 16_384, 4096, 4096, 4096]
        );
    }

    #[test]
    fn what_is_no_file_is_refused_unopened() {
        let (reader, _writer) = std::io::pipe().expect("a pipe");
        let error = DirectFile::open(reader.as_fd()).expect_err("a pipe has no disk");
        assert_eq!(Errno::from_io_error(&error), Some(Errno::OPNOTSUPP));
    }
}
