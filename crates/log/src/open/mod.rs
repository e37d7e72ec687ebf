//! Opening a log: order in the directory, recovery, producers, epochs, marks.

pub(crate) mod beginning;
mod checked;
pub(crate) mod cut;
pub(crate) mod depth;
pub(crate) mod doubts;
mod entries_said;
pub(crate) mod epoch_check;
pub(crate) mod good;
pub(crate) mod listing;
pub(crate) mod orphans;
pub(crate) mod recovery;
pub(crate) mod refill;
pub(crate) mod replay;
pub(crate) mod strays;
pub(crate) mod trust;
pub(crate) mod txn_files;
pub(crate) mod witnesses;

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use pagewire_disk::{EpochCheckpoint, create_dir_durably};
use parking_lot::{Mutex, RwLock};

use crate::answers::{Hole, OpenOptions, RecoveryReport};
use crate::epochs::{self, Epochs};
use crate::errors::LogError;
use crate::halted::Halting;
use crate::held::Held;
use crate::home::Home;
use crate::log::Log;
use crate::marks::{MarkCells, Marks};
use crate::open::depth::Depth;
use crate::open::listing::Listing;
use crate::open::recovery::Recovered;
use crate::open::replay::{Place, Replayed, replay};
use crate::open::witnesses::{Checkpointed, Heard};
use crate::rewritten;
use crate::scan::derive::Sparse;
use crate::scan::headers::walk_headers;
use crate::scrub::{self, Noted};
use crate::segment::{Segment, names};
use crate::sick::is_full;
use crate::writer::Writer;

/// Opens the log at `home`.
pub(crate) fn open(
    home: Arc<Home>,
    topic: &str,
    partition: i32,
    options: OpenOptions,
    noted: &Noted,
) -> Result<(Log, RecoveryReport), LogError> {
    let mut report = RecoveryReport::default();
    let mut found = load_segments(&home, &options, &mut report)?;
    let start = found.believed_start(&home, &options, &mut report);
    found.pass_by(&home, start, &mut report)?;
    let fresh = found.begin(&home, start, &options)?;
    let log_end = found.log_end();
    let Found { recovered, listing } = found;
    // Nothing of it has a byte, and its names are durable.
    let begins_anew = listing.given_out == Some(log_end);
    let Recovered { segments, sparse, looks, first_timestamp: first, .. } = recovered;
    let log_start = segments.first().map_or(0, |first| first.base_offset).max(start).min(log_end);

    let noted = noted.about(topic, partition);
    // What ended a transaction may be among it.
    scrub::look_at(&segments, noted);
    let mut epochs = load_epochs(&home, &segments, (log_start, log_end), &options, &mut report)?;
    let place = Place { home: &home, segments: &segments, listing: &listing, looks: &looks, log_end };
    let Replayed { producers, snapshots, last_aborted, undecided } =
        replay(&place, &options, &mut epochs, &mut report)?;
    let first_open = producers.first_open();
    let first_timestamp =
        first.map_or_else(|| first_timestamp(&segments, &mut report), |first| Ok(Some(first)))?;
    let opened_ms = segments
        .last()
        .map_or(options.now_ms, |active| active.filling_since(first_timestamp, options.now_ms));
    scrub::tell(&segments, noted, &mut report);
    let writer = Writer {
        producers: home.producers.count(producers),
        sparse,
        first_timestamp,
        opened_ms,
        append_time_ms: -1,
        snapshots,
    };
    let behind = epochs.settle(&home, (log_start, log_end), options.leader_epoch, fresh)?;
    let stable = if options.clean && report.cuts.is_empty() {
        log_end
    } else {
        options.recovery_point.clamp(0, log_end)
    };
    let marks = Marks {
        log_start,
        last_stable: first_open.unwrap_or(log_end).clamp(log_start, log_end),
        high_watermark: log_end,
        log_end,
        recovery_point: if fresh || begins_anew { log_end } else { stable },
    };
    // Of a log that was closed in order every name is stable, if nothing was done to it.
    let dir_dirty = !options.clean || fresh || !report.is_silent();
    let mut log = Log {
        topic: topic.into(),
        partition,
        home,
        config: ArcSwap::from_pointee(options.config),
        marks: MarkCells::new(marks),
        checkpointed: options.recovery_point.into(),
        held: Held::default(),
        evident: marks.recovery_point.into(),
        excused: marks.recovery_point.into(),
        segments: ArcSwap::from_pointee(segments),
        writer: Mutex::new(writer),
        last_aborted: last_aborted.into(),
        undecided,
        epochs: RwLock::new(epochs.inner),
        epoch_file: Mutex::default(),
        epochs_behind: behind.is_some().into(),
        aborted_behind: false.into(),
        witness: Mutex::default(),
        offline: OnceLock::new(),
        unknown: false,
        unnamed: false.into(),
        made_ms: 0.into(),
        given_up: false.into(),
        halted: Halting::default(),
        dir_dirty: dir_dirty.into(),
        syncs: Mutex::default(),
        small_files: Mutex::default(),
        pacing: Mutex::default(),
        doomed: Mutex::default(),
        placing: Mutex::default(),
    };
    if let Some(error) = behind {
        log.fail(&error, "the leader epochs are not written");
    }
    log.know_what_is_stable();
    Ok((log, report))
}

