//! What the walk over all segments of a log saw: where it ends, and which offsets no batch has.
//!
//! Whether a hole is a loss hangs on what is known: how long the segments are that compaction wrote ([`Rewritten`]), that the
//! log is or was compacted, that its topic is not. Of a log that a broker serves it is looked at once more before anything is said
//! ([`beside`]).

use std::path::Path;

use pagewire_disk::Disk;

use super::beside::{self, Look, Standing};
use super::finding::{Fate, Finding, Onward, Severity};
use super::job::{Job, Kept};
use super::partition::Compaction;
use super::place::Place;
use super::segment::Seen;
use crate::rewritten::Rewritten;
use crate::segment::gaps::Gaps;
use crate::segment::names;

/// Times that the directory of a log which is served is looked at once more. Holes beyond that are not judged.
const LOOKS_MAX: usize = 64;

/// Stretches of offsets that no batch has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Holes {
    /// The first one.
    first: Option<Hole>,
    count: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hole {
    from: i64,
    to: i64,
    /// It is behind the segment of this base offset, and before the next one.
    behind: Option<i64>,
    /// Where good records go on.
    next: Option<i64>,
}

/// What holes in a segment are, or behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Losses.
    Lost,
    /// Losses, or what compaction took.
    Unclear,
    /// The broker was at it.
    Unsettled,
    /// No matter: they are right, or it is said of the segment, or the broker has put another in its place.
    Right,
}

impl Holes {
    /// From the first to the last offset that is missing.
    pub(super) fn note(&mut self, from: i64, to: i64) {
        self.first.get_or_insert(Hole { from, to, behind: None, next: Some(to + 1) });
        self.count += 1;
    }

    fn is_none(&self) -> bool {
        self.count == 0
    }

    /// Between two segments.
    fn between(behind: i64, from: i64, to: i64) -> Self {
        Self { first: Some(Hole { from, to, behind: Some(behind), next: None }), count: 1 }
    }

    /// The walk came to a good batch behind all of them.
    fn go_on(&mut self, offset: i64) {
        if let Some(first) = &mut self.first {
            first.next.get_or_insert(offset);
        }
    }

    fn add(&mut self, other: Self) {
        self.first = self.first.or(other.first);
        self.count += other.count;
    }

    /// In words, with where the first one begins, and what is behind it.
    fn told(&self) -> Option<(i64, Onward, String)> {
        let Hole { from, to, behind, next } = self.first?;
        let file = |base| names::file(base, names::LOG);
        let place = behind.map_or_else(String::new, |behind| {
            format!(" between two segments (there is no {}, or {} was cut)", file(from), file(behind))
        });
        let more = match self.count - 1 {
            0 => String::new(),
            1 => ", and 1 stretch more".to_owned(),
            more => format!(", and {more} stretches more"),
        };
        let onward = next.map_or(Onward::Nowhere, Onward::At);
        Some((from, onward, format!("offsets {from} to {to} are missing{place}{more}")))
    }
}

const UNSETTLED: &str = "the broker that serves the log was changing it meanwhile, so it is not known whether they are lost: check \
                         again, or once it is stopped";

/// See the module.
#[derive(Debug)]
pub(super) struct Walked {
    /// Of the segments that compaction wrote; `None` if nobody knows.
    lengths: Option<Rewritten>,
    compaction: Compaction,
    /// Of a log that is served: how often it may be looked at once more.
    looks_left: usize,
    /// The last segment.
    last: Option<beside::Segment>,
    pub(super) end: i64,
    /// Where the first good batch of all begins.
    pub(super) first_good: Option<i64>,
    /// May be losses.
    unclear: Holes,
    /// Are.
    lost: Holes,
    /// May be what the broker was at.
    unsettled: Holes,
    /// The end of the last segment is damaged.
    damaged: bool,
}

impl Walked {
    pub(super) fn new(lengths: Option<Rewritten>, compaction: Compaction) -> Self {
        let (unclear, lost, unsettled) = (Holes::default(), Holes::default(), Holes::default());
        let (looks_left, last, first_good) = (LOOKS_MAX, None, None);
        Self {
            lengths,
            compaction,
            looks_left,
            last,
            end: 0,
            first_good,
            unclear,
            lost,
            unsettled,
            damaged: false,
        }
    }

    /// Whether the log is or was compacted.
    fn is_compacted(&self) -> bool {
        self.compaction == Compaction::Was
    }

    pub(super) fn add(&mut self, job: &mut Job<'_>, place: &Place<'_>, seen: &Seen, kept: &mut Kept) {
        job.tally.segments += 1;
        job.tally.bytes += seen.bytes;
        job.tally.batches += seen.batches;
        job.tally.records += seen.records;
        let disk = &**job.disk;
        if let Some(last) = self.last.filter(|_| self.end < place.base && !self.damaged) {
            let before = Holes::between(last.base, self.end, place.base - 1);
            let (_, verdict) = self.judge(disk, place, &last, Some(place.base));
            self.note(before, verdict);
        }
        if let Some(first) = seen.first_good {
            self.first_good.get_or_insert(first);
            for holes in [&mut self.unclear, &mut self.lost, &mut self.unsettled] {
                holes.go_on(first);
            }
        }
        let closed = place.next_base.is_some();
        let this = beside::Segment { base: place.base, file: seen.file, size: seen.bytes, closed };
        let (mut gaps, mut verdict) = (self.gaps(&this, place.next_base), Verdict::Right);
        if !seen.holes.is_none() || matches!(gaps, Some(Gaps::NotAtEnd { .. })) || is_empty(place, seen) {
            (gaps, verdict) = self.judge(disk, place, &this, None);
        }
        self.note(seen.holes, verdict);
        if seen.compacted {
            self.compaction = Compaction::Was;
        }
        self.damaged = seen.damaged;
        self.last = Some(this);
        self.end = seen.next_offset.max(place.base);
        self.tell_of(place, seen, (gaps, verdict), kept);
    }

