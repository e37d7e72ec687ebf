//! How long the segments are that compaction wrote, and where the next ones begin: for one that was cut between two
//! batches looks like a shorter one that is whole, and behind one that is whole another may be gone. Holes behind its
//! last batch are right.
//!
//! `pagewire-compacted`, [two numbers for a segment](sectors), is in a partition's directory once a segment of it was
//! compacted, and [written](telling) before the segment counts. A segment that is named has one of the lengths it is named with,
//! or is cut. One that is not named was never compacted: in it no offset is missing. So neither rolls nor retention
//! need write it. A log that begins with us, or that is compacted from now on, gets one that names none: without the
//! file nobody knows.
//!
//! ```text
//!   not named                         batches without a hole, up to where the next segment begins
//!   named, so long                    holes anywhere
//!   named, shorter                    holes between batches; what its end lacks is lost
//!   named, the next begins behind     holes between batches; a segment is lost behind it
//! ```
//!
//! A segment whose end is known to be lost and that is not to be told from one with holes is named as longer than it
//! is.
//!
//! Whoever else writes to the directory (Kafka may, between two starts) compacts without a word here: then the file
//! goes ([`forget`]).

mod sectors;
mod telling;

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use pagewire_disk::{Disk, write_atomically};
pub(crate) use telling::Telling;

use crate::answers::RecoveryReport;
use crate::errors::LogError;
use crate::home::Home;
use crate::lines::{self, Line};
use crate::log::Log;
use crate::scan::{ScanError, Scanner, WINDOW_WALK};
use crate::scrub::Stretch;
use crate::segment::gaps::Gaps;
use crate::segment::{End, Segment};

/// Its name.
pub const FILE: &str = "pagewire-compacted";
/// In the place of the length of one that still grows, and may have holes.
const GROWS: u32 = u32::MAX;
/// In the place of where the next one begins, counted from this one's base: nobody knows, or too far to be told.
const ANYWHERE: u32 = u32::MAX;
/// The same: behind it something was lost that is still missing.
const NOWHERE: u32 = 0;

/// What the file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Rewritten(Vec<Line<2>>);

impl Rewritten {
    /// What is to be said of these segments.
    pub(crate) fn of<'s>(segments: impl Iterator<Item = &'s Segment>) -> Self {
        Self(segments.filter_map(line).collect())
    }

    /// As they lie in the file.
    pub(crate) fn into_lines(self) -> Vec<Line<2>> {
        self.0
    }

    /// The same with one more length of a segment.
    fn or(mut self, segment: &Segment) -> Self {
        self.0.push((segment.base_offset, [length(segment.end().size), next(segment)]));
        self
    }

    /// The same with a segment of which only a beginning is meant.
    pub(crate) fn growing(mut self, segment: &Segment) -> Self {
        if segment.gaps.get() != Gaps::None {
            self.0.push((segment.base_offset, [GROWS, ANYWHERE]));
        }
        self
    }

    /// Where the segment at `base` may lack offsets, which is `size` bytes long and followed by one at `next`.
    pub(crate) fn gaps(&self, base: i64, size: u64, next: Option<i64>) -> Gaps {
        let named = || self.0.iter().filter(|(named, _)| *named == base).map(|(_, numbers)| *numbers);
        match named().map(|[length, _]| length).max() {
            None => Gaps::None,
            Some(longest) if longest == GROWS || u64::from(longest) < size => Gaps::Anywhere,
            Some(longest) => {
                let so_long = named().filter(|[length, _]| u64::from(*length) == size);
                match so_long.map(|[_, next]| next).max() {
                    Some(said)
                        if said != ANYWHERE && next.is_some_and(|next| next > base + i64::from(said)) =>
                    {
                        Gaps::NotAtEnd { written: length(size) }
                    }
                    Some(_) => Gaps::Anywhere,
                    None => Gaps::NotAtEnd { written: longest },
                }
            }
        }
    }

    /// Where the segment ends that is written at `base` in `size` bytes, if that was written down: where the next one begins.
    pub(crate) fn end_of(&self, base: i64, size: u64) -> Option<i64> {
        let so_long =
            self.0.iter().filter(|(named, [length, _])| *named == base && u64::from(*length) == size);
        let next = so_long.map(|(_, [_, next])| *next).max()?;
        (next != ANYWHERE && next != NOWHERE).then(|| base + i64::from(next))
    }

    /// Up to which offset there were segments, as far as it was written down.
    pub(crate) fn reached(&self) -> Option<i64> {
        let end = |(base, [_, next]): &Line<2>| {
            base.saturating_add(if *next == ANYWHERE { 0 } else { i64::from(*next) })
        };
        self.0.iter().map(end).max()
    }

    /// Reads the file in `dir`; `None` without one. `InvalidData`: it says nothing.
    pub(crate) fn read(disk: &dyn Disk, dir: &Path) -> io::Result<Option<Self>> {
        let decode =
            |bytes: &[u8]| if sectors::is_of(bytes) { sectors::decode(bytes) } else { lines::decode(bytes) };
        Ok(lines::read_with(disk, &dir.join(FILE), decode)?.map(Self))
    }

    /// Whether compaction wrote no segment.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The file's bytes. One that names no segment says that compaction wrote none.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        sectors::encode(&self.0, 0)
    }

    #[cfg(test)]
    pub(crate) fn bytes_of_version_1(&self) -> Vec<u8> {
        lines::encode(&self.0)
    }

    /// Writes the file, of so many sectors at least.
    fn write(&self, home: &Home, sectors: usize) -> io::Result<()> {
        write_atomically(&*home.disk, &home.dir.join(FILE), &sectors::encode(&self.0, sectors))
    }
}

