//! The first bytes of redb's file, looked at before redb believes them.
//!
//! ```text
//!   9        one bit: which of the two commit slots counts      another: open for changes, or killed while it was
//!   64, 192  the slots, of 128 bytes each: roots, checksums     at 104 of each: which commit it is, u64 little-endian
//! ```
//!
//! Commits go into the slots by turns. No checksum covers the bit that says which one counts: flipped, it makes redb
//! serve what was true one change ago, all of whose pages are still whole. So the newer one counts if it is whole: see
//! `forward`.

use std::io;

use pagewire_disk::DiskFile;

/// The bytes that are looked at.
const HEAD: usize = 320;
pub(super) const FLAGS_AT: usize = 9;
pub(super) const SECOND_COUNTS: u8 = 1;
const IN_USE: u8 = 2;
const COMMITS_AT: [usize; 2] = [64 + 104, 192 + 104];

/// What the first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slots {
    /// The newer commit counts.
    Newer,
    /// The older one does, as when a commit was ended by a kill between its two syncs, or before the first.
    Unfinished,
    /// The older one does, though the file was closed in order.
    Older,
}

/// Looks at a file that is at least so long; redb itself refuses a shorter one.
pub(super) fn look(file: &dyn DiskFile) -> io::Result<Option<Slots>> {
    if file.len()? < HEAD as u64 {
        return Ok(None);
    }
    let mut head = [0; HEAD];
    file.read_exact_at(0, &mut head)?;
    Ok(judge(&head))
}

fn judge(head: &[u8; HEAD]) -> Option<Slots> {
    let commit = |at: usize| Some(u64::from_le_bytes(*head.get(at..)?.first_chunk()?));
    let [first, second] = COMMITS_AT;
    let flags = head.get(FLAGS_AT)?;
    let (counts, other) = if flags & SECOND_COUNTS == 0 {
        (commit(first)?, commit(second)?)
    } else {
        (commit(second)?, commit(first)?)
    };
    Some(match (other > counts, flags & IN_USE == 0) {
        (false, _) => Slots::Newer,
        (true, false) => Slots::Unfinished,
        (true, true) => Slots::Older,
    })
}
