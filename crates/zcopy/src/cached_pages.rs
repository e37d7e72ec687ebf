//! How many pages of a file's range the page cache holds, where the kernel can say.

use std::fs::File;
use std::io;

use crate::{os, sys};

/// Pages of `len` bytes of `file` from `offset` that are in the page cache; those whose read is still under way are
/// counted as well. [`residency()`](crate::residency()) answers the question behind it on every kernel; this one tells
/// whether the kernel has the call at all. `cachestat(2)`, <https://man7.org/linux/man-pages/man2/cachestat.2.html>.
///
/// # Errors
/// `ENOSYS` before Linux 6.5, `EPERM` in some sandboxes and of a file neither owned nor writable, `EOPNOTSUPP` on
/// hugetlbfs; `Unsupported` on other systems; `InvalidInput` for a `len` of zero.
#[doc(alias = "cachestat")]
pub fn cached_pages(file: &File, offset: u64, len: u64) -> io::Result<u64> {
    if len == 0 {
        // To the kernel zero means "to the end".
        return Err(io::ErrorKind::InvalidInput.into());
    }
    sys::cachestat(os::file_ref(file), offset, len).map(|stat| stat.cached_pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_just_written_is_counted_or_the_kernel_says_why_not() {
        let file = tempfile::tempfile().expect("a file");
        std::io::Write::write_all(&mut &file, &vec![7; 3 * sys::PAGE]).expect("written");
        match cached_pages(&file, 0, 3 * sys::PAGE as u64) {
            Ok(pages) => assert!((1..=3).contains(&pages), "{pages}"),
            Err(error) => eprintln!("this system does not tell what is cached: {error}"),
        }
        assert_eq!(cached_pages(&file, 0, 0).expect_err("no range").kind(), io::ErrorKind::InvalidInput);
    }
}
