//! When a log is opened: a replacement that a crash interrupted is finished, or undone if it did not count yet.
//!
//! ```text
//!   b.log.swap ─▶ its name is for good ─▶ its end is looked up ─▶ old segments go ─▶ indexes get their names ─▶ the log does
//!   anything else called .cleaned or .swap ─▶ removed
//! ```
//!
//! Each step is durable before the next, so that a crash here is finished the same way. See `replace.rs` for what a
//! crash can leave. Where the new segment ends its batches say, whose offsets no CRC covers: none is believed that reaches past
//! what was written down before it counted, nor into the segment that is written to, which nobody compacts. Kafka's leftovers have
//! the same names and mean the same: of a segment that was being split, the parts do not count while one is still called `.cleaned`.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::Path;

use pagewire_disk::OpenMode;

use super::replace::DERIVED;
use crate::answers::RecoveryReport;
use crate::home::Home;
use crate::rewritten::Rewritten;
use crate::scan::{ScanError, Scanner, WINDOW_WALK};
use crate::segment::names;
use crate::segment::stage::Stage;

/// Finishes or undoes what the names in the directory tell of; whether names changed.
pub(crate) fn finish_swaps(home: &Home, names: &[String], report: &mut RecoveryReport) -> io::Result<bool> {
    let bases = |suffix: &str| -> BTreeSet<i64> {
        names.iter().filter_map(|name| names::offset(name, suffix)).collect()
    };
    if !names.iter().any(|name| name.ends_with(names::SWAP)) {
        return Ok(false);
    }
    let unfinished = bases(&Stage::Cleaned.file(names::LOG)).first().copied().unwrap_or(i64::MAX);
    let swaps = bases(&Stage::Swap.file(names::LOG));
    let logs = bases(names::LOG);
    let said = said_in(home)?;
    let mut changed = false;
    if swaps.range(..unfinished).next().is_some() {
        // Who was killed may not have made their names stable, by which alone they count.
        home.disk.sync_dir(&home.dir)?;
    }
    for &base in swaps.range(..unfinished) {
        place(home, base, &logs, &said, report)?;
        changed = true;
    }
    // Looked up again: what was put in place is not left over.
    for entry in home.disk.read_dir(&home.dir)? {
        if !entry.is_dir && entry.name.ends_with(names::SWAP) {
            report.leftovers.add(home.remove_leftover(&home.dir.join(&entry.name))?);
            changed = true;
        }
    }
    Ok(changed)
}

/// Puts the finished segment at `base` in the place of those of `logs` that it was made of.
fn place(
    home: &Home,
    base: i64,
    logs: &BTreeSet<i64>,
    said: &Rewritten,
    report: &mut RecoveryReport,
) -> io::Result<()> {
    let end = end_of(home, base, logs.last().copied().unwrap_or(base), said)?;
    for &old in logs.range(base + 1..end.max(base + 1)) {
        for suffix in [names::LOG].into_iter().chain(DERIVED) {
            remove(home, &home.path(old, suffix))?;
        }
    }
    let waits = |suffix: &str| home.disk.exists(&home.path(base, &Stage::Swap.file(suffix)));
    // It has none of its own if it needs none; or that has its name already, as then has what was renamed before it.
    if logs.contains(&base) && waits(names::INDEX)? && !waits(names::TXN_INDEX)? {
        remove(home, &home.path(base, names::TXN_INDEX))?;
    }
    // Once its new index has its name, nothing shows any more that there was none of aborted transactions to come.
    home.disk.sync_dir(&home.dir)?;
    for files in [&[names::INDEX, names::TIME_INDEX][..], &[names::TXN_INDEX], &[names::LOG]] {
        for suffix in files {
            rename(home, base, suffix)?;
        }
        home.disk.sync_dir(&home.dir)?;
    }
    report.note(format!("{}: put in place", home.path(base, names::LOG).display()));
    Ok(())
}

/// What was written down of compacted segments. Where that cannot be read there are the batches themselves.
fn said_in(home: &Home) -> io::Result<Rewritten> {
    match Rewritten::read(&*home.disk, &home.dir) {
        Err(error) if error.kind() == ErrorKind::InvalidData => Ok(Rewritten::default()),
        read => Ok(read?.unwrap_or_default()),
    }
}

/// The offset after the last batch of a finished segment, as far as it can be read and believed; `active` is the base of the
/// segment that is written to.
fn end_of(home: &Home, base: i64, active: i64, said: &Rewritten) -> io::Result<i64> {
    let file = home.open(base, &Stage::Swap.file(names::LOG), OpenMode::Read)?;
    let size = file.len()?;
    let limit = said.end_of(base, size).unwrap_or(i64::MAX).min(active.max(base));
    let mut scanner = Scanner::new(&*file, 0, size, base, WINDOW_WALK).upto(limit);
    let mut end = base;
    loop {
        match scanner.next() {
            Ok(Some(found)) => end = found.header.next_offset(),
            Ok(None) | Err(ScanError::Bad { .. }) => return Ok(end),
            Err(ScanError::Io(error)) => return Err(error),
        }
    }
}

fn rename(home: &Home, base: i64, suffix: &str) -> io::Result<()> {
    let from = home.path(base, &Stage::Swap.file(suffix));
    missing_is_fine(home.disk.rename(&from, &home.path(base, suffix)))
}

fn remove(home: &Home, path: &Path) -> io::Result<()> {
    missing_is_fine(home.disk.remove_file(path))
}

fn missing_is_fine(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
