//! Damage over a restart: where it was found is written down, and looked at again when the directory is opened.
//!
//! What counts is what is found there. A note is a place in a segment that had a certain length, the active one included; if a right
//! batch lies there by now, the segment is another or shorter, or no batch of that offset is due there, nothing is refused. The scrub, to which such a segment
//! is suspect, has the last word.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pagewire_disk::{CheckpointError, DamageCheckpoint, DamageEntry, Disk};

use super::damage::Stretch;
use super::search::Search;
use super::stretches::STRETCHES_MAX;
use crate::dir::LogDir;
use crate::log::Log;
use crate::patience::Patience;
use crate::segment::Segment;
use crate::{Damaged, Hole, RecoveryReport};

/// The notes of a directory, by log and segment.
#[derive(Debug, Default)]
pub(crate) struct Noted(Vec<DamageEntry>);

/// What is told where the notes are useless: they are written anew.
type Useless = Option<CheckpointError>;

impl Noted {
    /// Whatever keeps them from being read: then the scrub finds the damage again. With why they are useless, if they are.
    pub(crate) fn read(disk: &dyn Disk, dir: &Path) -> (Self, Useless) {
        match DamageCheckpoint::read(disk, dir) {
            Ok(read) => (Self::of(read.entries), None),
            Err(error) if error.is_damage() => (Self::default(), Some(error)),
            Err(error) => {
                tracing::warn!(%error, "it is not known what was found damaged before");
                (Self::default(), None)
            }
        }
    }

    pub(crate) fn of(mut notes: Vec<DamageEntry>) -> Self {
        notes.sort_unstable_by(|one, other| place(one).cmp(&place(other)));
        Self(notes)
    }

    /// The same of some logs alone.
    pub(crate) fn only(mut self, is_one: impl Fn(&str, i32) -> bool) -> Self {
        self.0.retain(|note| is_one(&note.topic, note.partition));
        self.0.shrink_to_fit();
        self
    }

    /// In the order of their places.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &DamageEntry> {
        self.0.iter()
    }

    /// Those of one log.
    pub(crate) fn about(&self, topic: &str, partition: i32) -> &[DamageEntry] {
        let log = |note: &DamageEntry| (note.topic.as_str(), note.partition).cmp(&(topic, partition));
        let from = self.0.partition_point(|note| log(note).is_lt());
        let to = self.0.partition_point(|note| log(note).is_le());
        self.0.get(from..to).unwrap_or_default()
    }
}

fn place(note: &DamageEntry) -> (&str, i32, i64, u64) {
    (&note.topic, note.partition, note.segment, note.from)
}

/// Looks at the places where segments of a log were damaged. What still is is known from then on.
pub(crate) fn look_at(segments: &[Arc<Segment>], notes: &[DamageEntry]) {
    by_segment(segments, notes).for_each(|(segment, notes)| segment.look_at_all(notes));
}

/// What is known of segments with notes comes into the report.
pub(crate) fn tell(segments: &[Arc<Segment>], notes: &[DamageEntry], report: &mut RecoveryReport) {
    by_segment(segments, notes).for_each(|(segment, _)| segment.tell_known(report));
}

/// Segments with notes that may be about them.
fn by_segment<'n>(
    segments: &'n [Arc<Segment>],
    notes: &'n [DamageEntry],
) -> impl Iterator<Item = (&'n Arc<Segment>, &'n [DamageEntry])> {
    let of_one = notes.chunk_by(|one, next| one.segment == next.segment);
    of_one.filter_map(|notes| {
        let base = notes.first()?.segment;
        let at = segments.binary_search_by_key(&base, |segment| segment.base_offset).ok()?;
        let segment = segments.get(at)?;
        notes.iter().any(|note| segment.may_be_meant(note)).then_some((segment, notes))
    })
}

impl Log {
    /// Stretches that are known to be damaged, and are refused to readers, in rising order.
    pub fn damage(&self) -> Vec<Stretch> {
        self.segments.load().iter().flat_map(|segment| segment.damage.all()).collect()
    }

