//! What dumps of `.index` and `.timeindex` share: the entries up to the room that a broker reserved, and what Kafka
//! looks at when it starts.

use std::io;

use pagewire_disk::DiskFile;
use pagewire_log::files::{Entries, Entry, OffsetEntry, TimeStamped};

use super::page::Page;

/// An entry that names an offset of its segment.
pub(super) trait Sparse: Entry {
    /// Relative to the segment's base.
    fn relative_offset(&self) -> i32;
}

impl Sparse for OffsetEntry {
    fn relative_offset(&self) -> i32 {
        self.relative_offset
    }
}

impl Sparse for TimeStamped {
    fn relative_offset(&self) -> i32 {
        self.relative_offset
    }
}

/// Shows the entries of a file of `len` bytes, each with its position.
pub(super) fn each<E: Sparse>(
    file: &dyn DiskFile,
    len: u64,
    mut show: impl FnMut(u64, E) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut entries = Entries::<E>::new(file, len);
    while let Some((at, entry)) = entries.next()? {
        // Zeros that a broker reserved.
        if entry.relative_offset() == 0 && at > 0 {
            break;
        }
        show(at, entry)?;
    }
    Ok(())
}

/// Tells of bytes behind the last whole entry of a file of `len` bytes, which Kafka's tool passes over.
pub(super) fn rest<E: Entry>(len: u64, page: &mut Page<'_>) -> anyhow::Result<()> {
    match len % E::LEN as u64 {
        0 => Ok(()),
        rest => page.damage(Some(len - rest), &format!("{rest} bytes are no whole entry")),
    }
}

/// Entry number `number` of a file that has it.
pub(super) fn entry<E: Entry>(file: &dyn DiskFile, number: u64) -> io::Result<Option<E>> {
    let mut bytes = vec![0; E::LEN];
    file.read_exact_at(number * E::LEN as u64, &mut bytes)?;
    Ok(E::parse(&bytes))
}

/// What is wrong with the end of a file: no whole entries, or a last one below the first offset.
pub(super) fn wrong_end<E: Sparse>(file: &dyn DiskFile, len: u64) -> io::Result<Option<String>> {
    let (count, rest) = (len / E::LEN as u64, len % E::LEN as u64);
    if rest != 0 {
        return Ok(Some(format!("{len} bytes are no whole number of entries")));
    }
    let last = if count == 0 { None } else { entry::<E>(file, count - 1)? };
    let below = last.is_some_and(|last| last.relative_offset() < 0);
    Ok(below.then(|| "the last offset is below the base offset".to_owned()))
}
