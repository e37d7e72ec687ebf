//! The entries of a `.index`, each compared with the batch it points at.

use std::path::Path;

use pagewire_disk::{Disk, DiskFile};
use pagewire_log::files::{Entries, Entry, OffsetEntry};
use pagewire_record::{BatchHeader, HEADER_LEN};
use serde::Serialize;

use super::page::Page;
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
        return page.text(|| format!("{} is empty.", path.display()));
    }
    if args.index_sanity_check {
        return sanity(&*file, len, path, page);
    }
    let (log, size) = super::open(disk, &path.with_extension("log"))?;
    let mut entries = Entries::<OffsetEntry>::new(&*file, len);
    while let Some((at, entry)) = entries.next()? {
        // Zeros that a broker reserved.
        if entry.relative_offset == 0 && at > 0 {
            break;
        }
        let offset = base + i64::from(entry.relative_offset);
        match last_offset_at(&*log, size, entry.position) {
            Some(found) if found != offset => {
                page.disagrees("Mismatches in :", format!("  Index offset: {offset}, log offset: {found}"));
            }
            Some(_) => {}
            None => page.damage(Some(at), &format!("no batch begins at position {}", entry.position))?,
        }
        if !args.verify_index_only {
            let Line { offset, position } = Line { offset, position: entry.position };
            page.line("offset_index", &Line { offset, position }, |line| {
                format!("offset: {} position: {}", line.offset, line.position)
            })?;
        }
    }
    Ok(())
}

fn last_offset_at(log: &dyn DiskFile, size: u64, position: i32) -> Option<i64> {
    let position = u64::try_from(position).ok().filter(|position| *position < size)?;
    let mut bytes = [0; HEADER_LEN];
    log.read_exact_at(position, &mut bytes).ok()?;
    BatchHeader::parse(&bytes).ok().map(|header| header.last_offset())
}

/// What Kafka looks at when it starts: whole entries, the last one not below the first offset.
fn sanity(file: &dyn DiskFile, len: u64, path: &Path, page: &mut Page<'_>) -> anyhow::Result<()> {
    let mut last = [0; OffsetEntry::LEN];
    file.read_exact_at((len / OffsetEntry::LEN as u64 - 1) * OffsetEntry::LEN as u64, &mut last)?;
    if !len.is_multiple_of(OffsetEntry::LEN as u64) {
        return page.damage(None, &format!("{len} bytes are no whole number of entries"));
    }
    if OffsetEntry::parse(&last).is_some_and(|last| last.relative_offset < 0) {
        return page.damage(None, "the last offset is below the base offset");
    }
    page.text(|| format!("{} passed sanity check.", path.display()))
}