impl Log {
    /// Makes all of it stable if nobody knows up to where it is. Where that fails the log is read and not written, be it that the
    /// sync could not even begin, and stays [unknown](Log::is_unknown). Whoever opens it again tries again.
    fn know_what_is_stable(&mut self) {
        let Marks { recovery_point, log_end, .. } = self.marks.load();
        if self.home.recovery_known() || self.home.is_rehearsed() || recovery_point == log_end {
            return;
        }
        if let Err(error) = self.sync() {
            self.unknown = true;
            if self.online().is_ok() {
                self.poison(&error, "no checkpoint says how far it is stable, and it could not be made so");
            }
            return;
        }
        // A checkpoint that comes before the next one has made its entries stable would call nothing of it stable.
        self.make_evident();
    }
}

/// What lies in the directory.
struct Found {
    recovered: Recovered,
    listing: Listing,
}

impl Found {
    fn log_end(&self) -> i64 {
        self.recovered.segments.last().map_or(0, |active| active.end().next_offset)
    }

    /// Whether all of it lies below an offset.
    fn ends_below(&self, offset: i64) -> bool {
        !self.recovered.segments.is_empty() && self.log_end() < offset
    }

    /// The log start that was written down, unless the records contradict it and nothing vouches for it.
    fn believed_start(&self, home: &Home, options: &OpenOptions, report: &mut RecoveryReport) -> i64 {
        let (log_end, start, point) = (self.log_end(), options.log_start_offset, options.recovery_point);
        if self.ends_below(point) {
            report.note(format!(
                "the log ends at {log_end}, below its recovery point {point}: records are missing"
            ));
        }
        if self.ends_below(start) && !home.certain_start {
            report.note(format!("a log start of {start}, past the log's end {log_end}: not believed"));
            return 0;
        }
        start
    }

    /// Removes all segments if none reaches up to the log start.
    fn pass_by(&mut self, home: &Home, start: i64, report: &mut RecoveryReport) -> Result<(), LogError> {
        if !self.ends_below(start) {
            return Ok(());
        }
        report.note(format!("everything lies below the log start {start}: the log starts again there"));
        let segments = &mut self.recovered.segments;
        segments.drain(..).try_for_each(|segment| recovery::remove_segment(home, segment.base_offset))
    }

    /// Makes the first segment, at `start`, where there is none; whether there was none.
    fn begin(&mut self, home: &Arc<Home>, start: i64, options: &OpenOptions) -> Result<bool, LogError> {
        let Self { recovered, listing } = self;
        if !recovered.segments.is_empty() {
            return Ok(false);
        }
        let base = start.max(0);
        if options.config.cleanup_compact || listing.lengths {
            // That compaction wrote none of its segments is known from the first one on, whatever it wrote of those that
            // had their names.
            rewritten::tell(home, &[])?;
        }
        let segment =
            Segment::create(Arc::clone(home), base).map_err(LogError::at(home.path(base, names::LOG)))?;
        recovered.segments.push(Arc::new(segment));
        (recovered.sparse, recovered.first_timestamp) = (Sparse::default(), None);
        // Older than what was lost, they would refuse the producers what comes next.
        listing.snapshots.drain(..).try_for_each(|offset| remove_snapshot(home, offset))?;
        if base > 0 {
            // That the log begins there is said by the file's name alone, from now on.
            home.disk.sync_dir(&home.dir).map_err(LogError::at(&home.dir))?;
        }
        Ok(true)
    }
}

fn load_segments(
    home: &Arc<Home>,
    options: &OpenOptions,
    report: &mut RecoveryReport,
) -> Result<Found, LogError> {
    let mut listing = list(home, report).map_err(LogError::at(&home.dir))?;
    if options.config.cleanup_compact {
        home.note_compaction();
    }
    let compacted = home.was_compacted();
    let heard = || {
        let said = Checkpointed::of(home, options.recovery_point);
        Heard::of((&*home.disk, &home.dir), said, &listing.snapshots, &[])
    };
    let depth = Depth {
        recovery_point: options.recovery_point,
        known: home.recovery_known(),
        certain: home.recovery_is_certain(),
        high_watermark: home.high_watermark(),
        heard: if home.recovery_known() { Heard::NOBODY } else { heard() },
        clean: options.clean,
        compacted,
        whole_from: if compacted { home.whole_from().unwrap_or(i64::MAX) } else { i64::MIN },
    };
    strays::set_aside(home, &mut listing, &depth, report)?;
    beginning::mark_lost(home, &mut listing, options, &depth, report)?;
    let recovered = recovery::recover(home, &listing, &depth, report)?;
    Ok(Found { recovered, listing })
}

