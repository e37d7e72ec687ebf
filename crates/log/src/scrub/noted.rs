//! Damage over a restart: where it was found is written down, and looked at again when the directory is opened.
//!
//! What counts is what is found there. A note is a place in a segment of a certain length; if a right batch lies there by
//! now, the segment is another, or no batch of that offset is due there, nothing is refused. The scrub, to which such a segment
//! is suspect, has the last word.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pagewire_disk::{DamageCheckpoint, DamageEntry, Disk};

use super::damage::Stretch;
use super::search::Search;
use crate::RecoveryReport;
use crate::dir::LogDir;
use crate::log::Log;
use crate::patience::Patience;
use crate::segment::Segment;

/// The notes of a directory. Whatever keeps them from being read: then the scrub finds the damage again.
pub(crate) fn read(disk: &dyn Disk, dir: &Path) -> DamageCheckpoint {
    DamageCheckpoint::read(disk, dir).unwrap_or_else(|error| {
        tracing::warn!(%error, "it is not known what was found damaged before");
        DamageCheckpoint::default()
    })
}

impl Log {
    /// Looks at the places where it was damaged; what still is comes into the report.
    pub(crate) fn look_at(&self, notes: &DamageCheckpoint, report: &mut RecoveryReport) {
        let mine = |note: &&DamageEntry| note.topic == *self.topic && note.partition == self.partition;
        for note in notes.entries.iter().filter(mine) {
            let segments = self.segments.load();
            let same = |segment: &&Arc<Segment>| {
                segment.base_offset == note.segment && segment.end().size == note.size
            };
            let Some(segment) = segments.iter().find(same) else { continue };
            segment.suspect.store(true, Ordering::Relaxed);
            if let Err(error) = segment.look_at(note) {
                tracing::warn!(file = %segment.path().display(), %error, "not looked at where it was damaged");
            }
            let known = segment.damage.all().into_iter().map(|stretch| stretch.of(segment.path()));
            for damaged in known {
                // A segment without bytes may have been told as a hole.
                let is_told = report.holes.iter().any(|hole| {
                    (&hole.file, hole.from, hole.upto) == (&damaged.file, damaged.from, damaged.upto)
                });
                if !is_told && !report.damage.contains(&damaged) {
                    report.damage.push(damaged);
                }
            }
        }
    }

    /// Stretches that are known to be damaged, and are refused to readers, in rising order.
    pub fn damage(&self) -> Vec<Stretch> {
        self.segments.load().iter().flat_map(|segment| segment.damage.all()).collect()
    }

    fn notes(&self) -> Vec<DamageEntry> {
        let segments = self.segments.load();
        let closed = segments.iter().filter(|segment| segment.is_closed());
        let found = closed
            .flat_map(|segment| segment.damage.all().into_iter().map(|stretch| self.note(segment, stretch)));
        found.collect()
    }

    fn note(&self, segment: &Segment, stretch: Stretch) -> DamageEntry {
        DamageEntry {
            topic: self.topic.to_string(),
            partition: self.partition,
            segment: segment.base_offset,
            size: segment.end().size,
            from: stretch.from,
            to: stretch.to,
            offset: stretch.offset,
        }
    }
}

impl Segment {
    fn look_at(&self, note: &DamageEntry) -> io::Result<()> {
        // A number in it may be another by now, and would have good records refused.
        if !self.is_due(note.from, note.offset) {
            return Ok(());
        }
        let (file, end) = (self.file()?, self.end());
        // What was missing there then is, whatever else may be missing in the segment.
        let lost = Stretch::missing(note.from, note.offset..i64::MAX).filter(|_| note.from == note.to);
        let mut search = Search::from(note.from, note.offset).lacking_as(self).knowing(lost);
        let bytes = note.to - note.from + 1;
        search
            .advance(&*file, end, bytes, &|stretch| self.tell_damage(stretch), Some(&self.anchors()))
            .map(drop)
    }

    /// Whether the batch before `position` ends there, and the next offset is this one.
    fn is_due(&self, position: u64, offset: i64) -> bool {
        if position == 0 {
            return offset == self.base_offset;
        }
        let before = self.locate(offset.saturating_sub(1), Patience::Endless);
        before.is_ok_and(|found| {
            found.is_some_and(|batch| {
                let end = batch.position + batch.header.size_in_bytes();
                (end, batch.header.next_offset()) == (position, offset)
            })
        })
    }
}

impl LogDir {
    /// Writes down where logs are known to be damaged.
    pub(super) fn write_notes(&self) -> io::Result<()> {
        let entries =
            self.logs().iter().flat_map(|log| log.notes()).chain(self.notes_of_unopened()).collect();
        DamageCheckpoint { entries }.write(self.disk.as_ref(), self.path())
    }
}
