//! What is replayed when a log is opened: the producers and their transactions, from the newest snapshot that will do.
//!
//! Leader epochs that the checkpoint lacks turn up on the way, and so do the aborted transactions, against which their
//! index files are held ([`TxnFiles`]). Nothing is made of a batch whose checksum was not compared first; what may have
//! ended among records that are lost is in [doubt](Doubts).

use std::io;
use std::mem;
use std::ops::Range;
use std::sync::Arc;

use pagewire_disk::{DiskFile, OpenMode};

use crate::answers::{Hole, OpenOptions, RecoveryReport};
use crate::errors::LogError;
use crate::files::ProducerSnapshot;
use crate::home::Home;
use crate::open::doubts::Doubts;
use crate::open::epoch_check::{Rising, newest_under};
use crate::open::listing::Listing;
use crate::open::recovery::Look;
use crate::open::txn_files::TxnFiles;
use crate::open::{EpochsFound, refill};
use crate::producers::{Entry, ProducerTable, snapshot};
use crate::scan;
use crate::scan::headers::{Met, walk_verified};
use crate::segment::{Segment, names};
use crate::txns::marker;
use crate::txns::undecided::{Doubt, Undecided};

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
    /// Where nobody knows what became of transactions.
    pub(crate) undecided: Undecided,
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
    let mut txns = TxnFiles::read(place, options, report)?;
    let mut snapshots = Snapshots::of(place, options.now_ms);
    let mut table = ProducerTable::default();
    let from = snapshots.load(place.log_end, &mut table)?;
    let start = from.unwrap_or(0);
    let known = known_doubts(place, start, &mut snapshots, &mut txns, options, report)?;
    let mut doubts = Doubts::default();
    let began = match txns.replay_from().filter(|at| *at < start) {
        Some(at) => {
            let mut found = Found { txns: &mut txns, doubts: &mut doubts, options, only_doubts: false };
            replay_transactions(
                place,
                at..start,
                (&mut snapshots, &mut ProducerTable::default()),
                &mut found,
                report,
            )?
        }
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
    let mut found = Found { txns: &mut txns, doubts: &mut doubts, options, only_doubts: false };
    for segment in place.segments.iter().filter(|segment| segment.end().next_offset > start) {
        found.replay(&mut table, segment, start, report, |met| {
            if let Met::Batch(_, batch) = met {
                rising.meet(batch.header.partition_leader_epoch, batch.header.base_offset);
            }
            true
        })?;
    }
    let (risen, rose) = rising.end();
    (epochs.inner, epochs.rebuilt) = (risen, epochs.rebuilt || rose);
    let settled = doubts.take_unstably_settled();
    let in_doubt = [known, doubts.end(&table)].concat();
    let undecided = Undecided::of(in_doubt.clone());
    report.tell_undecided(&undecided, &place.home.dir);
    txns.tell_doubts(place, &Undecided::of([in_doubt, settled].concat()))?;
    TxnFiles::drop_orphans(place, report)?;
    let last_aborted = txns.settle(place, began, options.config.cleanup_compact, report)?;
    Ok(Replayed { producers: table, snapshots, last_aborted, undecided })
}

/// What stays in doubt for good of what was when the log was last opened, without what lies behind it: as long as as much is lost,
/// nothing there decides. `start`: the producers are replayed from here on. What a COMMIT behind may still settle, what reaches
/// to where all is replayed, and what is not the same any more, has everything from its beginning on replayed.
fn known_doubts(
    place: &Place<'_>,
    start: i64,
    snapshots: &mut Snapshots<'_>,
    txns: &mut TxnFiles,
    options: &OpenOptions,
    report: &mut RecoveryReport,
) -> Result<Vec<Doubt>, LogError> {
    let remembered = txns.remembered().to_vec();
    let mut begin = snapshots.replayed_from(txns.replay_from(), start)?;
    for Doubt { offsets, all_known } in remembered.iter().rev() {
        if *all_known || offsets.end > begin {
            txns.replay_at(offsets.start);
            begin = snapshots.replayed_from(txns.replay_from(), start)?;
        }
    }
    let mut known = Vec::new();
    for Doubt { offsets, .. } in remembered.iter().filter(|doubt| doubt.offsets.end <= begin) {
        let (mut doubts, mut table) = (Doubts::default(), ProducerTable::default());
        let mut found = Found { txns, doubts: &mut doubts, options, only_doubts: true };
        replay_transactions(place, offsets.clone(), (snapshots, &mut table), &mut found, report)?;
        let mut there = doubts.end(&table);
        there.retain(|doubt| doubt.offsets.start >= offsets.start);
        if Undecided::of(there.clone()).iter().ne([offsets]) {
            for doubt in &remembered {
                txns.replay_at(doubt.offsets.start);
            }
            return Ok(Vec::new());
        }
        known.extend(there.into_iter().map(|doubt| Doubt { all_known: false, ..doubt }));
    }
    Ok(known)
}