/// What lies in the directory, which is made if it is not there.
fn list(home: &Arc<Home>, report: &mut RecoveryReport) -> io::Result<Listing> {
    match listing::read(home, report) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create_dir_durably(&*home.disk, &home.dir)?;
            listing::read(home, report)
        }
        listing => listing,
    }
}

fn remove_snapshot(home: &Home, offset: i64) -> Result<(), LogError> {
    let path = home.path(offset, names::SNAPSHOT);
    home.disk.remove_file(&path).map_err(LogError::at(path))
}

/// Epochs being put together.
#[derive(Debug, Default)]
pub(crate) struct EpochsFound {
    pub(crate) inner: Epochs,
    pub(crate) rebuilt: bool,
}

impl EpochsFound {
    /// Cuts them to the log, adds the epoch of this leadership, and writes down what is news. A full disk keeps nobody from
    /// reading a log that was there: why it is not written is answered then, and the next start finds the same.
    fn settle(
        &mut self,
        home: &Home,
        (log_start, log_end): (i64, i64),
        leader_epoch: i32,
        fresh: bool,
    ) -> Result<Option<io::Error>, LogError> {
        let changed = [
            self.inner.truncate_end(log_end),
            self.inner.truncate_start(log_start),
            self.inner.assign(leader_epoch, log_end),
        ];
        if !changed.contains(&true) && !self.rebuilt {
            return Ok(None);
        }
        match self.inner.write(&*home.disk, &home.dir) {
            Ok(()) => Ok(None),
            Err(error) if is_full(error.kind()) && !fresh => Ok(Some(error)),
            Err(error) => Err(LogError::at(home.dir.join(epochs::FILE))(error)),
        }
    }
}

/// The checkpoint, or what the batches say if it is missing or damaged, contradicts them, or begins above the log's
/// start: it was cut there with the log, and a crash brought the start back. One that an orderly stop vouches for is
/// not compared.
fn load_epochs(
    home: &Home,
    segments: &[Arc<Segment>],
    (log_start, log_end): (i64, i64),
    options: &OpenOptions,
    report: &mut RecoveryReport,
) -> Result<EpochsFound, LogError> {
    let (path, newest) = (home.dir.join(epochs::FILE), epoch_check::newest_under(options.leader_epoch));
    match EpochCheckpoint::read(&*home.disk, &path) {
        Ok(Some(checkpoint)) => {
            let inner = Epochs::new(checkpoint.entries);
            tell_lost_end(&path, &inner, log_end, report);
            let vouched = options.clean && home.vouched.is_some_and(|vouched| vouched.epochs == inner.sum());
            if log_start == log_end || vouched && inner.covers(log_start) {
                return Ok(EpochsFound { inner, rebuilt: false });
            }
            if inner.covers(log_start) {
                match epoch_check::contradiction(&inner, segments, (log_start, log_end), newest)? {
                    None => return Ok(EpochsFound { inner, rebuilt: false }),
                    Some(what) => report.note(format!("{}: {what}", path.display())),
                }
            }
        }
        Ok(None) => {}
        Err(error) if error.is_damage() => report.note(error.to_string()),
        Err(pagewire_disk::CheckpointError::Io { path, error }) => return Err(LogError::Io { path, error }),
        Err(error) => return Err(LogError::at(path)(io::Error::other(error))),
    }
    let mut inner = Epochs::default();
    if log_end > 0 && segments.iter().any(|segment| segment.end().size > 0) {
        report.rebuilt.push(path);
        inner = epoch_check::of_batches(segments, report)?;
    }
    Ok(EpochsFound { inner, rebuilt: true })
}

/// The log ends before the newest of its epochs began, which is where it ended then.
fn tell_lost_end(path: &Path, epochs: &Epochs, log_end: i64, report: &mut RecoveryReport) {
    let upto = epochs.entries().last().map_or(0, |newest| newest.start_offset);
    if upto > log_end {
        report.lost_end = Some(Hole { file: path.to_path_buf(), from: log_end, upto });
    }
}

fn first_timestamp(segments: &[Arc<Segment>], report: &mut RecoveryReport) -> Result<Option<i64>, LogError> {
    let mut first = None;
    if let Some(active) = segments.last() {
        walk_headers(active, active.base_offset, report, |header| {
            first = Some(header.max_timestamp);
            false
        })?;
    }
    Ok(first)
}