    /// Where a segment may lack offsets; `None` if nobody knows.
    fn gaps(&self, of: &beside::Segment, next: Option<i64>) -> Option<Gaps> {
        self.lengths.as_ref().map(|lengths| lengths.gaps(of.base, of.size, next))
    }

    /// What it is that a segment lacks, or, if one of base offset `next` is to be `behind` it, what lies between the two.
    fn judge(
        &mut self,
        disk: &dyn Disk,
        place: &Place<'_>,
        of: &beside::Segment,
        behind: Option<i64>,
    ) -> (Option<Gaps>, Verdict) {
        let next = behind.or(place.next_base);
        let said = self.gaps(of, next);
        if !place.live || said == Some(Gaps::Anywhere) {
            return (said, verdict_of(said));
        }
        let unsettled = match (said, self.compaction) {
            // Nothing is said of those.
            (None, Compaction::Was) => return (said, Verdict::Right),
            // A doubt either way.
            (None, Compaction::Unknown) => Verdict::Unclear,
            _ => Verdict::Unsettled,
        };
        let Some(left) = self.looks_left.checked_sub(1) else { return (said, unsettled) };
        self.looks_left = left;
        match beside::look(disk, place.dir, of, behind) {
            Standing::Stands(Look { next, lengths }) => {
                self.lengths = lengths;
                let said = self.gaps(of, next);
                (said, verdict_of(said))
            }
            Standing::Changed => (Some(Gaps::Anywhere), Verdict::Right),
            Standing::Unclear => (said, unsettled),
        }
    }

    fn note(&mut self, holes: Holes, verdict: Verdict) {
        match verdict {
            Verdict::Lost => self.lost.add(holes),
            Verdict::Unclear => self.unclear.add(holes),
            Verdict::Unsettled => self.unsettled.add(holes),
            Verdict::Right => {}
        }
    }

    /// What is wrong with the length of a segment.
    fn tell_of(
        &self,
        place: &Place<'_>,
        seen: &Seen,
        (gaps, verdict): (Option<Gaps>, Verdict),
        kept: &mut Kept,
    ) {
        let path = || names::path(place.dir, place.base, names::LOG);
        if let Some(Gaps::NotAtEnd { written }) = gaps.filter(|_| !seen.damaged) {
            let what = if u64::from(written) == seen.bytes {
                "a segment that was behind it when compaction wrote it is gone".to_owned()
            } else {
                format!("{} bytes where it had {written} or more: its end is lost", seen.bytes)
            };
            let severity = if verdict == Verdict::Unsettled { Severity::Doubt } else { Severity::Damage };
            let finding = Finding::new(severity, path(), what, Fate::Refused);
            kept.push(finding.at(seen.bytes).offset(self.end));
        } else if is_empty(place, seen) && gaps != Some(Gaps::Anywhere) {
            // Compaction may have taken all that was in it.
            let severity = if self.is_compacted() { Severity::Note } else { Severity::Doubt };
            kept.push(Finding::new(severity, path(), "empty, though segments follow", Fate::Stays));
        }
    }

    /// Offsets that no batch has.
    pub(super) fn tell_holes(&self, dir: &Path, is_kafkas: bool, kept: &mut Kept) {
        let mut tell = |holes: Holes, severity, why: &str, fate| {
            if let Some((from, onward, what)) = holes.told() {
                let finding = Finding::new(severity, dir, format!("{what}: {why}"), fate);
                kept.push(finding.offset(from).onward(onward));
            }
        };
        tell(self.unsettled, Severity::Doubt, UNSETTLED, Fate::Stays);
        let lost = "compaction took none of them, so they are lost unless files are put back";
        tell(self.lost, Severity::Damage, lost, Fate::Refused);
        match self.compaction {
            Compaction::Was => {}
            Compaction::Never => {
                let why = "the log was never compacted, so they are lost unless files are put back";
                tell(self.unclear, Severity::Damage, why, Fate::Refused);
            }
            Compaction::NotNoted => {
                let why = "Kafka's cleaner has not noted that it ever compacted the log, so they are lost unless files are \
                           put back";
                tell(self.unclear, Severity::Damage, why, Fate::Refused);
            }
            Compaction::Unknown => {
                let why = "right if the topic is or was compacted, else a loss";
                let fate = if is_kafkas { Fate::Imported } else { Fate::Stays };
                tell(self.unclear, Severity::Doubt, why, fate);
            }
        }
    }
}

/// What holes are where a segment may lack offsets like this.
fn verdict_of(gaps: Option<Gaps>) -> Verdict {
    match gaps {
        None => Verdict::Unclear,
        Some(Gaps::None) => Verdict::Lost,
        // Said of the segment.
        Some(Gaps::Anywhere | Gaps::NotAtEnd { .. }) => Verdict::Right,
    }
}

/// Whether nothing is in a segment that is not the last.
fn is_empty(place: &Place<'_>, seen: &Seen) -> bool {
    seen.bytes == 0 && place.next_base.is_some()
}
