//! What is replayed when a log is opened: the producers and their transactions, from the newest snapshot that will do.
//!
//! Leader epochs that the checkpoint lacks turn up on the way, and so do the aborted transactions, against which their
//! index files are held ([`TxnFiles`]).

use std::io;
use std::mem;
use std::ops::Range;
use std::sync::Arc;

use pagewire_disk::{DiskFile, OpenMode};

use crate::answers::{Hole, OpenOptions, RecoveryReport};
use crate::errors::LogError;
use crate::files::ProducerSnapshot;
use crate::home::Home;
use crate::open::epoch_check::{Rising, newest_under};
use crate::open::listing::Listing;
use crate::open::recovery::Look;
use crate::open::txn_files::TxnFiles;
use crate::open::{EpochsFound, refill};
use crate::producers::{Entry, ProducerTable, snapshot};
use crate::scan::Found;
use crate::scan::headers::walk_batches;
use crate::segment::{Segment, names};
use crate::txns::marker;

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
///
/// Producers come from the newest snapshot, because those of a retained log may be in no batch any more. Transactions that
/// ended before it are replayed apart, from an older one.
pub(crate) fn replay(
    place: &Place<'_>,
    options: &OpenOptions,
    epochs: &mut EpochsFound,
    report: &mut RecoveryReport,
) -> Result<Replayed, LogError> {
    let mut txns = TxnFiles::read(place, options.clean, report)?;
    let mut snapshots = Snapshots::of(place, options.now_ms);
    let mut table = ProducerTable::default();
    let from = snapshots.load(place.log_end, &mut table)?;
    let start = from.unwrap_or(0);
    let began = match txns.replay_from().filter(|at| *at < start) {
        Some(at) => replay_transactions(place, options, at..start, &mut snapshots, &mut txns, report)?,
        None => start,
    };
    let snapshots = snapshots.settle(report)?;
    if !options.clean {
        make_stable(place, &snapshots, options.recovery_point)?;
    }
    if let Some(offset) = from {
        refill::refill(&mut table, place.segments, offset, report)?;
    } else if options.clean && place.log_end > 0 {
        report.rebuilt.push(place.home.path(place.log_end, names::SNAPSHOT));
    }
    let mut rising = Rising::behind(mem::take(&mut epochs.inner), newest_under(options.leader_epoch));
    for segment in place.segments.iter().filter(|segment| segment.end().next_offset > start) {
        let whole = walk_batches(segment, start, report, |file, found| {
            rising.meet(found.header.partition_leader_epoch, found.header.base_offset);
            record(&mut table, segment, (file, found), options, &mut txns)?;
            Ok(true)
        })?;
        if !whole {
            txns.unseen(segment);
        }
    }
    let (risen, rose) = rising.end();
    (epochs.inner, epochs.rebuilt) = (risen, epochs.rebuilt || rose);
    if let Some(offset) = table.first_open().filter(|_| txns.is_unseen_somewhere()) {
        report.notes.push(format!(
            "{}: some records cannot be read; a transaction that is open since offset {offset} may have ended there",
            place.home.dir.display()
        ));
    }
    let last_aborted = txns.settle(place, began, options.config.cleanup_compact, report)?;
    Ok(Replayed { producers: table, snapshots, last_aborted })
}

/// Replays the transactions of `range`, and those that were open when it begins; from where on that was.
fn replay_transactions(
    place: &Place<'_>,
    options: &OpenOptions,
    range: Range<i64>,
    snapshots: &mut Snapshots<'_>,
    txns: &mut TxnFiles,
    report: &mut RecoveryReport,
) -> Result<i64, LogError> {
    let mut table = ProducerTable::default();
    let from = snapshots.load(range.start, &mut table)?.unwrap_or(0);
    let touches =
        |segment: &&Arc<Segment>| segment.end().next_offset > from && segment.base_offset < range.end;
    for segment in place.segments.iter().filter(touches) {
        let whole = walk_batches(segment, from, report, |file, found| {
            let before = found.header.base_offset < range.end;
            if before {
                record(&mut table, segment, (file, found), options, txns)?;
            }
            Ok(before)
        })?;
        if !whole {
            txns.unseen(segment);
        }
    }
    Ok(from)
}

/// A batch of `segment` was met.
fn record(
    table: &mut ProducerTable,
    segment: &Segment,
    (file, found): (&dyn DiskFile, &Found),
    options: &OpenOptions,
    txns: &mut TxnFiles,
) -> io::Result<()> {
    let header = &found.header;
    if header.has_producer_id() {
        let entry = Entry { header, marker: marker::in_file(file, found)? };
        txns.found(segment, table.aborted_by(entry));
        table.record(entry, options.now_ms, options.config.producers_max);
    }
    Ok(())
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

/// The snapshots that were found. One that turns out to be useless must not stay.
struct Snapshots<'p> {
    place: &'p Place<'p>,
    now_ms: i64,
    /// Oldest first.
    good: Vec<i64>,
    useless: Vec<i64>,
    /// The newest one past the log's end, if there is any.
    past_the_end: Option<i64>,
}

impl<'p> Snapshots<'p> {
    fn of(place: &'p Place<'p>, now_ms: i64) -> Self {
        let (good, useless): (Vec<i64>, Vec<i64>) =
            place.listing.snapshots.iter().partition(|offset| **offset <= place.log_end);
        let past_the_end = useless.iter().copied().max();
        Self { place, now_ms, good, useless, past_the_end }
    }

    /// The newest good one at or below `upto` into `table`; its offset. Behind one from before the first segment, batches are gone
    /// that it does not know: a producer that is forgotten may go on, and one that is remembered as it once was may not.
    fn load(&mut self, upto: i64, table: &mut ProducerTable) -> Result<Option<i64>, LogError> {
        let (home, known) = (self.place.home, self.useless.len());
        let first = self.place.segments.first().map_or(0, |segment| segment.base_offset);
        let fitting: Vec<i64> =
            self.good.iter().copied().filter(|offset| (first..=upto).contains(offset)).collect();
        let newest =
            snapshot::load_newest(&*home.disk, &home.dir, &fitting, table, self.now_ms, &mut self.useless);
        let bad = self.useless.get(known..).unwrap_or_default();
        self.good.retain(|offset| !bad.contains(offset));
        newest.map_err(LogError::at(&home.dir))
    }

    /// What lay before the newest one, if the log ends earlier. It is written when the log has come so far: of one that is whole
    /// nobody can say that this never was.
    fn lost_end(&self) -> Option<Hole> {
        let (upto, from) = (self.past_the_end?, self.place.log_end);
        let file = self.place.home.path(upto, names::SNAPSHOT);
        let is_whole = matches!(ProducerSnapshot::read(&*self.place.home.disk, &file), Ok(Some(_)));
        is_whole.then_some(Hole { file, from, upto })
    }

    /// Removes those that are useless; the others.
    fn settle(self, report: &mut RecoveryReport) -> Result<Vec<i64>, LogError> {
        let home = self.place.home;
        let known = report.lost_end.take();
        report.lost_end = self.lost_end().into_iter().chain(known).max_by_key(|lost| lost.upto);
        let gone = !self.useless.is_empty();
        for offset in self.useless {
            let path = home.path(offset, names::SNAPSHOT);
            report.notes.push(format!("{}: damaged or past the end of the log, removed", path.display()));
            home.disk.remove_file(&path).map_err(LogError::at(&path))?;
        }
        if gone {
            // One that came back after the log went on past it would tell of producers that never were.
            home.disk.sync_dir(&home.dir).map_err(LogError::at(&home.dir))?;
        }
        Ok(self.good)
    }
}
