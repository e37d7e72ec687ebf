//! Appending: under one short lock, from the sequence check to the marks.
//!
//! ```text
//!   sequences ▶ room in the segment, else roll ▶ an aborted transaction's entry ▶ one vectored write of the batches,
//!   offsets in copies of their headers ▶ indexes ▶ producers ▶ end of the segment ▶ marks
//! ```
//!
//! The caller's bytes are not changed and not copied, only the 61 bytes of each header are. A write that fails is cut
//! back and the log goes on as if nothing had happened; if it cannot be cut back, the log goes offline. Index entries that
//! cannot be written are left out: lookups walk a little further. The entry of an aborted transaction must not be: without
//! it the marker is not appended.

use std::io::{self, IoSlice};
use std::sync::atomic::Ordering;

use bytes::Bytes;
use pagewire_disk::DiskFile;
use pagewire_record::header::CRC_START;
use pagewire_record::{BatchHeader, EndTxnMarker, HEADER_LEN, TimestampType, batches};
use smallvec::SmallVec;

use crate::answers::{AppendContext, Appended, Origin};
use crate::config::LogConfig;
use crate::errors::AppendError;
use crate::log::Log;
use crate::producers::producer::BatchMeta;
use crate::producers::{Entry, ProducerTable, Verdict};
use crate::roll::Coming;
use crate::segment::{End, Segment};
use crate::txns::marker;
use crate::writer::Writer;

/// A log has an active segment always; no client did wrong if it has none.
const NO_SEGMENT: AppendError = AppendError::Malformed("no segment");

/// What one append carries; from a client one batch.
type Batches<'b> = SmallVec<[Placed<'b>; 1]>;

/// What a batch gets when its place in the log is known.
#[derive(Debug, Clone, Copy)]
struct Spot {
    base_offset: i64,
    leader_epoch: i32,
    /// LogAppendTime does not go back.
    not_before_ms: i64,
}

/// A batch with its header patched, ready to be written.
struct Placed<'a> {
    header: BatchHeader,
    raw: [u8; HEADER_LEN],
    rest: &'a [u8],
    marker: Option<EndTxnMarker>,
}

impl Placed<'_> {
    fn entry(&self) -> Entry<'_> {
        Entry { header: &self.header, marker: self.marker }
    }

    fn slices(&self) -> [IoSlice<'_>; 2] {
        [IoSlice::new(&self.raw), IoSlice::new(self.rest)]
    }
}

impl Log {
    /// Appends checked batches (one from a client), gives them offsets and this leader's epoch, and makes them
    /// readable. They are in the page cache then; [`Log::sync`] makes them stable.
    ///
    /// The caller has checked the batches (`pagewire_record::check_produced`): their CRC is not looked at again.
    #[expect(clippy::needless_pass_by_value, reason = "the log is the end of the batches' way")]
    pub fn append(&self, batches: Bytes, context: AppendContext) -> Result<Appended, AppendError> {
        self.append_placed(batches.len(), context, |spot| place(&batches, spot))
    }

    /// [`Log::append`] of one checked batch whose header and payload lie in different places, as they do when a check
    /// changed the header only (LogAppendTime). Nothing is parsed again and nothing copied.
    pub fn append_batch(
        &self,
        header: &BatchHeader,
        payload: &[u8],
        context: AppendContext,
    ) -> Result<Appended, AppendError> {
        self.append_placed(HEADER_LEN + payload.len(), context, |spot| {
            Ok(SmallVec::from_buf([place_one(*header, payload, spot)?]))
        })
    }

