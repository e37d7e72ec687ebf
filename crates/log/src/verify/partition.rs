//! One partition's directory: what lies in it, its small files, and its segments in their order.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use pagewire_disk::checkpoint::{EPOCH_CHECKPOINT_FILE, PARTITION_METADATA_FILE};
use pagewire_disk::{DiskFile, OpenMode, PartitionMetadata};

use super::epochs::EpochsCheck;
use super::finding::{Fate, Finding, Severity};
use super::forecast::Forecast;
use super::job::{Job, Kept};
use super::place::{Files, Place};
use super::producers::ProducersCheck;
use super::segment::{self, Along, Seen};
use crate::files::FileKind;
use crate::home::Vouched;
use crate::names;
use crate::txn_witness;

/// Times that a segment is read again because its files were replaced meanwhile.
const READS_MAX: usize = 3;

/// What a log directory knows of one partition.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known {
    pub(super) recovery_point: Option<i64>,
    pub(super) log_start: Option<i64>,
    pub(super) high_watermark: Option<i64>,
    /// Up to where it was synced is known, be it 0.
    pub(super) recovery_is_certain: bool,
    /// The directory was left in order.
    pub(super) clean: bool,
    /// A broker is serving it.
    pub(super) live: bool,
    /// The cleaner says so: it was compacted.
    pub(super) cleaned: bool,
    /// Holes between offsets are right.
    pub(super) compacted: bool,
    /// From here on they are not, compacted or not.
    pub(super) whole_from: Option<i64>,
    /// Sums of what no other file shows to be right, as an orderly stop left them.
    pub(super) vouched: Option<Vouched>,
    /// Where it starts is what was written, as far as anybody can say it.
    pub(super) certain_start: bool,
}

/// What lies in the directory.
#[derive(Debug, Default)]
struct Contents {
    bases: Vec<i64>,
    snapshots: Vec<i64>,
    indexes: Vec<(FileKind, i64)>,
    others: Vec<String>,
}

/// Checks the directory; where its log ends, unless there is none.
pub(super) fn verify(job: &mut Job<'_>, dir: &Path, known: Known) -> io::Result<Option<i64>> {
    let contents = contents(job, dir)?;
    job.tally.logs += 1;
    let mut kept = Kept::default();
    name_others(dir, &contents, &mut kept);
    metadata(job, dir, &mut kept);
    let mut epochs = EpochsCheck::read(&**job.disk, dir, known.live, &mut kept);
    let mut producers = ProducersCheck::read(&**job.disk, dir, &contents.snapshots, &mut kept);
    let forecast = Forecast::of(job.disk, dir, &known, &mut kept);
    let mut told = HashSet::new();
    let mut walked = Walked { compacted: known.compacted, ..Walked::default() };
    for (at, &base) in contents.bases.iter().enumerate() {
        let next_base = contents.bases.get(at + 1).copied();
        let place = Place { dir, base, next_base, live: known.live, forecast: &forecast };
        let along = Along { epochs: &mut epochs, producers: &mut producers };
        if let Some(seen) = one(job, &place, along, &mut told)? {
            walked.add(job, &place, &seen, &mut kept);
        }
    }
    let told = |file: &Path| told.contains(file);
    let mut rest = Kept::default();
    forecast.tell_the_rest(&|file| told(file) || kept.names(file), known.clean, &mut rest);
    rest.tell(job);
    let Some(&first) = contents.bases.first() else {
        kept.tell(job);
        return Ok(None);
    };
    let log_end = walked.end;
    walked.tell_holes(dir, &mut kept);
    let whole = !walked.compacted && !walked.damaged;
    epochs.end(first, log_end, &mut kept);
    producers.end(first, log_end, whole, known.live, &mut kept);
    kept.tell(job);
    Ok(Some(log_end))
}

/// Checks one segment by itself.
pub(super) fn verify_segment(job: &mut Job<'_>, dir: &Path, base: i64, known: Known) -> io::Result<()> {
    let contents = contents(job, dir)?;
    let next_base = contents.bases.iter().copied().find(|other| *other > base);
    let mut kept = Kept::default();
    let forecast = Forecast::of(job.disk, dir, &known, &mut kept);
    kept.tell(job);
    let place = Place { dir, base, next_base, live: known.live, forecast: &forecast };
    let (mut epochs, mut producers) = (EpochsCheck::default(), ProducersCheck::default());
    let along = Along { epochs: &mut epochs, producers: &mut producers };
    if let Some(seen) = one(job, &place, along, &mut HashSet::new())? {
        Walked::default().add(job, &place, &seen, &mut Kept::default());
    }
    Ok(())
}

/// Reads one segment, again if compaction replaced it meanwhile; `None` if it went away. The files of which something was
/// said are in `named` afterwards.
fn one(
    job: &mut Job<'_>,
    place: &Place<'_>,
    mut along: Along<'_>,
    named: &mut HashSet<PathBuf>,
) -> io::Result<Option<Seen>> {
    let path = names::path(place.dir, place.base, names::LOG);
    for attempt in 1.. {
        let mut kept = Kept::default();
        let mut told = 0;
        let outcome = Files::open(&**job.disk, place).and_then(|files| {
            let options = job.options;
            let mut read = |bytes| {
                told += bytes;
                job.read(&path, bytes);
            };
            segment::verify(place, &files, options, &mut along, &mut kept, &mut read)
                .map(|seen| (files, seen))
        });
        match outcome {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return if place.live { Ok(None) } else { Err(error) };
            }
            Err(error) => {
                let what = format!("it cannot be read: {error}");
                kept.push(Finding::new(Severity::Damage, &path, what, Fate::Refused).at(told));
                named.insert(path.clone());
                kept.tell(job);
                return Ok(Some(Seen { damaged: true, next_offset: place.base, ..Seen::default() }));
            }
            Ok((files, seen)) => {
                let replaced = place.live && !kept.is_empty() && files.were_replaced(job, &path);
                if replaced && attempt < READS_MAX {
                    continue;
                }
                named.extend(kept.files());
                kept.tell(job);
                return Ok(Some(seen));
            }
        }
    }
    Ok(None)
}