/// What is to be said of a segment, if anything is.
fn line(segment: &Segment) -> Option<Line<2>> {
    let numbers = match segment.gaps.get() {
        Gaps::None => return None,
        Gaps::Anywhere if segment.is_closed() => [length(segment.end().size), next(segment)],
        Gaps::Anywhere => [GROWS, ANYWHERE],
        Gaps::NotAtEnd { written } => [written, NOWHERE],
    };
    Some((segment.base_offset, numbers))
}

/// Where the next one begins.
fn next(segment: &Segment) -> u32 {
    u32::try_from(segment.end().next_offset - segment.base_offset).unwrap_or(ANYWHERE)
}

/// Of a file that is shorter than 2^31 bytes.
fn length(size: u64) -> u32 {
    u32::try_from(size).unwrap_or(GROWS)
}

/// Holds the segments of a log that is being opened against what was written down. What is lost is known to readers
/// from then on.
pub(crate) fn hear(
    home: &Home,
    segments: &[Arc<Segment>],
    report: &mut RecoveryReport,
) -> Result<(), LogError> {
    let path = home.dir.join(FILE);
    let said = match Rewritten::read(&*home.disk, &home.dir) {
        Ok(Some(said)) => said,
        Ok(None) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            report.note(format!("{}: {error}", path.display()));
            return Ok(());
        }
        Err(error) => return Err(LogError::at(path)(error)),
    };
    let nexts = segments.iter().skip(1).map(|next| Some(next.base_offset)).chain([None]);
    for (segment, next) in segments.iter().zip(nexts) {
        let gaps = said.gaps(segment.base_offset, segment.end().size, next);
        segment.gaps.set(gaps);
        if matches!(gaps, Gaps::NotAtEnd { .. })
            && let Some(lost) = segment.tell_lost_end().map_err(LogError::at(segment.path()))?
        {
            report.damage.push(lost.of(segment.path()));
        }
    }
    Ok(())
}

/// Says anew of a log that is not open, and of which it is not known what compaction wrote, how long its `closed`
/// segments are, by their base offsets in rising order, and which is the one that is written to. All of them count as
/// compacted: holes in them are right, and one that is shorter was cut.
pub fn write_lengths(
    disk: &dyn Disk,
    dir: &Path,
    closed: impl IntoIterator<Item = (i64, u64)>,
    active: Option<i64>,
) -> io::Result<()> {
    let mut lines: Vec<Line<2>> =
        closed.into_iter().map(|(base, size)| (base, [length(size), ANYWHERE])).collect();
    let nexts: Vec<i64> = lines.iter().skip(1).map(|(base, _)| *base).chain(active).collect();
    for ((base, [_, next]), found) in lines.iter_mut().zip(nexts) {
        *next = u32::try_from(found - *base).unwrap_or(ANYWHERE);
    }
    lines.extend(active.map(|base| (base, [GROWS, ANYWHERE])));
    if lines.is_empty() {
        return lines::remove(disk, &dir.join(FILE));
    }
    write_atomically(disk, &dir.join(FILE), &Rewritten(lines).bytes())
}

/// Writes down what is to be said of the segments of a log that is compacted.
pub(crate) fn tell(home: &Home, segments: &[Arc<Segment>]) -> Result<(), LogError> {
    let said = Rewritten::of(segments.iter().map(|segment| &**segment));
    said.write(home, 0).map_err(LogError::at(home.dir.join(FILE)))
}

