//! A check on the way of a read, where one is due.
//!
//! What was taken over at the start without being read (it lies below the recovery point) may have gone bad while nobody
//! looked, and the scrub may take days to come to it. Nothing of it is handed out, and no lookup is led by it, before it was
//! verified: part by part, each once, on a thread that may wait, and no more of them than the read is about. The bytes come from the
//! disk either way, and the sending that follows finds them in the page cache.
//!
//! ```text
//!   entry of the index ──▶ [ batch ][ batch ]│[ batch ][ wanted ][ batch ]│[ batch ]
//!   or the last walk's end                   └── the part: to its end ────┘ └ only if it tells of the one before
//! ```
//!
//! How far damage reaches may take long to find out: of a segment one at a time looks for it, and who comes to the same
//! damage waits for that, one at a time, or comes again.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::Ordering;

use pagewire_disk::{DiskFile, Pasted};

use super::damage::Stretch;
use super::evidence::{Anchors, Evidence};
use super::extent::stretch_and_cost;
use super::search::Search;
use super::stretches::Added;
use crate::damaged::{Damaged, TOLD_MAX};
use crate::errors::ReadError;
use crate::files::BatchWalk;
use crate::patience::{Patience, busy, wait_for};
use crate::scan::order::{self, Doubt, First};
use crate::scan::{Found, ScanError, Scanner};
use crate::segment::Segment;
use crate::segment::unverified::{PART, POSITIONS, Place};

/// Entries of the index that are tried before the walk begins at the segment's start.
const ENTRIES_TRIED: usize = 8;

/// Bytes read at once to look at the batch of an entry.
const ENTRY_WINDOW: u64 = 4 << 10;

impl Segment {
    /// Verifies what begins among `len` bytes from `position`, where that is due. What is damaged is known to readers
    /// afterwards; whether that is news.
    pub(crate) fn verify_once(&self, position: u64, len: u64, patience: Patience) -> io::Result<bool> {
        if self.unverified.due(position, len).is_none() {
            return Ok(false);
        }
        patience.or_would_block()?;
        let before = self.damage.shared();
        self.verify_due(position, len, &self.anchors())?;
        Ok(before != self.damage.shared())
    }

    /// The same, if one may wait. `anchors`: what the index says, or said.
    pub(crate) fn verify_due(&self, position: u64, len: u64, anchors: Anchors<'_>) -> io::Result<()> {
        for _ in 0..=POSITIONS / PART {
            let Some(due) = self.unverified.due(position, len) else { return Ok(()) };
            self.verify_parts(due, anchors)?;
        }
        Err(busy("it is being doubted"))
    }

    /// Verifies the batches that begin in the parts from that which has the first of these positions on, up to the last. They are
    /// no longer due then.
    fn verify_parts(&self, due: Range<u64>, anchors: Anchors<'_>) -> io::Result<()> {
        let (file, end) = (self.file()?, self.end());
        let (part, last) = (due.start / PART, due.end.div_ceil(PART).saturating_sub(1));
        let (from, offset) = self.surely_begins_before(&*file, due.start)?;
        let mut search = Search::from(from, offset).until(due.end).lacking_as(self);
        let tell = |lost| self.doubt_if_news(lost);
        let how_far = |from, offsets, found| self.sought(from, offsets, found, anchors);
        search.advance(&*file, end, u64::MAX, &tell, &how_far)?;
        let mut ended = (search.position(), search.expected());
        if search.is_in_doubt() && ended.0 < end.size {
            search = search.until(ended.0 + 1);
            if search.advance(&*file, end, u64::MAX, &tell, &how_far)?.damaged > 0 {
                ended = (search.position(), search.expected());
            }
        }
        let is_all = ended.0 >= end.size;
        let come_to = if is_all { end.size / PART } else { (ended.0 / PART).saturating_sub(1) };
        let first = from.div_ceil(PART).min(part);
        self.unverified.verified(first..=last.max(come_to), (!is_all).then_some(ended));
        Ok(())
    }

