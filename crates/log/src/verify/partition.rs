//! One partition's directory: what lies in it, its small files, and its segments in their order.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use pagewire_disk::OpenMode;

use super::beginning;
use super::beside;
use super::contents::{contents as list, metadata, name_others};
use super::epochs::EpochsCheck;
use super::finding::{Fate, Finding, Onward, Severity};
use super::forecast::Forecast;
use super::held::Held;
use super::holes::Walked;
use super::job::{Job, Kept};
use super::missed::{is_missed, is_same_topic};
use super::place::{Files, Place};
use super::producers::ProducersCheck;
use super::segment::{self, Along, Seen};
use crate::dir::Suspicion;
use crate::files::{BatchWalk, Step};
use crate::home::Vouched;
use crate::open::orphans::Orphan;
use crate::open::witnesses::{Checkpointed, Heard, Word};
use crate::rewritten::Rewritten;
use crate::scrub::Noted;
use crate::segment::names;

/// Times that a segment is read again because its files were replaced meanwhile.
const READS_MAX: usize = 3;

/// Whether a log may lack offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Compaction {
    /// It is compacted, or was.
    Was,
    /// Its topic is not, and nobody has heard that it ever was.
    Never,
    /// Nothing says what its topic is, and Kafka's cleaner has not noted that it ever came to it.
    NotNoted,
    /// Nothing says what its topic is.
    #[default]
    Unknown,
}

/// What a log directory knows of one partition.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub(super) recovery_point: Option<i64>,
    pub(super) log_start: Option<i64>,
    pub(super) high_watermark: Option<i64>,
    /// Up to where it was synced is known, be it 0.
    pub(super) has_recovery_point: bool,
    /// A checksum says that it is what was written.
    pub(super) recovery_is_certain: bool,
    /// The same of its high watermark.
    pub(super) watermark_is_certain: bool,
    /// The directory was left in order.
    pub(super) clean: bool,
    /// A broker is serving it.
    pub(super) live: bool,
    /// The cleaner says so: it was compacted.
    pub(super) cleaned: bool,
    /// Holes between offsets are right, or not.
    pub(super) compaction: Compaction,
    /// From here on they are not, compacted or not.
    pub(super) whole_from: Option<i64>,
    /// Somebody else may have compacted it since it was written down how long its segments are.
    pub(super) others_wrote: Option<Suspicion>,
    /// Sums of what no other file shows to be right, as an orderly stop left them.
    pub(super) vouched: Option<Vouched>,
    /// Where it starts is what was written, as far as anybody can say it.
    pub(super) certain_start: bool,
    /// Its leader epochs begin where it does, for nobody was stopped between writing the two.
    pub(super) certain_beginning: bool,
    /// Where it starts was written down, and is lost.
    pub(super) start_is_lost: bool,
    /// Where logs of its directory were found damaged before: a start looks there again.
    pub(super) noted: Arc<Noted>,
}

impl Known {
    fn checkpointed(&self) -> Checkpointed {
        let recovery_point = self.recovery_point.filter(|_| self.has_recovery_point);
        // Asked of what is gone, of which what is not sure counts as well.
        let word = |upto| Word::new(upto, false);
        Checkpointed {
            recovery_point: recovery_point.map(word),
            high_watermark: self.high_watermark.map(word),
            epochs: None,
        }
    }

    /// Whether the next start reads a segment that is followed by one at `next`.
    fn is_read_again(&self, next: Option<i64>) -> bool {
        next.is_none_or(|next| !self.clean && self.recovery_point.is_none_or(|point| next >= point))
    }
}