    /// Appends `bytes` bytes of batches, which `place` gives their offsets once it is known where they begin.
    fn append_placed<'b>(
        &self,
        bytes: usize,
        context: AppendContext,
        place: impl FnOnce(Spot) -> Result<Batches<'b>, AppendError>,
    ) -> Result<Appended, AppendError> {
        let (config, bytes) = (self.config.load(), bytes as u64);
        let mut writer = self.writer.lock();
        if self.is_halted() {
            return Err(AppendError::Moving);
        }
        self.online()?;
        self.named()?;
        let base_offset = self.marks.load().log_end;
        let spot =
            Spot { base_offset, leader_epoch: context.leader_epoch, not_before_ms: writer.append_time_ms };
        let placed = place(spot)?;
        let max = writer.producers.open_max(config.producers_max);
        let known = writer.producers.with(|known| check_sequences(known, &placed, context.origin, max))?;
        if let Some(meta) = known {
            return Ok(self.duplicate(&meta));
        }
        let limit = config.segment_limit();
        if bytes > limit {
            return Err(AppendError::TooLarge { bytes, segment_bytes: limit as u32 });
        }
        let (Some(first), Some(last)) = (placed.first(), placed.last()) else {
            return Err(AppendError::Malformed("no batch"));
        };
        let (first, last) = (first.header, last.header);
        if last.last_offset() - base_offset > i64::from(i32::MAX) {
            return Err(AppendError::Malformed("more offsets than a segment can hold"));
        }
        self.begin_epoch(context.leader_epoch, base_offset)?;
        let largest = placed.iter().map(|batch| batch.header.max_timestamp).max().unwrap_or(-1);
        let mut active = self.active().ok_or(NO_SEGMENT)?;
        let coming = Coming { bytes, largest_timestamp: largest, last: &last };
        let rolled = self.roll_before(&mut writer, &active, &config, coming, context.now_ms)?;
        if rolled {
            active = self.active().ok_or(NO_SEGMENT)?;
        }

        let file =
            active.file().map_err(|error| self.refuse(error, "the active segment cannot be opened"))?;
        let aborted = self.note_aborted(&writer, &active, &placed)?;
        if let Err(error) = write(&active, &*file, &placed) {
            return Err(self.undo_write(&active, &*file, aborted, error));
        }
        if aborted {
            active.publish_aborted();
            self.last_aborted.store(first.base_offset, Ordering::Release);
        }
        if let Err(error) = self.finish(&mut writer, &active, &placed, &config, context.now_ms) {
            // The records are in the log and readable; only what can be rebuilt is behind.
            self.fail(&error, "index write failed");
        }
        let behind = active.flow.behind(active.end().size, u64::from(config.pace_bytes));
        Ok(Appended {
            base_offset: first.base_offset,
            last_offset: last.last_offset(),
            log_append_time_ms: append_time(&last),
            log_start_offset: self.marks.load().log_start,
            duplicate: false,
            pace_due: rolled || behind,
        })
    }

    fn duplicate(&self, meta: &BatchMeta) -> Appended {
        Appended {
            base_offset: meta.first_offset(),
            last_offset: meta.last_offset,
            log_append_time_ms: meta.timestamp,
            log_start_offset: self.marks.load().log_start,
            duplicate: true,
            pace_due: false,
        }
    }

    /// Records a new leader epoch, durably, before its first batch.
    fn begin_epoch(&self, epoch: i32, start_offset: i64) -> Result<(), AppendError> {
        if !self.epochs.read().is_news(epoch) {
            return Ok(());
        }
        let _file = self.epoch_file.lock();
        let mut next = self.epochs.read().clone();
        next.assign(epoch, start_offset);
        let written = next.write(&*self.home.disk, &self.home.dir);
        written.map_err(|error| self.refuse(error, "the leader epochs are not written"))?;
        self.epochs_behind.store(false, Ordering::Release);
        *self.epochs.write() = next;
        Ok(())
    }

    /// Writes the entry of a transaction that is about to be aborted; whether there is one.
    fn note_aborted(
        &self,
        writer: &Writer,
        active: &Segment,
        placed: &[Placed<'_>],
    ) -> Result<bool, AppendError> {
        let [marker] = placed else { return Ok(false) };
        if marker.marker.is_none() {
            return Ok(false);
        }
        let aborted = writer.producers.with(|known| known.aborted_by(marker.entry()));
        let Some(aborted) = aborted else { return Ok(false) };
        if active.txns.len() == 0 {
            self.dir_dirty.store(true, Ordering::Release);
        }
        if let Err(error) = active.write_aborted(aborted) {
            self.drop_aborted(active);
            return Err(self.refuse(error, "the entry of an aborted transaction is not written"));
        }
        Ok(true)
    }

    /// The file must not end in the entry, or a part of it, of a marker that is not appended.
    fn drop_aborted(&self, active: &Segment) {
        if let Err(error) = active.trim_aborted() {
            // The next entry takes its place, and the next start finds it.
            self.fail(&error, "the entry of a marker that is not appended stays");
        }
    }

    fn undo_write(
        &self,
        active: &Segment,
        file: &dyn DiskFile,
        aborted: bool,
        error: io::Error,
    ) -> AppendError {
        if aborted {
            self.drop_aborted(active);
        }
        match active.cut_back(file) {
            Ok(()) => {
                self.shut(&error, "write failed");
                AppendError::Write(error)
            }
            Err(cut) => {
                self.poison(&cut, &format!("write failed: {error}; it cannot be undone"));
                self.online().map_or_else(AppendError::Offline, |()| AppendError::Write(error))
            }
        }
    }

    /// The bytes are written: publish them and bring everything that depends on them up to date.
    fn finish(
        &self,
        writer: &mut Writer,
        active: &Segment,
        placed: &[Placed<'_>],
        config: &LogConfig,
        now_ms: i64,
    ) -> io::Result<()> {
        let before = active.end();
        if before.size == 0 {
            writer.opened_ms = now_ms;
        }
        let (mut end, mut newest) = (before, (before.next_offset, before.size));
        let mut indexed = Ok(());
        for batch in placed {
            let (header, position) = (&batch.header, end.size);
            newest = (header.base_offset, position);
            end = End { next_offset: header.next_offset(), size: position + header.size_in_bytes() };
            let due = writer.sparse.next(config.index_interval_bytes, header.size_in_bytes());
            // Readers look an offset up only below the published end, so an entry may come before its batch.
            // Also behind one that could not be written: the largest time is of all of them.
            let noted = active.note_batch(header, position, due);
            indexed = indexed.and(noted);
            if header.has_producer_id() {
                writer.producers.with(|known| known.record(batch.entry(), now_ms, config.producers_max));
            }
            writer.first_timestamp.get_or_insert(header.max_timestamp);
            writer.append_time_ms = writer.append_time_ms.max(append_time(header));
        }
        writer.producers.make_room();
        active.publish(end, newest);
        self.publish_end(end.next_offset, writer.producers.with(|known| known.first_open()));
        indexed
    }

    /// On a single node the high watermark is the log end. The last stable offset stays before the earliest open
    /// transaction, unless the log start has passed that.
    fn publish_end(&self, log_end: i64, first_open: Option<i64>) {
        let moved = self.marks.advance(|marks| {
            marks.log_end = log_end;
            marks.high_watermark = log_end;
            marks.last_stable = marks.last_stable.max(first_open.unwrap_or(log_end));
        });
        if let Err(error) = moved {
            self.poison(&io::Error::new(io::ErrorKind::InvalidData, error), "after an append");
        }
    }
}

/// Cuts the bytes into batches and gives each its offsets.
fn place(bytes: &Bytes, first: Spot) -> Result<Batches<'_>, AppendError> {
    let mut placed = SmallVec::new();
    let mut spot = first;
    for batch in batches(bytes) {
        let batch = batch.map_err(|_| AppendError::Malformed("a batch is cut or has a bad header"))?;
        let payload = batch.bytes.get(HEADER_LEN..).unwrap_or_default();
        let one = place_one(batch.header, payload, spot)?;
        spot.base_offset = one.header.next_offset();
        placed.push(one);
    }
    Ok(placed)
}

