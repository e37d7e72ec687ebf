//! Reads the metadata log of Kafka's KRaft: the newest snapshot, then what was logged after it.
//!
//! ```text
//!   files.rs   which files, in which order          record.rs      the frame, the kinds of records
//!   replay     their batches, one after the other   topics.rs configs.rs identities.rs    the records that matter
//!   image.rs   the cluster that they make           fields.rs      numbers, strings, arrays
//! ```
//!
//! Record formats are those of Kafka 3.9 to 4.3 (KIP-631, KIP-630 for snapshots). Nothing is believed: every length is
//! checked, every CRC, and that no offset is missing. Where a segment cannot be believed the log ends ([`MetadataCut`]): a torn
//! tail, as for Kafka, or damage, about which whoever asked decides. Where several controllers vote, the last records of this copy
//! may not have been committed; they are taken.

mod configs;
mod cut;
mod fields;
mod files;
mod identities;
mod image;
mod record;
mod topics;

use std::io;
use std::path::{Path, PathBuf};

use pagewire_record::{DecompressLimits, RecordsError, SharedBatch};

pub use configs::Owner;
pub use cut::MetadataCut;
pub use fields::DecodeError;
pub(crate) use files::{DIR, Files, Numbered};
pub use image::NotCarried;
pub(crate) use image::{Image, Topic};
pub(crate) use topics::{NO_LEADER, Placement};

use crate::batches::{Batches, Stop};
use record::Change;

/// The first and the last record of a snapshot.
const SNAPSHOT_HEADER: i16 = 3;
const SNAPSHOT_FOOTER: i16 = 4;
/// From the change of a leader to the voters of KIP-853: none of them is about topics.
const CONTROLS: std::ops::RangeInclusive<i16> = 2..=6;

/// Why the metadata log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// The disk said no.
    #[error("{} cannot be read: {error}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What went wrong.
        #[source]
        error: io::Error,
    },
    /// A file is not what Kafka wrote.
    #[error("{} is damaged at offset {offset}: {reason}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Of the metadata log.
        offset: i64,
        /// What is wrong.
        reason: String,
    },
    /// A record cannot be understood.
    #[error("{}, offset {offset}: {error}", .path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Of the metadata log.
        offset: i64,
        /// Why.
        error: DecodeError,
    },
    /// The log does not go back to where the snapshot ends, or to its own beginning.
    #[error("{} misses the records from offset {from} to {to}", .dir.display())]
    Gap {
        /// The directory of the log.
        dir: PathBuf,
        /// The first that is missing.
        from: i64,
        /// The first that is there.
        to: i64,
    },
}

/// What the metadata log in `dir` says.
pub(crate) struct Read {
    /// The cluster.
    pub(crate) image: Image,
    /// The offset after the last record that was read: of several copies of the log the highest is the newest.
    pub(crate) end: i64,
    /// Where the log ended before its end.
    pub(crate) cut: Option<MetadataCut>,
}

/// Reads the metadata log in the directory `dir`.
pub(crate) fn read(dir: &Path) -> Result<Read, MetadataError> {
    let files = Files::read(dir).map_err(|error| MetadataError::Io { path: dir.to_path_buf(), error })?;
    replay(dir, &files)
}

/// Reads these files, which lie in `dir`.
pub(crate) fn replay(dir: &Path, files: &Files) -> Result<Read, MetadataError> {
    let mut replay = Replay { image: Image::default(), next: 0 };
    if let Some(snapshot) = &files.snapshot {
        replay.snapshot(snapshot)?;
    }
    let mut cut = None;
    for (at, segment) in files.segments.iter().enumerate() {
        let below = files.segments.get(at + 1).is_some_and(|next| next.offset <= replay.next);
        if below {
            continue;
        }
        if segment.offset > replay.next {
            let (from, to) = (replay.next, segment.offset);
            return Err(MetadataError::Gap { dir: dir.to_path_buf(), from, to });
        }
        cut = replay.segment(segment, files.segments.get(at + 1..).unwrap_or_default())?;
        if cut.is_some() {
            break;
        }
    }
    replay.image.abort();
    Ok(Read { image: replay.image, end: replay.next, cut })
}

/// How far reading has come.
struct Replay {
    image: Image,
    next: i64,
}