/// Checks the directory; where its log ends, unless there is none, or the broker that serves it has taken its last segment away
/// meanwhile.
pub(super) fn verify(job: &mut Job<'_>, dir: &Path, known: &Known) -> io::Result<Option<i64>> {
    let mut contents = list(job, dir)?;
    if known.live && contents.bases.is_empty() {
        // The last segment may have gone, and the next come, within one listing.
        contents = list(job, dir)?;
    }
    job.tally.logs += 1;
    let mut kept = Kept::default();
    let disk = Arc::clone(job.disk);
    let given_out = |gone: &[Orphan]| {
        Heard::of((&*disk, dir), known.checkpointed(), &contents.snapshots, gone).given_out_of_gone()
    };
    let passes = |base| known.live && !is_missed(job, dir, Some(base));
    name_others(&*disk, dir, &contents, (&|| given_out(&[]), &passes), &mut kept);
    metadata(job, dir, &mut kept);
    let mut epochs = EpochsCheck::read(&**job.disk, dir, known.live, &mut kept);
    let mut producers = ProducersCheck::read(&**job.disk, dir, &contents.snapshots, known.live, &mut kept);
    let mut walked = Walked::new(lengths(job, dir, known, &mut kept), known.compaction);
    let (mut held, mut is_whole_walk) = (Held::new(dir, known), true);
    for (at, &base) in contents.bases.iter().enumerate() {
        let next_base = contents.bases.get(at + 1).copied();
        let place = Place { dir, base, next_base, live: known.live };
        let along = Along { epochs: &mut epochs, producers: &mut producers };
        let walk = one(job, &place, along)?;
        is_whole_walk = walk.is_some();
        if let Some((seen, of_it)) = walk {
            if let Some(first) = seen.first_good {
                kept.go_on(Onward::At(first));
            }
            held.add(job, (base, &seen), known.is_read_again(next_base), of_it);
            walked.add(job, &place, &seen, &mut kept);
        }
    }
    kept.go_on(Onward::Nowhere);
    let begins = |first: i64| !known.live || beside::still_begins(&**job.disk, dir, first);
    if let Some(first) = contents.bases.first().filter(|first| begins(**first)) {
        let found = (*first, walked.first_good);
        let missed = || known.live && is_same_topic(job, dir);
        beginning::compare(dir, found, epochs.first_offset(), (known, &missed, job.is_kafkas), &mut kept);
    }
    let Some(&first) = contents.bases.first() else {
        held.end(job, &mut kept);
        let given_out = given_out(&contents.orphans(&*disk, dir));
        let missed = known.live && is_missed(job, dir, None);
        beginning::none_left(dir, (known, missed), given_out, job.is_kafkas, &mut kept);
        kept.tell(job);
        return Ok(None);
    };
    let log_end = walked.end;
    walked.tell_holes(dir, job.is_kafkas, &mut kept);
    epochs.end(first, log_end, &mut kept);
    producers.tell_open(dir, known.live, &mut kept);
    producers.end(log_end, known.recovery_point, known.live, &mut kept);
    // What is said of a file by now is not said once more as what the next start will do to it.
    held.end(job, &mut kept);
    kept.tell(job);
    Ok(Some(log_end).filter(|_| is_whole_walk))
}

/// How long the segments are that compaction wrote, as a start would believe it. While a broker serves the directory it may be
/// of another moment than the segments: whoever misses something by it looks again.
fn lengths(job: &Job<'_>, dir: &Path, known: &Known, kept: &mut Kept) -> Option<Rewritten> {
    if let Some(why) = &known.others_wrote {
        let path = dir.join(crate::rewritten::FILE);
        if job.disk.exists(&path).unwrap_or(false) {
            let what = format!("{why}, so losses are not told from what compaction took");
            kept.push(Finding::new(Severity::Note, path, what, Fate::Removed));
        }
        return None;
    }
    match Rewritten::read(&**job.disk, dir) {
        Ok(read) => read,
        Err(error) => {
            let path = dir.join(crate::rewritten::FILE);
            kept.push(Finding::new(Severity::Damage, path, error.to_string(), Fate::Renewed));
            None
        }
    }
}

