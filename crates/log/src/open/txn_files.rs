//! The index files of aborted transactions when a log is opened: which can be believed, from where the log must be
//! replayed for the others, and what is written in their place.
//!
//! A file is believed for segments that are believed themselves, if its entries are whole, rise, and are those of which the
//! witness has the sum, or else each points at a marker of its producer. What was appended past the recovery point is always held against the log, and so is
//! everything if an orderly stop vouched for other files than there are.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use pagewire_disk::write_atomically;

use crate::answers::{OpenOptions, RecoveryReport};
use crate::errors::{LogError, ReadError};
use crate::files::{BatchWalk, Step};
use crate::home::Home;
use crate::open::replay::Place;
use crate::patience::Patience;
use crate::scan::Found;
use crate::segment::{Segment, names};
use crate::txns;
use crate::txns::index::AbortedTxn;
use crate::txns::undecided::{self, Doubt, Remembered, Undecided};
use crate::txns::witness::Witness;

/// By base offset of their segment.
#[derive(Debug, Default)]
pub(crate) struct TxnFiles {
    believed: BTreeMap<i64, Vec<AbortedTxn>>,
    /// Those whose file has to be written anew, whatever it shall hold.
    damaged: BTreeSet<i64>,
    /// Those of them that say nothing.
    useless: BTreeSet<i64>,
    replayed: BTreeMap<i64, Vec<AbortedTxn>>,
    /// The first segment that could not be replayed to its end: whatever ended there may be missing from it on.
    unseen: Option<i64>,
    from: Option<i64>,
    /// What is said of closed segments, where it says something.
    witness: Option<Witness>,
    /// There is a file of it that says nothing.
    no_witness: bool,
    /// Some entries may be missing, or wrong, for all that is known.
    mute: bool,
    /// What is aborted at these offsets or above may have no entry: they were never known to be stable.
    stable_below: i64,
    /// Markers and first offsets of what is believed, by producer, the earliest first.
    by_producer: OnceCell<HashMap<i64, Vec<(i64, i64)>>>,
    /// Where transactions were in doubt at the start before.
    remembered: Remembered,
}

