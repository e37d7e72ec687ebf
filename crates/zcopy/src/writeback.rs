//! Pacing of writeback: dirty pages that are written early never pile up to where the kernel stops the writer.

use std::fs::File;
use std::io;

use crate::{os, sys};

/// Starts writing back `len` bytes from `offset`, and returns without waiting for the disk (it may wait for its queue,
/// so call it where that hurts nobody). Promises nothing: only a sync does.
/// <https://man7.org/linux/man-pages/man2/sync_file_range.2.html>
///
/// # Errors
/// What `sync_file_range(2)` reports; `Unsupported` on systems other than Linux.
#[doc(alias = "sync_file_range")]
pub fn start_writeback(file: &File, offset: u64, len: u64) -> io::Result<()> {
    sys::sync_file_range(os::file_ref(file), offset, len)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn writeback_of_a_written_range_starts() -> io::Result<()> {
        let mut file = tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR"))?;
        file.write_all(&[7; 8192])?;
        start_writeback(&file, 0, 8192)
    }
}