/// Gives a batch its offsets.
fn place_one(header: BatchHeader, payload: &[u8], spot: Spot) -> Result<Placed<'_>, AppendError> {
    let Spot { base_offset, leader_epoch, not_before_ms } = spot;
    let delta = header.last_offset_delta;
    if delta < 0 || base_offset.checked_add(i64::from(delta) + 1).is_none() {
        return Err(AppendError::Malformed("no room for the offsets"));
    }
    if header.size_in_bytes() != (HEADER_LEN + payload.len()) as u64 {
        return Err(AppendError::Malformed("a batch is not as long as its header says"));
    }
    let header = header.appended_at(header.max_timestamp.max(not_before_ms));
    let header = BatchHeader { base_offset, partition_leader_epoch: leader_epoch, ..header };
    let raw = header.encode();
    debug_assert!(has_its_crc(&raw, payload, &header), "append trusts its caller to have checked the CRC");
    Ok(Placed { header, raw, rest: payload, marker: marker::of_batch(&header, payload) })
}

fn has_its_crc(raw: &[u8; HEADER_LEN], payload: &[u8], header: &BatchHeader) -> bool {
    let (_, covered) = raw.split_at(CRC_START);
    crc32c::crc32c_append(crc32c::crc32c(covered), payload) == header.crc
}

fn write(active: &Segment, file: &dyn DiskFile, placed: &[Placed<'_>]) -> io::Result<()> {
    match placed {
        [one] => active.write(file, &one.slices()),
        several => active.write(file, &several.iter().flat_map(Placed::slices).collect::<Vec<_>>()),
    }
}

/// Asks the producers' state about every batch; the original of a duplicate.
fn check_sequences(
    producers: &ProducerTable,
    placed: &[Placed<'_>],
    origin: Origin,
    max: usize,
) -> Result<Option<BatchMeta>, AppendError> {
    if placed.len() > 1 {
        if origin.checks_sequences() && placed.iter().any(|batch| batch.header.has_producer_id()) {
            return Err(AppendError::Malformed("an idempotent producer sends one batch"));
        }
        if placed.iter().any(|batch| marker::may_end_txn(&batch.header)) {
            return Err(AppendError::Malformed("a marker is appended alone"));
        }
    }
    for batch in placed {
        if let Verdict::Duplicate(meta) = producers.check(batch.entry(), origin, max)? {
            return Ok(Some(meta));
        }
    }
    Ok(None)
}

fn append_time(header: &BatchHeader) -> i64 {
    match header.timestamp_type() {
        TimestampType::LogAppendTime => header.max_timestamp,
        TimestampType::CreateTime => -1,
    }
}