impl TxnFiles {
    /// Reads and judges the files.
    pub(crate) fn read(
        place: &Place<'_>,
        options: &OpenOptions,
        report: &mut RecoveryReport,
    ) -> Result<Self, LogError> {
        let (clean, known) = (options.clean, place.home.recovery_known());
        let stable_below = if clean { i64::MAX } else { options.recovery_point };
        let mut files = Self { stable_below, mute: !clean && !known, ..Self::default() };
        files.hear(place, report)?;
        let listed = |segment: &&Arc<Segment>| place.listing.aborted.contains(&segment.base_offset);
        for segment in place.segments.iter().filter(listed) {
            let path = place.home.path(segment.base_offset, names::TXN_INDEX);
            match files.read_one(place, segment) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::InvalidData => {
                    report.note(format!("{}: {error}", path.display()));
                    files.damaged.insert(segment.base_offset);
                    files.useless.insert(segment.base_offset);
                    files.mute = true;
                    files.replay_at(segment.base_offset);
                }
                Err(error) => return Err(LogError::at(path)(error)),
            }
        }
        files.compare(place, report);
        files.hear_doubts(place, report)?;
        for look in place.looks {
            // After an orderly stop that vouches for them the last segment is as good as the rest, unless it was in doubt.
            let whole = look.from == look.base_offset && place.home.vouched.is_none();
            if !clean || look.in_doubt || whole {
                files.replay_at(look.base_offset);
            }
        }
        let sums = files.believed.iter().map(|(base, entries)| txns::index::sum(*base, entries));
        let sum = sums.fold(0, |all, sum| all ^ sum);
        if clean && place.home.vouched.is_some_and(|vouched| vouched.aborted != sum) {
            let path = place.home.dir.display();
            report.note(format!("{path}: indexes of aborted transactions are not those of the last stop"));
            files.mute = true;
            files.replay_at(first_base(place));
        }
        Ok(files)
    }

    /// Reads what was written about the files.
    fn hear(&mut self, place: &Place<'_>, report: &mut RecoveryReport) -> Result<(), LogError> {
        if !place.listing.witness {
            return Ok(());
        }
        let path = place.home.dir.join(txns::witness::FILE);
        match Witness::read(&*place.home.disk, &place.home.dir) {
            Ok(witness) => self.witness = witness,
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                report.note(format!(
                    "{}: {error}; the whole log is looked at for aborted transactions",
                    path.display()
                ));
                (self.no_witness, self.mute) = (true, true);
                self.replay_at(first_base(place));
            }
            Err(error) => return Err(LogError::at(path)(error)),
        }
        Ok(())
    }

    /// Holds the files against that: those of segments that are looked at may have more.
    fn compare(&mut self, place: &Place<'_>, report: &mut RecoveryReport) {
        let none = Witness::default();
        let witness = self.witness.as_ref().unwrap_or(&none);
        let looked_at = place.looks.first().map_or(i64::MAX, |look| look.base_offset);
        let allows = |base: i64| {
            let entries = self.believed.get(&base).map_or(&[][..], Vec::as_slice);
            // What is looked at may have grown since.
            if base < looked_at { witness.allows(base, entries) } else { witness.begins(base, entries) }
        };
        let said: Vec<i64> = place.segments.iter().map(|segment| segment.base_offset).collect();
        let told = place.listing.aborted_in_gone.iter().copied();
        let gone = witness.gone(&said, place.log_end).chain(told);
        let gone = gone.filter_map(|base| lost_behind(place, base)).min();
        // One that is no index is told already, and one that lost what lies past the log's end may be right up to there.
        let wrong = said.into_iter().filter(|base| !self.useless.contains(base) && !allows(*base));
        let wrong: Vec<i64> = wrong.collect();
        if let Some(before) = gone {
            // With a segment went what was aborted in it.
            self.mute = true;
            self.replay_at(before);
        }
        for base in wrong {
            let path = place.home.path(base, names::TXN_INDEX);
            report.note(format!("{}: entries are missing", path.display()));
            self.mute = true;
            self.replay_at(base);
        }
    }

    /// Looks again where it was in doubt what became of transactions.
    fn hear_doubts(&mut self, place: &Place<'_>, report: &mut RecoveryReport) -> Result<(), LogError> {
        if !place.listing.undecided {
            return Ok(());
        }
        let path = place.home.dir.join(undecided::FILE);
        match Undecided::read(&*place.home.disk, &place.home.dir) {
            Ok(parts) => self.remembered = Remembered::Parts(parts.unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                report.note(format!(
                    "{}: {error}; the whole log is looked at for transactions in doubt",
                    path.display()
                ));
                self.remembered = Remembered::Everything;
                self.replay_at(first_base(place));
            }
            Err(error) => return Err(LogError::at(path)(error)),
        }
        Ok(())
    }

    fn read_one(&mut self, place: &Place<'_>, segment: &Segment) -> io::Result<()> {
        let base = segment.base_offset;
        let mut entries = txns::index::read(&*place.home.disk, &place.home.path(base, names::TXN_INDEX))?;
        let (whole, end) = (entries.len(), segment.end().next_offset);
        // Whatever the log lacks, these are what was written.
        let is_right = self.witness.as_ref().is_some_and(|witness| witness.has(base, &entries));
        // The log was cut, or the marker of an entry never got into it.
        entries.truncate(entries.partition_point(|entry| entry.last_offset < end));
        let wrong = |reason: &str| io::Error::new(ErrorKind::InvalidData, reason.to_owned());
        txns::index::check(&entries, base, end).map_err(wrong)?;
        // Of files that are right already the log is not asked: there may be very many entries.
        for entry in entries.iter().filter(|_| !is_right) {
            if !may_be_marked(segment, entry)? {
                return Err(wrong("an entry that points at no marker"));
            }
        }
        if entries.len() < whole {
            self.damaged.insert(base);
            self.replay_at(base);
        }
        self.believed.insert(base, entries);
        Ok(())
    }

    /// Where transactions were in doubt at the start before, in rising order. Whoever replays has to look there again.
    pub(crate) fn remembered(&self) -> &[Doubt] {
        self.remembered.parts()
    }

    /// What is at this offset has to be replayed.
    pub(crate) fn replay_at(&mut self, offset: i64) {
        self.from = Some(self.from.map_or(offset, |from| from.min(offset)));
    }

    /// The log must be replayed from here on at least.
    pub(crate) fn replay_from(&self) -> Option<i64> {
        self.from
    }

    /// A marker in `segment` was replayed.
    pub(crate) fn found(&mut self, segment: &Segment, aborted: Option<AbortedTxn>) {
        if let Some(aborted) = aborted {
            self.replayed.entry(segment.base_offset).or_default().push(aborted);
        }
    }

    /// The file of `segment` has entries: what is not met of it is missed.
    pub(crate) fn name(&self, segment: &Segment) -> bool {
        self.believed.get(&segment.base_offset).is_some_and(|entries| !entries.is_empty())
    }

    /// The marker that aborted the transaction in which a producer wrote at `offset`, as far as the files say so.
    pub(crate) fn aborted_at(&self, producer_id: i64, offset: i64) -> Option<i64> {
        let entries = self.by_producer().get(&producer_id)?;
        let (marker, first) = *entries.get(entries.partition_point(|(marker, _)| *marker < offset))?;
        (first <= offset).then_some(marker)
    }

    fn by_producer(&self) -> &HashMap<i64, Vec<(i64, i64)>> {
        self.by_producer.get_or_init(|| {
            let mut all: HashMap<i64, Vec<(i64, i64)>> = HashMap::new();
            for entry in self.believed.values().flatten() {
                all.entry(entry.producer_id).or_default().push((entry.last_offset, entry.first_offset));
            }
            all
        })
    }

    /// Whether one of the files has an entry for the marker at `offset`, made by somebody who knew which transaction it
    /// ended: nothing was in doubt before this start.
    pub(crate) fn know_marker(&self, offset: i64) -> bool {
        let file = self.believed.range(..=offset).next_back();
        let has = |(_, entries): (&i64, &Vec<AbortedTxn>)| {
            entries.binary_search_by_key(&offset, |entry| entry.last_offset).is_ok()
        };
        self.remembered == Remembered::Nothing && file.is_some_and(has)
    }

    /// Whether the files know every marker among these offsets, of a transaction and of what is lost behind it, that aborted
    /// something. A start before may have known better.
    pub(crate) fn know_all(&self, offsets: &Range<i64>) -> bool {
        let was_in_doubt = self.remembered.is_for_good(offsets.start) || self.remembered.is_outgrown(offsets);
        !self.mute && offsets.end <= self.stable_below && !was_in_doubt
    }

    /// Whether no power cut takes what lies at `offset`.
    pub(crate) fn is_stable(&self, offset: i64) -> bool {
        offset < self.stable_below
    }

    /// There is more in `segment` than could be replayed.
    pub(crate) fn unseen(&mut self, segment: &Segment) {
        let base = segment.base_offset;
        self.unseen = Some(self.unseen.map_or(base, |first| first.min(base)));
    }

    /// Writes down where transactions are in doubt, or may be again, or that none is any more.
    pub(crate) fn tell_doubts(&self, place: &Place<'_>, found: &Undecided) -> Result<(), LogError> {
        if *found == Undecided::default() && self.remembered == Remembered::Nothing {
            return Ok(());
        }
        let path = place.home.dir.join(undecided::FILE);
        found.write(&*place.home.disk, &place.home.dir).map_err(LogError::at(path))
    }

    /// What segments that are gone left of their aborted transactions is written down where it matters.
    pub(crate) fn drop_orphans(place: &Place<'_>, report: &mut RecoveryReport) -> Result<(), LogError> {
        for base in &place.listing.aborted_in_gone {
            // What begins where one did has its name, and the file is its own by now.
            if place.segments.iter().any(|segment| segment.base_offset == *base) {
                continue;
            }
            let path = place.home.path(*base, names::TXN_INDEX);
            report.leftovers.add(place.home.remove_leftover(&path).map_err(LogError::at(path))?);
        }
        Ok(())
    }

    /// The log was replayed from `start` on: files that do not agree with it are written anew. Returns the
    /// offset of the newest marker in any of them, -1 without one.
    pub(crate) fn settle(
        mut self,
        place: &Place<'_>,
        start: i64,
        compacted: bool,
        report: &mut RecoveryReport,
    ) -> Result<i64, LogError> {
        let mut newest = -1;
        for segment in place.segments {
            let base = segment.base_offset;
            let before = self.believed.remove(&base).unwrap_or_default();
            let replayed = self.replayed.remove(&base).unwrap_or_default();
            let damaged = self.damaged.contains(&base);
            // Compaction takes the data of a transaction, and its entry only later.
            let kept = compacted && replayed.iter().all(|entry| before.contains(entry));
            let entries = if kept || segment.end().next_offset <= start {
                before.clone()
            } else if self.unseen.is_some_and(|first| base >= first) {
                both(&before, replayed)
            } else {
                let unseen = before.iter().filter(|entry| entry.last_offset < start);
                rising(unseen.copied().chain(replayed).collect())
            };
            let (rewritten, looked) =
                (damaged || entries != before, place.looks.iter().any(|look| look.base_offset == base));
            segment.txns.set(&entries, rewritten || !looked);
            let stable = if segment.is_synced() && (rewritten || !looked) {
                entries.len()
            } else {
                // They were when they were named.
                self.witness.as_ref().map_or(0, |witness| witness.named_of(base, &entries))
            };
            segment.txns.set_stable(entries.get(..stable).unwrap_or_default());
            newest = entries.last().map_or(newest, |entry| entry.last_offset);
            if rewritten {
                let path = place.home.path(base, names::TXN_INDEX);
                replace(place.home, &path, &entries).map_err(LogError::at(&path))?;
                report.rebuilt.push(path);
            }
        }
        let witness = Witness::of(place.segments.iter().map(|segment| &**segment));
        if self.no_witness || self.witness.unwrap_or_default() != witness {
            let path = place.home.dir.join(txns::witness::FILE);
            witness.write(&*place.home.disk, &place.home.dir).map_err(LogError::at(path))?;
        }
        for named in place.segments.iter().filter(|one| witness.names(one.base_offset)) {
            named.txns.note_named();
        }
        Ok(newest)
    }
}

