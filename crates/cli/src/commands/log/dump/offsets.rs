//! The entries of a `.index`, each compared with the batch it points at.

use std::path::Path;

use pagewire_disk::{Disk, DiskFile};
use pagewire_log::files::{Entry, OffsetEntry};
use pagewire_record::{BatchHeader, HEADER_LEN};
use serde::Serialize;

use super::page::Page;
use super::sparse;
use crate::args::log::DumpArgs;

#[derive(Debug, Serialize)]
struct Line {
    offset: i64,
    position: i32,
}

/// Prints them.
pub(super) fn dump(
    disk: &dyn Disk,
    path: &Path,
    base: i64,
    args: &DumpArgs,
    page: &mut Page<'_>,
) -> anyhow::Result<()> {
    let (file, len) = super::open(disk, path)?;
    if len / (OffsetEntry::LEN as u64) == 0 {
        page.text(|| format!("{} is empty.", path.display()))?;
        return sparse::rest::<OffsetEntry>(len, page);
    }
    if args.index_sanity_check {
        return sanity(&*file, len, path, page);
    }
    let (log, size) = super::log_beside(disk, path)?;
    let mut before = None;
    sparse::each(&*file, len, |at, entry: OffsetEntry| {
        let place = (entry.relative_offset, entry.position);
        if before.replace(place).is_some_and(|(offset, position)| place.0 <= offset || place.1 <= position) {
            page.damage(Some(at), "the entry does not lie behind the one before it")?;
        }
        let offset = base + i64::from(entry.relative_offset);
        match last_offset_at(&*log, size, entry.position) {
            Some(found) if found != offset => {
                page.disagrees("Mismatches in :", format!("  Index offset: {offset}, log offset: {found}"));
            }
            Some(_) => {}
            None => page.damage(Some(at), &format!("no batch begins at position {}", entry.position))?,
        }
        if args.verify_index_only {
            return Ok(());
        }
        page.line("offset_index", &Line { offset, position: entry.position }, |line| {
            format!("offset: {} position: {}", line.offset, line.position)
        })
    })?;
    sparse::rest::<OffsetEntry>(len, page)
}

fn last_offset_at(log: &dyn DiskFile, size: u64, position: i32) -> Option<i64> {
    let position = u64::try_from(position).ok().filter(|position| *position < size)?;
    let mut bytes = [0; HEADER_LEN];
    log.read_exact_at(position, &mut bytes).ok()?;
    BatchHeader::parse(&bytes).ok().map(|header| header.last_offset())
}

/// What Kafka looks at when it starts.
fn sanity(file: &dyn DiskFile, len: u64, path: &Path, page: &mut Page<'_>) -> anyhow::Result<()> {
    match sparse::wrong_end::<OffsetEntry>(file, len)? {
        Some(what) => page.damage(None, &what),
        None => page.text(|| format!("{} passed sanity check.", path.display())),
    }
}
