//! Finding batches with the help of what is derived from a segment's records.
//!
//! The only way from an offset to a position: the index proposes, the batch header decides. An entry that the header
//! contradicts costs a rebuild of a closed segment's indexes (`rebuild.rs`), or a walk from the start of the active one's
//! file.

use std::io;
use std::sync::atomic::Ordering;

use pagewire_disk::DiskFile;

use crate::errors::ReadError;
use crate::patience::{Patience, busy};
use crate::scan::{Found, ScanError, Scanner, WINDOW_LOOKUP, WINDOW_WALK};
use crate::scrub::Stretch;
use crate::segment::Segment;
use crate::segment::unverified::{PART, POSITIONS};

/// Batches that a reader without patience walks past at most. Between two index entries there are fewer, unless the
/// interval was set high.
const WALKED_MAX: usize = 512;

/// When an index entry is due, in Kafka's way: the first batch after more than the interval.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sparse {
    /// Bytes since the last entry, its batch included.
    pub(crate) since: u64,
}

impl Sparse {
    /// Counts a batch of `size` bytes; whether it gets an entry.
    pub(crate) fn next(&mut self, interval: u32, size: u64) -> bool {
        let due = self.since > u64::from(interval);
        if due {
            self.since = 0;
        }
        self.since += size;
        due
    }

    /// The next batch gets one, whatever came before: it is where the log goes on behind damage, and nothing else may say so
    /// to whoever looks again.
    pub(crate) fn owe(&mut self) {
        self.since = u64::MAX;
    }
}

/// Verifies what begins at a position, where that is due; whether more is known as damaged now.
type Verify<'v> = &'v dyn Fn(u64) -> io::Result<bool>;

/// Where a walk came to.
enum Came {
    To(Option<Found>),
    /// More is known as damaged by now.
    ToNews,
}

/// What came of looking for a batch at a place where it may begin.
enum Guessed<'f> {
    At(Scanner<'f>),
    /// More is known as damaged by now.
    News,
}

impl<'f> Guessed<'f> {
    fn scanner(self) -> Option<Scanner<'f>> {
        match self {
            Self::At(scanner) => Some(scanner),
            Self::News => None,
        }
    }
}

impl Segment {
    /// The first batch whose last offset is at or above `target`; `None` if there is none below the segment's end.
    ///
    /// Without patience the walk is short, too: what takes long, for whatever reason, would hold up others as well.
    pub(crate) fn locate(&self, target: i64, patience: Patience) -> Result<Option<Found>, ReadError> {
        self.find(target, patience, &|_| Ok(false))
    }

    /// The same for whoever hands out bytes: no batch leads to another before it was verified, where that is due. The length
    /// in a damaged header may lead into a record.
    pub(crate) fn locate_verified(
        &self,
        target: i64,
        patience: Patience,
    ) -> Result<Option<Found>, ReadError> {
        self.find(target, patience, &|position| self.verify_once(position, 1, patience))
    }

    fn find(&self, target: i64, patience: Patience, verify: Verify<'_>) -> Result<Option<Found>, ReadError> {
        for _ in 0..=POSITIONS / PART {
            if let Came::To(found) = self.come_to(target, patience, verify)? {
                return Ok(found);
            }
        }
        Err(busy("it is being verified").into())
    }

    /// One walk to a batch.
    fn come_to(&self, target: i64, patience: Patience, verify: Verify<'_>) -> Result<Came, ReadError> {
        let end = self.end();
        if target >= end.next_offset {
            return Ok(Came::To(None));
        }
        // Also of a file that is empty now: what it held is lost, and not to be passed over.
        if let Some(stretch) = self.damage.holding(target) {
            return Err(self.damaged(stretch, target));
        }
        if end.size == 0 {
            return Ok(Came::To(None));
        }
        let file = self.file_with(patience)?;
        let Some(mut scanner) = self.scanner_near(&*file, target, end.size, patience, verify)? else {
            return Ok(Came::ToNews);
        };
        if let Some(before) = self.damage.below(target).filter(|before| scanner.position() < before.end()) {
            scanner = Scanner::new(&*file, before.end(), end.size, before.next_offset, WINDOW_LOOKUP)
                .with(patience);
        }
        // Base offsets are not covered by the CRC; one that is out of place would lead readers astray.
        scanner = scanner.upto(end.next_offset).contiguous_from(self.holes_below());
        let mut walked = 0;
        loop {
            if scanner.position() < end.size && verify(scanner.position())? {
                return Ok(Came::ToNews);
            }
            let found = match scanner.next() {
                Ok(None) => return Ok(Came::To(None)),
                Ok(Some(found)) => found,
                Err(ScanError::Io(error)) => return Err(error.into()),
                Err(ScanError::Bad { position, .. }) if self.unsettled.load(Ordering::Relaxed) => {
                    return Err(ReadError::Corrupt { file: self.path(), position });
                }
                Err(ScanError::Bad { position, .. }) => {
                    patience.or_would_block()?;
                    self.suspected_at(position);
                    let stretch = self.learn_on_the_way(&scanner, position, &self.anchors())?;
                    if target < stretch.next_offset {
                        return Err(self.damaged(stretch, target));
                    }
                    scanner.resume(stretch.end(), stretch.next_offset);
                    continue;
                }
            };
            walked += 1;
            if walked > WALKED_MAX {
                patience.or_would_block()?;
            }
            if found.header.last_offset() >= target {
                return Ok(Came::To(Some(found)));
            }
        }
    }