/// Where the segment begins behind which the one at `base` is lost; `None` if compaction may have taken it.
fn lost_behind(place: &Place<'_>, base: i64) -> Option<i64> {
    let before = place.segments.iter().rfind(|segment| segment.base_offset < base)?;
    before.lacks_records(&(base..base.saturating_add(1))).then_some(before.base_offset)
}

fn first_base(place: &Place<'_>) -> i64 {
    place.segments.first().map_or(0, |first| first.base_offset)
}

/// Writes a file, for good: below the recovery point nothing will look at its segment again.
fn replace(home: &Home, path: &Path, entries: &[AbortedTxn]) -> io::Result<()> {
    if entries.is_empty() {
        txns::index::write(&*home.disk, path, entries)?;
        return home.disk.sync_dir(&home.dir);
    }
    write_atomically(&*home.disk, path, &txns::index::encode(entries))
}

/// What ended before the newest snapshot may have been replayed without what was open then: a last stable offset never goes back,
/// so it lay no later than the ones behind say.
fn rising(mut entries: Vec<AbortedTxn>) -> Vec<AbortedTxn> {
    let mut stable = i64::MAX;
    for entry in entries.iter_mut().rev() {
        stable = stable.min(entry.last_stable_offset);
        entry.last_stable_offset = stable;
    }
    entries
}

