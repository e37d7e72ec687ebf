//! What the walk over all segments of a log saw: where it ends, and which offsets no batch has.
//!
//! Whether a hole is a loss hangs on what is known: how long the segments are that compaction wrote ([`Rewritten`]), that the
//! log is or was compacted, that its topic is not.

use std::path::Path;

use super::finding::{Fate, Finding, Severity};
use super::job::{Job, Kept};
use super::partition::Compaction;
use super::place::Place;
use super::segment::Seen;
use crate::rewritten::Rewritten;
use crate::segment::gaps::Gaps;
use crate::segment::names;

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
}

impl Holes {
    /// From the first to the last offset that is missing.
    pub(super) fn note(&mut self, from: i64, to: i64) {
        self.first.get_or_insert(Hole { from, to, behind: None });
        self.count += 1;
    }

    /// Between two segments.
    fn between(behind: i64, from: i64, to: i64) -> Self {
        Self { first: Some(Hole { from, to, behind: Some(behind) }), count: 1 }
    }

    fn add(&mut self, other: Self) {
        self.first = self.first.or(other.first);
        self.count += other.count;
    }

    /// In words, with where the first one begins.
    fn told(&self) -> Option<(i64, String)> {
        let Hole { from, to, behind } = self.first?;
        let file = |base| names::file(base, names::LOG);
        let place = behind.map_or_else(String::new, |behind| {
            format!(" between two segments (there is no {}, or {} was cut)", file(from), file(behind))
        });
        let more = match self.count - 1 {
            0 => String::new(),
            1 => ", and 1 stretch more".to_owned(),
            more => format!(", and {more} stretches more"),
        };
        Some((from, format!("offsets {from} to {to} are missing{place}{more}")))
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Walked {
    /// Of the segments that compaction wrote; `None` if nobody knows.
    lengths: Option<Rewritten>,
    compaction: Compaction,
    segments: u64,
    /// Of the last segment.
    base: i64,
    pub(super) end: i64,
    /// May be losses.
    unclear: Holes,
    /// Are.
    lost: Holes,
    /// What the last segment may lack.
    gaps: Option<Gaps>,
    /// The end of the last segment is damaged.
    damaged: bool,
}

impl Walked {
    pub(super) fn new(lengths: Option<Rewritten>, compaction: Compaction) -> Self {
        let (unclear, lost) = (Holes::default(), Holes::default());
        Self { lengths, compaction, segments: 0, base: 0, end: 0, unclear, lost, gaps: None, damaged: false }
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
        if self.segments > 0 && self.end < place.base && !self.damaged {
            let before = Holes::between(self.base, self.end, place.base - 1);
            match self.gaps {
                None => self.unclear.add(before),
                Some(Gaps::None) => self.lost.add(before),
                // Said of the segment.
                Some(Gaps::Anywhere | Gaps::NotAtEnd { .. }) => {}
            }
        }
        self.gaps =
            self.lengths.as_ref().map(|lengths| lengths.gaps(place.base, seen.bytes, place.next_base));
        match self.gaps {
            None => self.unclear.add(seen.holes),
            Some(Gaps::None) => self.lost.add(seen.holes),
            Some(Gaps::Anywhere | Gaps::NotAtEnd { .. }) => {}
        }
        if seen.compacted {
            self.compaction = Compaction::Was;
        }
        self.damaged = seen.damaged;
        self.segments += 1;
        self.base = place.base;
        self.end = seen.next_offset.max(place.base);
        self.tell_of(place, seen, kept);
    }

    /// What is wrong with the length of a segment.
    fn tell_of(&self, place: &Place<'_>, seen: &Seen, kept: &mut Kept) {
        let path = || names::path(place.dir, place.base, names::LOG);
        if let Some(Gaps::NotAtEnd { written }) = self.gaps.filter(|_| !seen.damaged) {
            let what = if u64::from(written) == seen.bytes {
                "a segment that was behind it when compaction wrote it is gone".to_owned()
            } else {
                format!("{} bytes where it had {written} or more: its end is lost", seen.bytes)
            };
            let finding = Finding::new(Severity::Damage, path(), what, Fate::Refused);
            kept.push(finding.at(seen.bytes).offset(self.end));
        } else if seen.bytes == 0 && place.next_base.is_some() && self.gaps != Some(Gaps::Anywhere) {
            // Compaction may have taken all that was in it.
            let severity = if self.is_compacted() { Severity::Note } else { Severity::Doubt };
            kept.push(Finding::new(severity, path(), "empty, though segments follow", Fate::Stays));
        }
    }

    /// Offsets that no batch has.
    pub(super) fn tell_holes(&self, dir: &Path, is_kafkas: bool, kept: &mut Kept) {
        let mut tell = |holes: Holes, severity, why: &str, fate| {
            if let Some((from, what)) = holes.told() {
                kept.push(Finding::new(severity, dir, format!("{what}: {why}"), fate).offset(from));
            }
        };
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