/// Checks one segment by itself.
pub(super) fn verify_segment(job: &mut Job<'_>, dir: &Path, base: i64, known: &Known) -> io::Result<()> {
    let contents = list(job, dir)?;
    let next_base = contents.bases.iter().copied().find(|other| *other > base);
    let place = Place { dir, base, next_base, live: known.live };
    let (mut epochs, mut producers) = (EpochsCheck::default(), ProducersCheck::default());
    let along = Along { epochs: &mut epochs, producers: &mut producers };
    let mut kept = Kept::default();
    if let Some((seen, mut of_it)) = one(job, &place, along)? {
        let forecast = Forecast::of(job.disk, dir, known, HashMap::from([(base, seen.whole_to)]), &mut kept)
            .of_kafkas(job.is_kafkas);
        let onward = behind(job, &place);
        if let Some(onward) = onward {
            of_it.go_on(onward);
        }
        of_it.resolve(&forecast);
        of_it.tell(job);
        let mut walked = Walked::new(lengths(job, dir, known, &mut kept), known.compaction);
        walked.add(job, &place, &seen, &mut kept);
        if let Some(onward) = onward {
            kept.go_on(onward);
        }
    }
    kept.tell(job);
    Ok(())
}

/// What follows a segment that is looked at by itself: the first batch of the next one, if that is good.
fn behind(job: &Job<'_>, place: &Place<'_>) -> Option<Onward> {
    let Some(base) = place.next_base else { return Some(Onward::Nowhere) };
    let file = job.disk.open(&names::path(place.dir, base, names::LOG), OpenMode::Read).ok()?;
    match BatchWalk::new(&*file, 0, file.len().ok()?).step().ok()? {
        Some(Step::Batch(batch)) if batch.is_whole() && batch.header.base_offset >= base => {
            Some(Onward::At(batch.header.base_offset))
        }
        _ => None,
    }
}

/// Reads one segment, again if compaction replaced it meanwhile; `None` if it went away. With what is to be said of it, once it
/// is known what becomes of it.
fn one(job: &mut Job<'_>, place: &Place<'_>, mut along: Along<'_>) -> io::Result<Option<(Seen, Kept)>> {
    let (path, mut place) = (names::path(place.dir, place.base, names::LOG), *place);
    for attempt in 1.. {
        let mut kept = Kept::default();
        let mut told = 0;
        let outcome = Files::open(&**job.disk, &place).and_then(|files| {
            let options = job.options;
            let mut read = |bytes| {
                told += bytes;
                job.read(&path, bytes);
            };
            segment::verify(&place, &files, options, &mut along, &mut kept, &mut read)
                .map(|seen| (files, seen))
        });
        match outcome {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return if place.live { Ok(None) } else { Err(error) };
            }
            Err(error) => {
                let what = format!("it cannot be read: {error}");
                kept.push(Finding::new(Severity::Damage, &path, what, Fate::Refused).at(told));
                let seen = Seen { damaged: true, next_offset: place.base, ..Seen::default() };
                return Ok(Some((seen, kept)));
            }
            Ok((files, seen)) => {
                let looks_again = place.live && !kept.is_empty();
                let is_replaced = looks_again && is_replaced(job, &files, &mut place);
                if is_replaced && attempt < READS_MAX {
                    continue;
                }
                // What is wrong with files that are of no one moment says nothing.
                return Ok(Some((seen, if is_replaced { Kept::default() } else { kept })));
            }
        }
    }
    Ok(None)
}

/// Whether one of a segment's files is another by now, or another segment follows it, which `place` has then.
fn is_replaced(job: &Job<'_>, files: &Files, place: &mut Place<'_>) -> bool {
    let Ok(contents) = list(job, place.dir) else { return true };
    let next_base = contents.bases.into_iter().find(|other| *other > place.base);
    // One that follows where none did changes nothing for what was there.
    let has_another = place.next_base.is_some() && next_base != place.next_base;
    place.next_base = next_base.or(place.next_base);
    has_another || files.are_replaced(&**job.disk, place)
}
