//! The small files: producer snapshots, aborted transactions, and text.

use std::fmt::Write as _;
use std::path::Path;

use pagewire_broker::config::THRESHOLDS_FILE;
use pagewire_disk::{CheckpointError, Disk, read_small};
use pagewire_log::AbortedTxn;
use pagewire_log::files::{self, Entries, ProducerSnapshot, SnapshotDamage, SnapshotProducer, TxnEntry};
use serde::Serialize;

use super::batches::optional;
use super::page::Page;
use super::sparse;

/// The longest text that is printed.
const TEXT_MAX: u64 = 1 << 20;

/// A producer, with what follows from its fields.
#[derive(Debug, Serialize)]
struct ProducerLine {
    producer_id: i64,
    producer_epoch: i16,
    coordinator_epoch: i32,
    current_txn_first_offset: Option<i64>,
    last_timestamp: i64,
    last_batch: Option<BatchLine>,
}

#[derive(Debug, Serialize)]
struct BatchLine {
    first_sequence: i32,
    last_sequence: i32,
    last_offset: i64,
    offset_delta: i32,
}

impl ProducerLine {
    fn new(producer: &SnapshotProducer) -> Self {
        let SnapshotProducer { last_sequence, last_offset, offset_delta, .. } = *producer;
        let first_sequence = if last_sequence < offset_delta {
            // Sequences wrap at the largest number, behind which comes 0.
            i32::MAX - (offset_delta - last_sequence) + 1
        } else {
            last_sequence.wrapping_sub(offset_delta)
        };
        let batch = BatchLine { first_sequence, last_sequence, last_offset, offset_delta };
        Self {
            producer_id: producer.producer_id,
            producer_epoch: producer.producer_epoch,
            coordinator_epoch: producer.coordinator_epoch,
            current_txn_first_offset: Some(producer.current_txn_first_offset).filter(|offset| *offset >= 0),
            last_timestamp: producer.timestamp,
            last_batch: (last_offset >= 0).then_some(batch),
        }
    }

    fn text(&self) -> String {
        let Self { producer_id, producer_epoch, coordinator_epoch, last_timestamp, .. } = self;
        let mut text = format!(
            "producerId: {producer_id} producerEpoch: {producer_epoch} coordinatorEpoch: {coordinator_epoch} \
             currentTxnFirstOffset: {} lastTimestamp: {last_timestamp}",
            optional(self.current_txn_first_offset)
        );
        if let Some(BatchLine { first_sequence, last_sequence, last_offset, offset_delta }) = &self.last_batch
        {
            // A string takes whatever is written.
            let _ = write!(
                text,
                " firstSequence: {first_sequence} lastSequence: {last_sequence} lastOffset: {last_offset} \
                 offsetDelta: {offset_delta} timestamp: {last_timestamp}"
            );
        }
        text
    }
}

/// The producers of a `.snapshot`.
pub(super) fn producers(disk: &dyn Disk, path: &Path, page: &mut Page<'_>) -> anyhow::Result<()> {
    match ProducerSnapshot::read(disk, path) {
        Ok(None) => Err(std::io::Error::from(std::io::ErrorKind::NotFound).into()),
        Ok(Some(snapshot)) => snapshot
            .producers
            .iter()
            .try_for_each(|producer| page.line("producer", &ProducerLine::new(producer), ProducerLine::text)),
        Err(SnapshotDamage::Io(error)) => Err(error.into()),
        Err(damage) => page.damage(None, &damage.to_string()),
    }
}

#[derive(Debug, Serialize)]
struct AbortedLine {
    version: i16,
    producer_id: i64,
    first_offset: i64,
    last_offset: i64,
    last_stable_offset: i64,
}

/// The entries of a `.txnindex`.
pub(super) fn aborted(disk: &dyn Disk, path: &Path, page: &mut Page<'_>) -> anyhow::Result<()> {
    let (file, len) = super::open(disk, path)?;
    let (mut entries, mut before) = (Entries::<TxnEntry>::new(&*file, len), None);
    while let Some((at, entry)) = entries.next()? {
        if !entry.is_known() {
            page.damage(Some(at), &format!("version {} is not known", entry.version))?;
        }
        let TxnEntry { version, txn } = entry;
        let AbortedTxn { producer_id, first_offset, last_offset, last_stable_offset } = txn;
        if before.replace(last_offset).is_some_and(|before| last_offset <= before) {
            page.damage(Some(at), "its marker does not lie behind the one before it")?;
        }
        let line = AbortedLine { version, producer_id, first_offset, last_offset, last_stable_offset };
        page.line("aborted_txn", &line, |line| {
            let AbortedLine { version, producer_id, first_offset, last_offset, last_stable_offset } = line;
            format!(
                "version: {version} producerId: {producer_id} firstOffset: {first_offset} \
                 lastOffset: {last_offset} lastStableOffset: {last_stable_offset}"
            )
        })?;
    }
    sparse::rest::<TxnEntry>(len, page)
}

#[derive(Debug, Serialize)]
struct TextLine<'a> {
    line: &'a str,
}

/// Whether a file of this name is a text file of a broker's.
pub(super) fn is_text(name: &str) -> bool {
    files::is_text(name) || name == THRESHOLDS_FILE
}

/// One of them, as it is.
pub(super) fn text(disk: &dyn Disk, path: &Path, name: &str, page: &mut Page<'_>) -> anyhow::Result<()> {
    let judged = files::read_text(disk, path, name).unwrap_or(Ok(()));
    let bytes =
        read_small(disk, path, TEXT_MAX)?.ok_or(std::io::Error::from(std::io::ErrorKind::NotFound))?;
    for line in String::from_utf8_lossy(&bytes).lines() {
        page.line("text", &TextLine { line }, |text| text.line.to_owned())?;
    }
    match judged {
        Ok(()) => Ok(()),
        Err(CheckpointError::Damaged { damage, .. }) => page.damage(None, &damage.to_string()),
        Err(CheckpointError::Io { error, .. }) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_that_wrapped_began_before_the_wrap() {
        let producer = SnapshotProducer {
            producer_id: 1,
            producer_epoch: 0,
            last_sequence: 2,
            last_offset: 10,
            offset_delta: 4,
            timestamp: 5,
            coordinator_epoch: -1,
            current_txn_first_offset: 7,
        };
        let line = ProducerLine::new(&producer);
        assert_eq!(line.last_batch.as_ref().map(|batch| batch.first_sequence), Some(i32::MAX - 1));
        assert!(
            line.text().contains("currentTxnFirstOffset: OptionalLong[7] lastTimestamp: 5 firstSequence")
        );
    }
}