/// Writes down which segments of a log that is being opened lost their ends, where their lengths are all that tells it.
pub(crate) fn tell_losses(home: &Home, segments: &[Arc<Segment>]) -> Result<(), LogError> {
    let mut news = false;
    for segment in segments.iter().filter(|segment| segment.may_end_early() && segment.lost_its_end()) {
        segment.gaps.set(Gaps::NotAtEnd { written: length(segment.end().size + 1) });
        news = true;
    }
    if news { tell(home, segments) } else { Ok(()) }
}

/// Lets nothing be said of the log in `dir` any more, for good; whether something was.
pub(crate) fn forget(disk: &dyn Disk, dir: &Path) -> Result<bool, LogError> {
    let file = dir.join(FILE);
    match disk.remove_file(&file) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        removed => {
            removed.map_err(LogError::at(file))?;
            disk.sync_dir(dir).map(|()| true).map_err(LogError::at(dir))
        }
    }
}

impl Segment {
    /// Records are known to be missing behind its last byte.
    fn lost_its_end(&self) -> bool {
        let size = self.end().size;
        self.is_closed() && self.damage.all().iter().any(|stretch| stretch.is_missing_at(size))
    }

    /// The file is shorter than it was: what its end lacks is lost. `None` if that was known, or bytes before are no
    /// batches: whoever reads them finds out.
    fn tell_lost_end(&self) -> io::Result<Option<Stretch>> {
        let (file, End { next_offset, size }) = (self.file()?, self.end());
        let mut offset = self.base_offset;
        let mut scanner = Scanner::new(&*file, 0, size, offset, WINDOW_WALK).around(&self.damage);
        loop {
            match scanner.next() {
                Ok(Some(found)) => offset = found.header.next_offset(),
                Ok(None) => break,
                Err(ScanError::Io(error)) => return Err(error),
                Err(ScanError::Bad { .. }) => {
                    self.suspected();
                    return Ok(None);
                }
            }
        }
        let missing = Stretch::missing(size, offset..next_offset);
        let lost = missing.filter(|_| self.damage.holding(offset).is_none());
        if let Some(lost) = lost {
            self.tell_damage(lost);
        }
        Ok(lost)
    }
}

impl Log {
    /// The log is compacted from now on. Up to here it was not, if that is known, so each hole in it is a loss.
    pub(crate) fn tell_whole(&self) -> Result<(), LogError> {
        if self.home.was_compacted() || self.has_left() {
            return Ok(());
        }
        tell(&self.home, &self.segments.load_full())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_has_a_length_it_is_named_with_or_is_cut() {
        let lines =
            [(0, 300), (7, 1000), (7, 1500), (9, GROWS)].map(|(base, length)| (base, [length, ANYWHERE]));
        let said = Rewritten(lines.to_vec());
        let cases = [
            ((0, 300), Gaps::Anywhere),
            ((0, 299), Gaps::NotAtEnd { written: 300 }),
            ((0, 301), Gaps::Anywhere),
            ((7, 1000), Gaps::Anywhere),
            ((7, 1500), Gaps::Anywhere),
            ((7, 1200), Gaps::NotAtEnd { written: 1500 }),
            ((9, 5), Gaps::Anywhere),
            ((8, 5), Gaps::None),
        ];
        for ((base, size), gaps) in cases {
            assert_eq!(said.gaps(base, size, Some(i64::MAX)), gaps, "{base}: {size}");
        }
    }

    #[test]
    fn behind_a_segment_comes_the_one_it_is_named_with_or_one_before() {
        let said = Rewritten(vec![(10, [300, 5]), (10, [200, 9]), (10, [200, 7]), (40, [100, NOWHERE])]);
        let lost = |written| Gaps::NotAtEnd { written };
        let cases = [
            ((10, 300, Some(15)), Gaps::Anywhere),
            ((10, 300, Some(16)), lost(300)),
            ((10, 200, Some(19)), Gaps::Anywhere),
            ((10, 200, Some(12)), Gaps::Anywhere),
            ((10, 200, Some(20)), lost(200)),
            ((10, 200, None), Gaps::Anywhere),
            ((40, 100, Some(41)), lost(100)),
        ];
        for ((base, size, next), gaps) in cases {
            assert_eq!(said.gaps(base, size, next), gaps, "{base}: {size}, {next:?}");
        }
    }
}