impl Files {
    /// Whether the log has another file under its name by now, or none.
    fn were_replaced(&self, job: &Job<'_>, path: &Path) -> bool {
        let identity = |file: &dyn DiskFile| file.file().metadata().map(|meta| (meta.dev(), meta.ino())).ok();
        match job.disk.open(path, OpenMode::Read) {
            Ok(now) => identity(&*now) != identity(self.log()),
            Err(_) => true,
        }
    }
}

/// What the walk over all segments saw.
#[derive(Debug, Default)]
struct Walked {
    segments: u64,
    end: i64,
    hole: Option<(i64, i64)>,
    holes: u64,
    compacted: bool,
    damaged: bool,
}

impl Walked {
    fn add(&mut self, job: &mut Job<'_>, place: &Place<'_>, seen: &Seen, kept: &mut Kept) {
        job.tally.segments += 1;
        job.tally.bytes += seen.bytes;
        job.tally.batches += seen.batches;
        job.tally.records += seen.records;
        let path = || names::path(place.dir, place.base, names::LOG);
        if self.segments > 0 && self.end < place.base && !self.damaged {
            self.holes += 1;
            self.hole.get_or_insert((self.end, place.base - 1));
        }
        if seen.bytes == 0 && place.next_base.is_some() {
            let what = "empty, though segments follow";
            kept.push(Finding::new(Severity::Doubt, path(), what, Fate::Stays));
        }
        self.holes += seen.holes;
        self.hole = self.hole.or(seen.hole);
        self.compacted |= seen.compacted;
        self.damaged = seen.damaged;
        self.segments += 1;
        self.end = seen.next_offset.max(place.base);
    }

    /// Offsets that no batch has, if nothing says that the log is compacted.
    fn tell_holes(&self, dir: &Path, kept: &mut Kept) {
        let Some((from, to)) = self.hole.filter(|_| !self.compacted) else { return };
        let more =
            if self.holes > 1 { format!(", and {} stretches more", self.holes - 1) } else { String::new() };
        let what =
            format!("offsets {from} to {to} are missing{more}: right if the topic is compacted, else a loss");
        kept.push(Finding::new(Severity::Doubt, dir, what, Fate::Stays).offset(from));
    }
}

fn contents(job: &Job<'_>, dir: &Path) -> io::Result<Contents> {
    let mut contents = Contents::default();
    for entry in job.disk.read_dir(dir)? {
        match FileKind::parse(&entry.name).filter(|_| !entry.is_dir) {
            Some((FileKind::Log, base)) => contents.bases.push(base),
            Some((FileKind::Snapshot, offset)) => contents.snapshots.push(offset),
            Some(index) => contents.indexes.push(index),
            None => contents.others.push(entry.name),
        }
    }
    contents.bases.sort_unstable();
    Ok(contents)
}

/// Names what is no file of a log in use.
fn name_others(dir: &Path, contents: &Contents, kept: &mut Kept) {
    let bases: BTreeSet<i64> = contents.bases.iter().copied().collect();
    for (kind, base) in &contents.indexes {
        if !bases.contains(base)
            && let Some((_, suffix)) = FileKind::ALL.iter().find(|(other, _)| other == kind)
        {
            let path = names::path(dir, *base, suffix);
            kept.push(Finding::new(Severity::Note, path, "an index without a segment", Fate::Removed));
        }
    }
    for name in &contents.others {
        let known = [
            EPOCH_CHECKPOINT_FILE,
            PARTITION_METADATA_FILE,
            txn_witness::FILE,
            "quorum-state",
            "remote_log_snapshot",
        ];
        if known.contains(&name.as_str()) || name.ends_with(".checkpoint") {
            continue;
        }
        let (what, fate) = if name.ends_with(names::SWAP) {
            ("a replacement that was finished and not put in place", Fate::Finished)
        } else if [names::DELETED, names::CLEANED, names::TEMPORARY]
            .iter()
            .any(|suffix| name.ends_with(suffix))
        {
            ("left over", Fate::Removed)
        } else if name.ends_with(names::CUT) {
            ("cut off at a start, and set aside", Fate::Stays)
        } else {
            ("no file of a log", Fate::Stays)
        };
        kept.push(Finding::new(Severity::Note, dir.join(name), what, fate));
    }
}

fn metadata(job: &Job<'_>, dir: &Path, kept: &mut Kept) {
    let path = dir.join(PARTITION_METADATA_FILE);
    match PartitionMetadata::read(&**job.disk, &path) {
        Ok(Some(_)) => {}
        Ok(None) => kept.push(Finding::new(Severity::Doubt, &path, "it is missing", Fate::Renewed)),
        Err(error) => {
            let what = super::small_file_trouble(&error);
            kept.push(Finding::new(Severity::Damage, &path, what, Fate::Renewed));
        }
    }
}