/// What two sources say, of which neither has everything: the file may lack what came last, the log what is damaged. Where
/// both know of a marker the file is right, because it knew all of the transaction.
fn both(file: &[AbortedTxn], log: Vec<AbortedTxn>) -> Vec<AbortedTxn> {
    let mut by_marker: BTreeMap<i64, AbortedTxn> =
        log.into_iter().map(|entry| (entry.last_offset, entry)).collect();
    by_marker.extend(file.iter().map(|entry| (entry.last_offset, *entry)));
    let mut stable = i64::MIN;
    let rising = by_marker.into_values().map(|entry| {
        stable = stable.max(entry.last_stable_offset);
        AbortedTxn { last_stable_offset: stable, ..entry }
    });
    rising.collect()
}

/// Whether the batch at the entry's last offset is a control batch of its producer, or cannot be read any more.
fn may_be_marked(segment: &Segment, entry: &AbortedTxn) -> io::Result<bool> {
    match segment.locate(entry.last_offset, Patience::Endless) {
        Ok(Some(found)) => {
            let header = found.header;
            let is_its = header.is_control()
                && header.base_offset == entry.last_offset
                && header.producer_id == entry.producer_id;
            if is_its || is_whole(segment, &found)? {
                return Ok(is_its);
            }
            segment.learn_damage(found.position, entry.last_offset, &segment.anchors())?;
            Ok(true)
        }
        Ok(None) => Ok(segment.lacks_records(&(entry.last_offset..entry.last_offset.saturating_add(1)))),
        Err(ReadError::Io(error)) => Err(error),
        Err(_) => Ok(true),
    }
}

/// Whether a batch is as it was written.
fn is_whole(segment: &Segment, found: &Found) -> io::Result<bool> {
    let file = segment.file()?;
    let mut walk = BatchWalk::new(&*file, found.position, segment.end().size);
    let whole = matches!(walk.step()?, Some(Step::Batch(batch)) if batch.is_whole());
    Ok(whole)
}