impl Replay {
    fn snapshot(&mut self, snapshot: &Numbered) -> Result<(), MetadataError> {
        let (file, len) = snapshot.open().map_err(at(&snapshot.path))?;
        let mut batches = Batches::whole(&file, len, 0);
        let (mut is_first, mut is_whole) = (true, false);
        while let Some(batch) = batches.next().map_err(|stop| damage(snapshot, batches.expected(), stop))? {
            let offset = batch.header.base_offset;
            let damaged = |reason: &str| damage(snapshot, offset, Stop::Bad(reason.to_owned()));
            let control = if batch.header.is_control() { control_type(&batch) } else { None };
            if is_first && control != Some(SNAPSHOT_HEADER) {
                return Err(damaged("a snapshot without its header"));
            }
            (is_first, is_whole) = (false, control == Some(SNAPSHOT_FOOTER));
            self.batch(snapshot, &batch, i64::MIN)?;
        }
        if !is_whole {
            let reason = "a snapshot without its footer".to_owned();
            return Err(damage(snapshot, batches.expected(), Stop::Bad(reason)));
        }
        self.next = snapshot.offset;
        Ok(())
    }

    /// Takes one segment over; where it cannot be believed is answered, not returned as an error.
    fn segment(
        &mut self,
        segment: &Numbered,
        later: &[Numbered],
    ) -> Result<Option<MetadataCut>, MetadataError> {
        let (file, len) = segment.open().map_err(at(&segment.path))?;
        let mut batches = Batches::whole(&file, len, segment.offset);
        loop {
            let stands = (batches.position(), batches.expected());
            let stop = match batches.next() {
                Ok(None) => return Ok(None),
                Ok(Some(batch)) => match believed(&batch, stands.1) {
                    Ok(()) => {
                        self.batch(segment, &batch, self.next)?;
                        self.next = self.next.max(batch.header.next_offset());
                        continue;
                    }
                    Err(reason) => Stop::Bad(reason),
                },
                Err(stop) => stop,
            };
            return MetadataCut::judge(segment, stands, stop, later).map(Some).map_err(at(&segment.path));
        }
    }

    /// Takes over the records of a batch from offset `from` on.
    fn batch(&mut self, file: &Numbered, batch: &SharedBatch, from: i64) -> Result<(), MetadataError> {
        let offset = batch.header.base_offset;
        batch.verify_crc().map_err(|error| damage(file, offset, Stop::Bad(error.to_string())))?;
        if batch.header.is_control() {
            return match control_type(batch) {
                Some(kind) if CONTROLS.contains(&kind) => Ok(()),
                kind => {
                    let reason = format!("a control record of type {kind:?}: a newer Kafka wrote it");
                    Err(damage(file, offset, Stop::Bad(reason)))
                }
            };
        }
        let unreadable = |error: RecordsError| damage(file, offset, Stop::Bad(error.to_string()));
        for record in batch.records(&DecompressLimits::default()).map_err(unreadable)? {
            let record = record.map_err(unreadable)?;
            if record.offset < from {
                continue;
            }
            let change = Change::read(record.value.as_deref().unwrap_or_default());
            change.and_then(|change| self.image.apply(change, record.timestamp)).map_err(|error| {
                MetadataError::Record { path: file.path.clone(), offset: record.offset, error }
            })?;
        }
        Ok(())
    }
}

/// Whether a batch goes on where the one before it ended, as it was written; else what is wrong.
fn believed(batch: &SharedBatch, expected: i64) -> Result<(), String> {
    if batch.header.base_offset != expected {
        return Err(format!("offsets from {expected} to {} are missing", batch.header.base_offset));
    }
    batch.verify_crc().map_err(|error| error.to_string())
}

/// The type in the key of a control batch's record: version i16, type i16.
fn control_type(batch: &SharedBatch) -> Option<i16> {
    let record = batch.records(&DecompressLimits::default()).ok()?.next()?.ok()?;
    record.key?.get(2..4)?.try_into().ok().map(i16::from_be_bytes)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> MetadataError {
    let path = path.to_path_buf();
    move |error| MetadataError::Io { path, error }
}

fn damage(file: &Numbered, offset: i64, stop: Stop) -> MetadataError {
    let path = file.path.clone();
    match stop {
        Stop::Io(error) => MetadataError::Io { path, error },
        Stop::OldFormat { magic } => {
            MetadataError::Damaged { path, offset, reason: format!("magic {magic} is no version 2 batch") }
        }
        Stop::Torn(reason) | Stop::Bad(reason) => MetadataError::Damaged { path, offset, reason },
    }
}
