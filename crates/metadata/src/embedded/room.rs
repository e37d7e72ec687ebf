//! Room on the disk that is the store's before it needs it: what makes a topic go can be written where nothing else
//! can.
//!
//! ```text
//!   ├─ what redb has of the file ─┤┄┄┄ spare: as long again ┄┄┄┤
//!   0        no holes            len                     len + spare
//! ```
//!
//! redb grows its file to twice its length at once, with a hole, and takes pages from anywhere in it. So the file has
//! no holes, and past its end blocks are reserved for the next growth (fallocate, KEEP_SIZE): they are nobody else's,
//! unlike those of a spare file, which whoever writes first would have. A killed process leaves them reserved. What
//! is lacking is looked for again with each change of the store. A growth for which there is no room is refused before the file
//! is any longer: the change fails as it would on any full disk, and none after it meets a hole.
//!
//! Nothing else here fails: a file system that cannot reserve (`Unsupported`) is one on which a full disk refuses changes
//! too, and so is one that writes each block to a new place.

use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pagewire_disk::DiskFile;

use super::backend::is_full;

/// Spare bytes of a small store.
const SPARE_MIN: u64 = 1 << 20;
/// Spare bytes of the largest: redb grows by no more at once.
const SPARE_MAX: u64 = 4 << 30;
/// Fewer spare bytes than this are not asked for: a change writes some ten pages.
const WORTH_IT: u64 = 64 << 10;

/// What is reserved of an open file.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Everything below is.
    upto: AtomicU64,
    /// The file system reserves nothing.
    unsupported: AtomicBool,
}

impl Room {
    /// The file got another length: what lay past a shorter one is given back.
    pub(super) fn is_cut(&self, len: u64) {
        self.upto.fetch_min(len, Ordering::Relaxed);
    }

    /// The file is to become so long. `StorageFull`, `QuotaExceeded`: it would have holes that nothing fits into.
    pub(super) fn grow(&self, file: &dyn DiskFile, len: u64) -> io::Result<()> {
        match self.reserve_all(file, len) {
            Err(error) if is_full(error.kind()) => Err(error),
            _ => Ok(()),
        }
    }

    /// Reserves what is lacking, or as much of it as there is room for.
    pub(super) fn keep(&self, file: &dyn DiskFile) {
        let Ok(len) = file.len() else { return };
        let wanted = len.saturating_add(spare(len));
        if self.upto.load(Ordering::Relaxed) >= wanted || self.reserve_all(file, len).is_err() {
            return;
        }
        let mut spare = wanted - len;
        while spare >= WORTH_IT && self.reserve(file, len, spare).is_err() {
            spare /= 2;
        }
    }

    /// Reserves everything below `len`.
    fn reserve_all(&self, file: &dyn DiskFile, len: u64) -> io::Result<()> {
        if self.unsupported.load(Ordering::Relaxed) {
            return Err(ErrorKind::Unsupported.into());
        }
        if self.upto.load(Ordering::Relaxed) >= len { Ok(()) } else { self.reserve(file, 0, len) }
    }

    fn reserve(&self, file: &dyn DiskFile, from: u64, bytes: u64) -> io::Result<()> {
        let reserved = file.preallocate(from, bytes);
        match &reserved {
            Ok(()) => {
                self.upto.fetch_max(from + bytes, Ordering::Relaxed);
            }
            Err(error) => {
                if error.kind() == ErrorKind::Unsupported {
                    self.unsupported.store(true, Ordering::Relaxed);
                }
                tracing::debug!(%error, bytes, "no room is reserved for the metadata store");
            }
        }
        reserved
    }
}

/// Spare bytes of a file of so many.
fn spare(len: u64) -> u64 {
    len.clamp(SPARE_MIN, SPARE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_a_file_to_grow_to_twice_its_length_however_long_it_is() {
        for len in [2 << 20, 64 << 20, 65 << 20, 4 << 30] {
            assert_eq!(spare(len), len);
        }
        assert_eq!((spare(0), spare(9 << 30)), (SPARE_MIN, SPARE_MAX));
    }
}