/// Replays the transactions of `range`, and those that were open when it begins; from where on that was.
fn replay_transactions(
    place: &Place<'_>,
    range: Range<i64>,
    (snapshots, table): (&mut Snapshots<'_>, &mut ProducerTable),
    found: &mut Found<'_>,
    report: &mut RecoveryReport,
) -> Result<i64, LogError> {
    let from = snapshots.load(range.start, table)?.unwrap_or(0);
    let touches =
        |segment: &&Arc<Segment>| segment.end().next_offset > from && segment.base_offset < range.end;
    for segment in place.segments.iter().filter(touches) {
        found.replay(table, segment, from, report, |met| {
            let offset = match met {
                Met::Batch(_, batch) => batch.header.base_offset,
                Met::Lost(offsets) => offsets.start,
            };
            offset < range.end
        })?;
    }
    Ok(from)
}

/// What a replay comes to, whichever table it fills.
struct Found<'f> {
    txns: &'f mut TxnFiles,
    doubts: &'f mut Doubts,
    options: &'f OpenOptions,
    /// What is come to besides is known from before.
    only_doubts: bool,
}

impl Found<'_> {
    /// Records what `segment` has from offset `from` on in `table`, as long as that is `wanted`.
    fn replay(
        &mut self,
        table: &mut ProducerTable,
        segment: &Segment,
        from: i64,
        report: &mut RecoveryReport,
        mut wanted: impl FnMut(&Met<'_>) -> bool,
    ) -> Result<(), LogError> {
        // Where something is open, or was aborted, it counts what is not met.
        let all = table.open_count() > 0 || self.txns.name(segment);
        let whole = walk_verified(segment, from, all, report, |met| {
            if !wanted(&met) {
                return Ok(false);
            }
            match met {
                Met::Batch(file, batch) => self.record(table, segment, (file, batch))?,
                Met::Lost(offsets) => self.doubts.lost(&offsets, table, self.txns),
            }
            Ok(true)
        })?;
        if !whole && !self.only_doubts {
            self.txns.unseen(segment);
        }
        Ok(())
    }

    /// A batch of `segment` was met.
    fn record(
        &mut self,
        table: &mut ProducerTable,
        segment: &Segment,
        (file, batch): (&dyn DiskFile, &scan::Found),
    ) -> io::Result<()> {
        let header = &batch.header;
        if header.has_producer_id() {
            let entry = Entry { header, marker: marker::in_file(file, batch)? };
            if let Some(marker) = entry.marker {
                let (kind, offset) = (marker.control_type, header.base_offset);
                self.doubts.marker(header.producer_id, kind, offset, self.txns);
            }
            if !self.only_doubts {
                self.txns.found(segment, table.aborted_by(entry));
            }
            table.record(entry, self.options.now_ms, self.options.config.producers_max);
        }
        Ok(())
    }
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

    /// From where on transactions are replayed that have to be from offset `at` on, if that is before `start`.
    fn replayed_from(&mut self, at: Option<i64>, start: i64) -> Result<i64, LogError> {
        match at.filter(|at| *at < start) {
            Some(at) => Ok(self.load(at, &mut ProducerTable::default())?.unwrap_or(0)),
            None => Ok(start),
        }
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
            report.note(format!("{}: damaged or past the end of the log, removed", path.display()));
            home.disk.remove_file(&path).map_err(LogError::at(&path))?;
        }
        if gone {
            // One that came back after the log went on past it would tell of producers that never were.
            home.disk.sync_dir(&home.dir).map_err(LogError::at(&home.dir))?;
        }
        Ok(self.good)
    }
}
