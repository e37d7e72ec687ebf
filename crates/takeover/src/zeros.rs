//! Zeros in a file, of which a segment that was made in advance (`log.preallocate`) has up to a gigabyte. Where the file system says
//! that nothing was written there, nothing is read.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::{SeekFrom, seek};

/// Read at a time.
const WINDOW: usize = 64 << 10;

/// Where the next bytes are that somebody wrote, from `at` on, which may be zeros too; `len` if there are none. A file system that
/// does not know says `at` (lseek(2), SEEK_DATA). Moves the file's cursor.
pub(crate) fn written_from(file: &File, at: u64, len: u64) -> u64 {
    match seek(file, SeekFrom::Data(at)) {
        Ok(data) => data.clamp(at, len.max(at)),
        Err(rustix::io::Errno::NXIO) => len.max(at),
        Err(_) => at,
    }
}

/// Whether nothing but zeros lies in the file from `at` to `end`.
pub(crate) fn is_zero(file: &File, mut at: u64, end: u64) -> io::Result<bool> {
    let mut window = vec![0; WINDOW];
    loop {
        at = written_from(file, at, end);
        if at >= end {
            return Ok(true);
        }
        let wanted = usize::try_from(end - at).unwrap_or(usize::MAX).min(window.len());
        let part = window.get_mut(..wanted).unwrap_or_default();
        file.read_exact_at(part, at)?;
        if part.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at += wanted as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(at: u64, len: u64) -> File {
        let file = tempfile::tempfile().expect("a file");
        file.set_len(len).expect("a length");
        file.write_all_at(&[1], at).expect("written");
        file
    }

    #[test]
    fn a_byte_is_seen_wherever_it_lies_among_zeros() {
        const LEN: u64 = 5 << 20;
        for at in [0, 1, 4095, WINDOW as u64, (3 << 20) + 17, LEN - 1] {
            let file = written(at, LEN);
            assert!(
                !is_zero(&file, 0, LEN).expect("read") && !is_zero(&file, at, LEN).expect("read"),
                "{at}"
            );
            assert!(is_zero(&file, at + 1, LEN).expect("read"), "{at}");
            assert!(is_zero(&file, 0, at).expect("read"), "{at}");
            assert!(written_from(&file, 0, LEN) <= at, "{at}");
        }
    }
}
