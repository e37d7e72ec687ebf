//! What lies in a partition's directory, and putting it in order before anything is believed.
//!
//! Leftovers of an interrupted compaction or deletion are finished or removed, files without a segment go, unless they tell of
//! one that is lost (`orphans`).

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use crate::answers::RecoveryReport;
use crate::clean::finish_swaps;
use crate::home::Home;
use crate::open::orphans::Orphan;
use crate::segment::names;
use crate::{rewritten, txns};

/// The files that matter.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Base offsets of the segments, oldest first.
    pub(crate) bases: Vec<i64>,
    /// Offsets of producer snapshots, oldest first.
    pub(crate) snapshots: Vec<i64>,
    /// Base offsets that have an offset index, a time index.
    pub(crate) indexed: BTreeSet<i64>,
    pub(crate) timed: BTreeSet<i64>,
    /// Base offsets that have an index of aborted transactions.
    pub(crate) aborted: BTreeSet<i64>,
    /// What indexes behind the first segment say of segments that are gone, or all where none is left; and one that leads to the
    /// only one, which is empty.
    pub(crate) orphans: Vec<Orphan>,
    /// Base offsets of such that had aborted transactions, by the index of those that they left: until what that puts in doubt is
    /// written down.
    pub(crate) aborted_in_gone: Vec<i64>,
    /// No segment is left that has a record: what the log had come to, by all that lies beside them.
    pub(crate) given_out: Option<i64>,
    /// It is written down what was aborted in closed segments.
    pub(crate) witness: bool,
    /// So is where transactions are in doubt.
    pub(crate) undecided: bool,
    /// So are the lengths of compacted segments.
    pub(crate) lengths: bool,
}

impl Listing {
    /// A segment is not the log's.
    pub(crate) fn forget(&mut self, base: i64) {
        self.bases.retain(|one| *one != base);
        for files in [&mut self.indexed, &mut self.timed, &mut self.aborted] {
            files.remove(&base);
        }
    }
}

/// Reads the directory and puts it in order.
pub(crate) fn read(home: &Arc<Home>, report: &mut RecoveryReport) -> io::Result<Listing> {
    let names = file_names(home)?;
    // Both, in this order: while a part of a replacement is called `.cleaned`, the others do not count.
    let finished = finish_swaps(home, &names, report)?;
    if remove_leftovers(home, &names, report)? || finished {
        return read_orderly(home, &file_names(home)?, report);
    }
    read_orderly(home, &names, report)
}

fn file_names(home: &Home) -> io::Result<Vec<String>> {
    let entries = home.disk.read_dir(&home.dir)?;
    Ok(entries.into_iter().filter(|entry| !entry.is_dir).map(|entry| entry.name).collect())
}

fn read_orderly(home: &Home, names: &[String], report: &mut RecoveryReport) -> io::Result<Listing> {
    let has = |file| names.iter().any(|name| name == file);
    let with = |suffix| names.iter().filter_map(move |name| names::offset(name, suffix));
    let mut listing = Listing {
        bases: with(names::LOG).collect(),
        snapshots: with(names::SNAPSHOT).collect(),
        indexed: with(names::INDEX).collect(),
        timed: with(names::TIME_INDEX).collect(),
        aborted: with(names::TXN_INDEX).collect(),
        orphans: Vec::new(),
        aborted_in_gone: Vec::new(),
        given_out: None,
        witness: has(txns::witness::FILE),
        undecided: has(txns::undecided::FILE),
        lengths: has(rewritten::FILE),
    };
    listing.bases.sort_unstable();
    listing.snapshots.sort_unstable();
    for suffix in [names::INDEX, names::TIME_INDEX, names::TXN_INDEX] {
        for offset in with(suffix).filter(|offset| listing.bases.binary_search(offset).is_err()) {
            let path = home.path(offset, suffix);
            if suffix == names::INDEX {
                let is_behind = listing.bases.first().is_none_or(|first| offset > *first);
                let orphan = Orphan::read(&*home.disk, path.clone(), offset)?;
                if is_behind || leads_to_only(home, &listing, &orphan)? {
                    listing.orphans.push(orphan);
                    continue;
                }
            }
            let is_before = listing.bases.first().is_some_and(|first| offset < *first);
            if !is_before && suffix == names::TXN_INDEX && home.disk.file_len(&path)? > 0 {
                listing.aborted_in_gone.push(offset);
                continue;
            }
            if is_before && suffix == names::INDEX && home.disk.file_len(&path)? > 0 {
                let path = path.display();
                report.note(format!("{path}: what it points at, before the log's first records, is gone"));
            }
            report.leftovers.add(home.remove_leftover(&path)?);
        }
    }
    Ok(listing)
}

/// A start that found no segment, but this index, put one where the log goes on, and ended before the first one.
fn leads_to_only(home: &Home, listing: &Listing, orphan: &Orphan) -> io::Result<bool> {
    let [only] = listing.bases[..] else { return Ok(false) };
    Ok(orphan.upto == only && home.disk.file_len(&home.path(only, names::LOG))? == 0)
}

fn remove_leftovers(home: &Home, names: &[String], report: &mut RecoveryReport) -> io::Result<bool> {
    let left = [names::DELETED, names::CLEANED, names::TEMPORARY];
    let mut removed = false;
    for name in names.iter().filter(|name| left.iter().any(|suffix| name.ends_with(suffix))) {
        report.leftovers.add(home.remove_leftover(&home.dir.join(name))?);
        removed = true;
    }
    Ok(removed)
}