    /// Where a batch of the log's own begins, of those before the part that has `position` the nearest that is known.
    fn surely_begins_before(&self, file: &dyn DiskFile, position: u64) -> io::Result<Place> {
        let start = position / PART * PART;
        let ended = self.unverified.ended_before(position);
        let entry = match ended {
            Some((at, _)) if at >= start => None,
            _ => self.entry_before(file, start)?,
        };
        Ok(ended.into_iter().chain(entry).max().unwrap_or((0, self.base_offset)))
    }

    /// The batch of the nearest entry of the index before `position` that agrees with the bytes.
    fn entry_before(&self, file: &dyn DiskFile, position: u64) -> io::Result<Option<Place>> {
        if !self.index.is_loaded() {
            return Ok(None);
        }
        // One that cannot be read says nothing.
        let entry_at = |at| self.index.floor_position(at, &*self.index_file().ok()?).ok()?;
        let mut walk = BatchWalk::new(file, 0, self.end().size).reading(ENTRY_WINDOW);
        let mut before = position.checked_sub(1);
        for _ in 0..ENTRIES_TRIED {
            let Some(at) = before else { break };
            let Some(entry) = entry_at(at) else { break };
            let (at, last_offset) = (u64::from(entry.position), self.base_offset + i64::from(entry.relative));
            if let Some(header) = walk.whole_at(at)?.filter(|header| header.last_offset() == last_offset) {
                return Ok(Some((at, header.base_offset)));
            }
            before = at.checked_sub(1);
        }
        Ok(None)
    }

    /// How far damage from `from` on reaches, which readers know of from here on. See [`HowFar`](super::search::HowFar).
    pub(super) fn sought(
        &self,
        from: u64,
        offsets: Range<i64>,
        found: usize,
        anchors: Anchors<'_>,
    ) -> io::Result<Stretch> {
        let Some(_searching) = wait_for(&self.searching) else {
            return Err(busy("it is being looked for where damage ends"));
        };
        if let Some(known) = self.damage.at(from) {
            return Ok(known);
        }
        // However many parts it is found in, of one segment so much is read far ahead and no more.
        let found = found.max(self.damage.len());
        let (file, size) = (self.file()?, self.end().size);
        let (stretch, _) = stretch_and_cost(&*file, from, size, offsets, Evidence::of(anchors, found))?;
        self.doubt_if_news(stretch);
        Ok(stretch)
    }

    /// The same of somebody who believes nothing that is known; how many bytes were read for it, and whether it was news.
    pub(super) fn sought_anew(
        &self,
        from: u64,
        offsets: Range<i64>,
        found: usize,
        anchors: Anchors<'_>,
    ) -> io::Result<(Stretch, u64, bool)> {
        let _searching = self.searching.lock();
        let (file, size) = (self.file()?, self.end().size);
        let (stretch, cost) = stretch_and_cost(&*file, from, size, offsets, Evidence::of(anchors, found))?;
        let news = self.tell_damage(stretch);
        Ok((stretch, cost, news))
    }

    /// A reader found it, and where it is the scrub finds more.
    fn doubt_if_news(&self, stretch: Stretch) {
        if self.tell_damage(stretch) {
            self.suspect.store(true, Ordering::Release);
        }
    }

    /// A walk over headers came to something at `position` that is no batch, or goes back. If the batch before is not whole, its
    /// length may have led there; if it left offsets out, its base offset may be the [lie](order).
    pub(crate) fn learn_on_the_way(
        &self,
        scanner: &Scanner<'_>,
        position: u64,
        anchors: Anchors<'_>,
    ) -> io::Result<Stretch> {
        if let Some(known) = self.damage.at(position) {
            return Ok(known);
        }
        // The walk may have been led astray long before: what one from a sure place finds comes first.
        self.verify_due(position, 1, anchors)?;
        if let Some(known) = self.damage.at(position) {
            return Ok(known);
        }
        let Some((before, due)) = scanner.last() else {
            return self.learn_damage(position, scanner.expected(), anchors);
        };
        let (file, end) = (self.file()?, self.end());
        let doubt = match BatchWalk::new(&*file, before, end.size).whole_at(before)? {
            None => Doubt::at(before),
            Some(last) if last.base_offset == due => Doubt::at(position),
            Some(header) => {
                let first = First { position: before, header, due };
                order::doubt(&*file, &first, position, end.size, Some(end.next_offset))?
            }
        };
        let expected = if doubt.from == before { due } else { scanner.expected() };
        let learned = self.learn_damage(doubt.from, expected, anchors)?;
        if doubt.either != Some(learned.end()) {
            return Ok(learned);
        }
        self.learn_damage(position, learned.next_offset, anchors)
    }