    pub(crate) fn notes(&self) -> Vec<DamageEntry> {
        let segments = self.segments.load();
        let found = segments
            .iter()
            .flat_map(|segment| segment.damage.all().into_iter().map(|stretch| self.note(segment, stretch)));
        found.collect()
    }

    fn note(&self, segment: &Segment, stretch: Stretch) -> DamageEntry {
        DamageEntry {
            topic: self.topic.to_string(),
            partition: self.partition,
            segment: segment.base_offset,
            size: segment.end().size,
            from: stretch.begin(),
            to: stretch.end(),
            offset: stretch.offset,
        }
    }
}

impl Segment {
    /// Looks at places of it, at no more than are kept apart: the scrub looks at all.
    fn look_at_all(&self, notes: &[DamageEntry]) {
        self.suspect.store(true, Ordering::Relaxed);
        let same = notes.iter().filter(|note| self.may_be_meant(note)).take(STRETCHES_MAX);
        let failed = same.filter_map(|note| self.look_at(note).err()).reduce(|first, _| first);
        if let Some(error) = failed {
            tracing::warn!(file = %self.path().display(), %error, "not looked at everywhere where it was damaged");
        }
    }

    /// All that is known of it takes the place of what was told.
    fn tell_known(&self, report: &mut RecoveryReport) {
        let (path, size) = (self.path(), self.end().size);
        let told_before = report.damage.len();
        report.damage.retain(|damaged| damaged.file != path);
        let was_told = report.damage.len() < told_before;
        let is_a_hole = |damaged: &Damaged| {
            let told =
                |hole: &Hole| (&hole.file, hole.from, hole.upto) == (&path, damaged.from, damaged.upto);
            // One that is counted and not named is a whole segment of which nothing else was told.
            let all = (self.base_offset, self.end().next_offset);
            let is_counted = report.holes.left_out() > 0 && !was_told && size == 0;
            let is_told = report.holes.iter().any(told) || is_counted && (damaged.from, damaged.upto) == all;
            damaged.bytes == 0 && is_told
        };
        let known = self.damage.all().into_iter().map(|stretch| stretch.of(path.clone()));
        report.damage.extend(known.filter(|damaged| !is_a_hole(damaged)));
    }

    /// Whether a note is about this file: it is as long as it was, or has grown since. Where only records are missing no bytes tell
    /// that it is the same one.
    fn may_be_meant(&self, note: &DamageEntry) -> bool {
        let size = self.end().size;
        note.size == size || note.size < size && note.from < note.to
    }

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
        let tell = |stretch| {
            self.tell_damage(stretch);
        };
        let anchors = self.anchors();
        let how_far = |from, offsets, found| self.sought(from, offsets, found, &anchors);
        search.advance(&*file, end, bytes, &tell, &how_far).map(drop)
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
        let entries = self.logs().iter().flat_map(|log| log.notes()).chain(self.notes_of_awaited()).collect();
        DamageCheckpoint { entries }.write(self.disk.as_ref(), self.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(topic: &str, partition: i32, from: u64) -> DamageEntry {
        DamageEntry { topic: topic.into(), partition, segment: 0, size: 100, from, to: from + 1, offset: 0 }
    }

    #[test]
    fn a_log_hears_its_own_notes_in_the_order_of_their_places() {
        let notes = [("b", 0, 7), ("a", 10, 1), ("a", 1, 9), ("a", 1, 3), ("ab", 1, 2)];
        let noted = Noted::of(notes.map(|(topic, partition, from)| note(topic, partition, from)).into());
        let about = |topic, partition| noted.about(topic, partition).iter().map(|note| note.from).collect();
        assert_eq!((about("a", 1), about("a", 10), about("b", 0)), (vec![3, 9], vec![1], vec![7]));
        assert_eq!((about("a", 0), about("c", 0)), (vec![], vec![]));
        let fewer = noted.only(|topic, _| topic == "a");
        assert_eq!(fewer.iter().map(|note| note.from).collect::<Vec<_>>(), [3, 9, 1]);
    }
}