    /// The offset of a batch that begins at or before `position`, by the index: the nearest that it knows.
    pub(crate) fn offset_near(&self, position: u64) -> io::Result<i64> {
        if !self.index_is_loaded(Patience::Endless)? {
            return Ok(self.base_offset);
        }
        let entry = self.index.floor_position(position, &*self.index_file()?)?;
        Ok(entry.map_or(self.base_offset, |entry| self.base_offset + i64::from(entry.relative)))
    }

    /// An offset above all batches that begin before `position`, by the index: the nearest that it knows.
    pub(crate) fn offset_past(&self, position: u64, patience: Patience) -> io::Result<i64> {
        // Before the index: an entry may come before its batch.
        let end = self.end().next_offset;
        if !self.index_is_loaded(patience)? {
            return Ok(end);
        }
        let file = || self.index_file_with(patience);
        let entry = self.index.ceiling_position(position, patience, file)?;
        let Some(entry) = entry else { return Ok(end) };
        let said = self.base_offset + i64::from(entry.relative);
        let names =
            |found: &Found| found.position == u64::from(entry.position) && found.header.last_offset() == said;
        // One that lies too low would hide an aborted transaction; too high a one costs a few entries that nobody needs.
        match self.locate(said, patience) {
            Ok(Some(found)) if names(&found) => Ok(end.min(said)),
            Err(ReadError::Io(error)) => Err(error),
            _ => Ok(end),
        }
    }

    /// Where the batch that holds `offset` begins, or the damage that does: whoever walks on from there passes it by, or is told.
    /// The segment's size if it ends before.
    pub(crate) fn position_of(&self, offset: i64) -> io::Result<u64> {
        self.begins(self.locate(offset, Patience::Endless))
    }

    /// The same for whoever answers with what lies there.
    pub(crate) fn verified_position_of(&self, offset: i64) -> io::Result<u64> {
        self.begins(self.locate_verified(offset, Patience::Endless))
    }

    fn begins(&self, located: Result<Option<Found>, ReadError>) -> io::Result<u64> {
        match located {
            Ok(found) => Ok(found.map_or(self.end().size, |found| found.position)),
            Err(ReadError::Damaged { position, .. }) => Ok(position),
            Err(error) => Err(error.into()),
        }
    }

    /// A scanner at a batch at or before the one that holds `target`; `None` if more is known as damaged by now.
    fn scanner_near<'f>(
        &self,
        file: &'f dyn DiskFile,
        target: i64,
        size: u64,
        patience: Patience,
        verify: Verify<'_>,
    ) -> io::Result<Option<Scanner<'f>>> {
        let relative = (target - self.base_offset).clamp(0, i64::from(u32::MAX)) as u32;
        let guess = |position: u64| self.scanner_at(file, target, position, size, patience, verify);
        if let Some(position) = self.steps.to(relative)
            && let Some(guessed) = guess(position)?
        {
            return Ok(guessed.scanner());
        }
        // A lie is found once; after the rebuild the second look is at the truth.
        for _ in 0..2 {
            if !self.index_is_loaded(patience)? {
                break;
            }
            let seen = self.rebuilt.load(Ordering::Acquire);
            let near = match self.index.near(relative, patience, || self.index_file_with(patience)) {
                Ok(Some(near)) => near,
                Ok(None) => break,
                Err(error) if is_missing(&error) => {
                    patience.or_would_block()?;
                    self.distrust_index(seen)?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if let Some(position) = near.may_begin(relative)
                && let Some(guessed) = guess(position)?
            {
                return Ok(guessed.scanner());
            }
            let (entry, position) = (near.floor, u64::from(near.floor.position));
            if verify(position)? {
                return Ok(None);
            }
            if self.damage.at(position).is_some() {
                // No lie: what it names went bad. The walk begins behind that.
                break;
            }
            let last_offset = self.base_offset + i64::from(entry.relative);
            let mut probe =
                Scanner::new(file, position, size, self.base_offset, WINDOW_LOOKUP).with(patience);
            match probe.next() {
                Ok(Some(found)) if found.header.last_offset() == last_offset => {
                    probe.rewind(&found);
                    return Ok(Some(probe));
                }
                Err(ScanError::Io(error)) => return Err(error),
                _ => {
                    patience.or_would_block()?;
                    self.distrust_index(seen)?;
                }
            }
        }
        let window = if patience == Patience::None { WINDOW_LOOKUP } else { WINDOW_WALK };
        Ok(Some(Scanner::new(file, 0, size, self.base_offset, window).with(patience)))
    }

    /// A scanner at `position`, if the batch that begins with `target` is there; `None`: it is not, as behind a gap, or it is damaged.
    /// Whoever comes by the index sees which.
    fn scanner_at<'f>(
        &self,
        file: &'f dyn DiskFile,
        target: i64,
        position: u64,
        size: u64,
        patience: Patience,
        verify: Verify<'_>,
    ) -> io::Result<Option<Guessed<'f>>> {
        if position >= size || !self.damage.is_empty() {
            return Ok(None);
        }
        if verify(position)? {
            return Ok(Some(Guessed::News));
        }
        let mut probe = Scanner::new(file, position, size, target, WINDOW_LOOKUP).with(patience);
        match probe.next() {
            Ok(Some(found)) if found.header.base_offset == target => {
                probe.rewind(&found);
                Ok(Some(Guessed::At(probe)))
            }
            Err(ScanError::Io(error)) => Err(error),
            _ => Ok(None),
        }
    }

    /// What was asked for lies in what is known to be damaged, or begins before it.
    pub(crate) fn damaged(&self, stretch: Stretch, asked: i64) -> ReadError {
        let (position, next_offset) = (stretch.begin(), stretch.next_offset);
        let offset = asked.max(stretch.offset);
        ReadError::Damaged { file: self.path(), position, offset, next_offset }
    }
}

/// A file that is not there, or ends too early.
pub(crate) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof)
}