    /// The next good batch of a walk over headers, which believes none that is not verified where that is due. What is damaged is
    /// learned, and passed by.
    pub(crate) fn next_readable(
        &self,
        scanner: &mut Scanner<'_>,
        anchors: Anchors<'_>,
    ) -> Result<Option<Found>, ReadError> {
        loop {
            self.verify_next(scanner, anchors)?;
            let position = match scanner.next() {
                Ok(found) => return Ok(found),
                Err(ScanError::Io(error)) => return Err(error.into()),
                Err(ScanError::Bad { position, .. }) => position,
            };
            if self.unsettled.load(Ordering::Relaxed) {
                return Err(ReadError::Corrupt { file: self.path(), position });
            }
            self.suspected_at(position);
            let stretch = self.learn_on_the_way(scanner, position, anchors)?;
            scanner.resume(stretch.end(), stretch.next_offset);
        }
    }

    /// Verifies the batch that comes next, where that is due: an unverified length leads nowhere.
    fn verify_next(&self, scanner: &mut Scanner<'_>, anchors: Anchors<'_>) -> io::Result<()> {
        for _ in 0..=POSITIONS / PART {
            let next = scanner.comes_to();
            if next >= scanner.end() || self.unverified.due(next, 1).is_none() {
                return Ok(());
            }
            self.verify_due(next, 1, anchors)?;
            scanner.pass_around(&self.damage);
        }
        Err(busy("it is being verified"))
    }

    /// What begins at `from` is not what belongs there: readers know from here on how far that reaches. `anchors`: what the index
    /// says, or said.
    pub(crate) fn learn_damage(&self, from: u64, expected: i64, anchors: Anchors<'_>) -> io::Result<Stretch> {
        self.sought(from, expected..self.end().next_offset, self.damage.len(), anchors)
    }

    /// Damage was found: known to readers from here on, and said once as long as there is little of it. Whether it was news.
    pub(crate) fn tell_damage(&self, stretch: Stretch) -> bool {
        let (added, known) = self.damage.add(stretch);
        if added == Added::Known || self.home.is_rehearsed() {
            return false;
        }
        let Stretch { offset, next_offset, .. } = stretch;
        self.damage_told.store(true, Ordering::Release);
        if known <= TOLD_MAX {
            let file = self.path();
            tracing::error!(
                file = %file.display(),
                position = stretch.begin(),
                bytes = stretch.bytes(),
                offset,
                next_offset,
                "records are damaged: reads of these offsets are refused, those around them are served. {}",
                what_to_do(&file)
            );
        } else if known == TOLD_MAX + 1 && added == Added::New {
            tracing::error!(
                file = %self.path().display(),
                offset,
                "more of it is damaged: from here on its places are counted and not said one by one"
            );
        }
        true
    }

    /// All of the segment was looked at, and so much was damaged that it was not said one by one.
    pub(super) fn sum_damage_up(&self) {
        let damage: Vec<Damaged> =
            self.damage.all().into_iter().map(|stretch| stretch.of(self.path())).collect();
        if damage.len() > TOLD_MAX {
            Damaged::told(&damage).for_each(|told| tracing::error!("{told}: reads of those are refused"));
        }
    }
}

/// For whoever reads the log at night.
pub(super) fn what_to_do(file: &Path) -> String {
    let dir = Pasted(file.parent().unwrap_or(file));
    format!(
        "Look at the disk; `pagewire log check {dir}` names every place, and a backup that was made before may have them"
    )
}
