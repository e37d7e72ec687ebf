//! The batches of a segment, one after the other, for whoever opens a log.
//!
//! What is made of a batch beyond its place was verified first: [`walk_verified`] shows no batch whose checksum was not
//! compared, and none to which one led that was not. As long as nobody but readers is concerned by what it meets, it looks
//! at headers; from the first batch of a producer on, and for what leads to that, it reads everything.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use pagewire_disk::DiskFile;
use pagewire_record::{BatchHeader, NO_PRODUCER_ID};

use crate::answers::RecoveryReport;
use crate::damaged::Damaged;
use crate::errors::{LogError, ReadError};
use crate::patience::Patience;
use crate::scan::{Found, ScanError, Scanner, WINDOW_WALK};
use crate::scrub::Stretch;
use crate::segment::Segment;

/// What a walk comes to.
pub(crate) enum Met<'m> {
    /// A batch, and the file to read it from.
    Batch(&'m dyn DiskFile, &'m Found),
    /// Offsets whose records are damaged or missing.
    Lost(Range<i64>),
}

/// How much of a batch is looked at before it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Its header.
    Headers,
    /// That as well, until one has a producer.
    UntilProducers,
    /// All of it.
    Whole,
}

/// Shows the headers from the batch that holds `offset` on, until told to stop. A bad batch is noted and
/// passed by: it must not keep the rest of the log from being served.
pub(crate) fn walk_headers(
    segment: &Segment,
    offset: i64,
    report: &mut RecoveryReport,
    mut show: impl FnMut(&BatchHeader) -> bool,
) -> Result<(), LogError> {
    let walk = Walk::new(segment, offset, Look::Headers, report);
    walk.run(&mut |met| Ok(if let Met::Batch(_, found) = met { show(&found.header) } else { true })).map(drop)
}

