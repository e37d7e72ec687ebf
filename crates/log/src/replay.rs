//! What is replayed when a log is opened: the producers and their transactions, from the newest snapshot that will do.
//!
//! Leader epochs that the checkpoint lacks turn up on the way, and so do the aborted transactions, against which their
//! index files are held ([`TxnFiles`]).

use std::sync::Arc;

use pagewire_disk::OpenMode;

use crate::answers::{OpenOptions, RecoveryReport};
use crate::errors::LogError;
use crate::headers::walk_batches;
use crate::home::Home;
use crate::listing::Listing;
use crate::open::EpochsFound;
use crate::producers::{Entry, ProducerTable};
use crate::recovery::Look;
use crate::segment::Segment;
use crate::txn_files::TxnFiles;
use crate::{marker, names, refill, snapshot};

/// The log as recovery left it.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) home: &'a Home,
    pub(crate) segments: &'a [Arc<Segment>],
    pub(crate) listing: &'a Listing,
    pub(crate) looks: &'a [Look],
    pub(crate) log_end: i64,
}

/// The producers as of the log's end.
pub(crate) struct Replayed {
    pub(crate) producers: ProducerTable,
    /// Offsets of the snapshots that are left, oldest first.
    pub(crate) snapshots: Vec<i64>,
    /// Offset of the newest ABORT marker in an index of aborted transactions; -1 before any.
    pub(crate) last_aborted: i64,
}

/// Rebuilds the producers, and the indexes of aborted transactions that cannot be believed.
pub(crate) fn replay(
    place: &Place<'_>,
    options: &OpenOptions,
    epochs: &mut EpochsFound,
    report: &mut RecoveryReport,
) -> Result<Replayed, LogError> {
    let mut txns = TxnFiles::read(place, options.clean, report)?;
    let mut table = ProducerTable::default();
    let upto = txns.replay_from().unwrap_or(place.log_end);
    let (snapshots, from) = load_snapshot(place, upto, &mut table, options.now_ms, report)?;
    if !options.clean {
        make_stable(place, &snapshots, options.recovery_point)?;
    }
    if let Some(offset) = from {
        refill::refill(&mut table, place.segments, offset, report)?;
    } else if options.clean && place.log_end > 0 {
        report.rebuilt.push(place.home.path(place.log_end, names::SNAPSHOT));
    }
    let start = from.unwrap_or(0);
    for segment in place.segments.iter().filter(|segment| segment.end().next_offset > start) {
        let whole = walk_batches(segment, start, report, |file, found| {
            let header = &found.header;
            epochs.rebuilt |= epochs.inner.assign(header.partition_leader_epoch, header.base_offset);
            if header.has_producer_id() {
                let entry = Entry { header, marker: marker::in_file(file, found)? };
                txns.found(segment, table.aborted_by(entry));
                table.record(entry, options.now_ms, options.config.producers_max);
            }
            Ok(true)
        })?;
        if !whole {
            txns.unseen(segment);
        }
    }
    let last_aborted = txns.settle(place, start, options.config.cleanup_compact, report)?;
    Ok(Replayed { producers: table, snapshots, last_aborted })
}

/// Syncs the snapshots that the process before may have left to the next sync. Retention relies on them for what it takes,
/// and knows only of those that this process makes. One at the recovery point may have come after the sync that set it.
fn make_stable(place: &Place<'_>, snapshots: &[i64], recovery_point: i64) -> Result<(), LogError> {
    let young = || snapshots.iter().filter(|offset| **offset >= recovery_point);
    for &offset in young() {
        let file = place.home.open(offset, names::SNAPSHOT, OpenMode::Read);
        let synced = file.and_then(|file| file.sync_data());
        synced.map_err(LogError::at(place.home.path(offset, names::SNAPSHOT)))?;
    }
    // Their names may be as young.
    match young().next() {
        Some(_) => place.home.disk.sync_dir(&place.home.dir).map_err(LogError::at(&place.home.dir)),
        None => Ok(()),
    }
}

/// The newest good snapshot at or below `upto` into `table`. Returns the snapshots that are left, and the one that was
/// taken.
fn load_snapshot(
    place: &Place<'_>,
    upto: i64,
    table: &mut ProducerTable,
    now_ms: i64,
    report: &mut RecoveryReport,
) -> Result<(Vec<i64>, Option<i64>), LogError> {
    let (home, disk, all) = (place.home, &*place.home.disk, &place.listing.snapshots);
    let (fitting, mut useless): (Vec<i64>, Vec<i64>) =
        all.iter().partition(|offset| **offset <= place.log_end);
    let (fitting, later): (Vec<i64>, Vec<i64>) = fitting.into_iter().partition(|offset| *offset <= upto);
    let mut load = |offsets: &[i64], table: &mut ProducerTable| {
        let newest = snapshot::load_newest(disk, &home.dir, offsets, table, now_ms, &mut useless);
        newest.map_err(LogError::at(&home.dir))
    };
    for offset in later {
        // Not needed this time, but it must not stay if it is damaged.
        load(&[offset], &mut ProducerTable::default())?;
    }
    let from = load(&fitting, table)?;
    for offset in &useless {
        let path = home.path(*offset, names::SNAPSHOT);
        report.notes.push(format!("{}: damaged or past the end of the log, removed", path.display()));
        disk.remove_file(&path).map_err(LogError::at(&path))?;
    }
    Ok((all.iter().copied().filter(|offset| !useless.contains(offset)).collect(), from))
}