/// The same for those who make something of batches: each of a producer was verified, with all that led to it, and what is
/// lost on the way is shown in its place. What no producer wrote may be shown twice. `all`: so is the rest, because what is
/// known before the walk may change by what is not met. `false`: damage was passed by.
pub(crate) fn walk_verified(
    segment: &Segment,
    offset: i64,
    all: bool,
    report: &mut RecoveryReport,
    mut show: impl FnMut(Met<'_>) -> io::Result<bool>,
) -> Result<bool, LogError> {
    let look = if all { Look::Whole } else { Look::UntilProducers };
    Walk::new(segment, offset, look, report).run(&mut show)
}

type Show<'s> = &'s mut dyn FnMut(Met<'_>) -> io::Result<bool>;

/// How a part of the walk ended.
enum Ended {
    /// At the segment's end, or because it was told to stop.
    There,
    /// There are batches of producers: it begins again, and reads what leads to them.
    AtProducers,
}

struct Walk<'w> {
    segment: &'w Segment,
    report: &'w mut RecoveryReport,
    look: Look,
    /// The first offset of interest.
    offset: i64,
    /// The offset that is due next.
    due: i64,
    /// Nothing was lost so far.
    whole: bool,
    /// What of that is damaged, by where it is. A segment has a bounded number of such places.
    lost: BTreeMap<(u64, i64, i64), Stretch>,
}

impl<'w> Walk<'w> {
    fn new(segment: &'w Segment, offset: i64, look: Look, report: &'w mut RecoveryReport) -> Self {
        let offset = offset.max(segment.base_offset);
        Self { segment, report, look, offset, due: offset, whole: true, lost: BTreeMap::new() }
    }

    fn run(mut self, show: Show<'_>) -> Result<bool, LogError> {
        loop {
            match self.once(show)? {
                Ended::There => break,
                Ended::AtProducers => (self.look, self.due, self.whole) = (Look::Whole, self.offset, true),
            }
        }
        self.tell();
        Ok(self.whole)
    }

    fn once(&mut self, show: Show<'_>) -> Result<Ended, LogError> {
        let segment = self.segment;
        let failed = || LogError::at(segment.path());
        let Some(first) = self.first()? else {
            self.pass_loss(segment.end().next_offset, show).map_err(failed())?;
            return Ok(Ended::There);
        };
        let (file, end) = (segment.file().map_err(failed())?, segment.end());
        let from = |position: u64, offset: i64| {
            let scanner = Scanner::new(&*file, position, end.size, offset, WINDOW_WALK);
            scanner.around(&segment.damage).upto(end.next_offset).contiguous_from(segment.holes_below())
        };
        let mut scanner = from(first.position, first.header.base_offset);
        let anchors = segment.anchors();
        loop {
            let at = scanner.position();
            if self.look == Look::Whole
                && at < end.size
                && segment.verify_once(at, 1, Patience::Endless).map_err(failed())?
            {
                scanner = from(at, scanner.expected());
                continue;
            }
            let found = match scanner.next() {
                Ok(Some(found)) => found,
                Ok(None) => break,
                Err(ScanError::Io(error)) => return Err(failed()(error)),
                Err(ScanError::Bad { position, .. }) => {
                    let stretch = segment.learn_on_the_way(&scanner, position, &anchors).map_err(failed())?;
                    scanner.resume(stretch.end(), stretch.next_offset);
                    continue;
                }
            };
            if self.look == Look::UntilProducers && concerns_producers(&found.header) {
                return Ok(Ended::AtProducers);
            }
            let go_on = self.pass_loss(found.header.base_offset, show).map_err(failed())?
                && show(Met::Batch(&*file, &found)).map_err(failed())?;
            if !go_on {
                return Ok(Ended::There);
            }
            self.due = found.header.next_offset();
        }
        if !segment.may_end_early() || segment.damage.reaches_past(self.due) {
            self.pass_loss(end.next_offset, show).map_err(failed())?;
        }
        Ok(Ended::There)
    }

    /// The batch that holds the first offset of interest, or the first one behind it.
    fn first(&mut self) -> Result<Option<Found>, LogError> {
        let (segment, mut from) = (self.segment, self.offset);
        loop {
            let found = match self.look {
                Look::Whole => segment.locate_verified(from, Patience::Endless),
                _ => segment.locate(from, Patience::Endless),
            };
            match found {
                Ok(found) => return Ok(found),
                Err(ReadError::Damaged { next_offset, .. }) if next_offset > from => from = next_offset,
                Err(ReadError::Io(error)) => return Err(LogError::at(segment.path())(error)),
                Err(bad) => {
                    self.whole = false;
                    self.note(bad.to_string());
                    return Ok(None);
                }
            }
        }
    }

    /// The walk goes on at `offset`: tells what is lost before it, if anything is; whether to go on.
    fn pass_loss(&mut self, offset: i64, show: Show<'_>) -> io::Result<bool> {
        let lost = self.due..offset;
        if lost.is_empty() || !self.segment.lacks_records(&lost) {
            return Ok(true);
        }
        self.whole = false;
        let all = self.segment.damage.all().into_iter();
        let in_it = all.filter(|one| one.offset < lost.end && lost.start < one.next_offset);
        self.lost.extend(in_it.map(|one| ((one.begin(), one.offset, one.next_offset), one)));
        show(Met::Lost(lost))
    }

    /// Notes what was passed by, unless the report has it: place by place, which were told when they were found, or all in one line
    /// where there are many.
    fn tell(&mut self) {
        if self.lost.is_empty() {
            return;
        }
        let path = self.segment.path();
        for told in self.report.damage.iter().filter(|told| told.file == path) {
            self.lost.remove(&(told.position, told.from, told.upto));
        }
        let lost: Vec<Damaged> =
            std::mem::take(&mut self.lost).values().map(|one| one.of(path.clone())).collect();
        let is_sum = Damaged::summed(&lost).next().is_some();
        for what in Damaged::told(&lost) {
            if is_sum || self.report.notes.contains(&what) {
                self.note(what);
            } else {
                self.report.note_told(what);
            }
        }
    }

    fn note(&mut self, what: String) {
        if !self.report.notes.contains(&what) {
            self.report.note(what);
        }
    }
}

/// Whether something is made of a batch at a start. One bit of a producer's id makes no batch of nobody's.
fn concerns_producers(header: &BatchHeader) -> bool {
    header.producer_id != NO_PRODUCER_ID || header.is_control() || header.is_transactional()
}

impl Segment {
    /// Whether records of these offsets, which no good batch has, are lost.
    pub(crate) fn lacks_records(&self, offsets: &Range<i64>) -> bool {
        self.holes_below() == i64::MIN
            || self.damage.all().iter().any(|one| one.offset < offsets.end && offsets.start < one.next_offset)
    }
}
