//! The `.snapshot` files of a log: each by itself, and the batches that they name beside the walk.
//!
//! A batch that a snapshot names and the walk does not meet lies where something is damaged or missing, which is told of the
//! log, or was compacted away: that is no fault of the snapshot. One that it names in the middle of another is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pagewire_disk::Disk;
use pagewire_record::BatchHeader;

use super::finding::{Fate, Finding, Severity};
use super::job::Kept;
use crate::files::{OpenTxn, ProducerSnapshot, SnapshotDamage, SnapshotProducer, TxnTrail};
use crate::segment::names;

/// Producers of all snapshots that are looked for in the log; of more, those of the newest snapshots.
const LOOKED_FOR_MAX: usize = 1 << 16;

/// A batch that a snapshot names.
#[derive(Debug)]
struct Named {
    producer: SnapshotProducer,
    snapshot: usize,
}

/// The batches that were not met yet, by their last offset.
#[derive(Debug, Default)]
pub(super) struct ProducersCheck {
    snapshots: Vec<(i64, PathBuf)>,
    named: BTreeMap<i64, Vec<Named>>,
    looked_for: usize,
    transactions: TxnTrail,
}

impl ProducersCheck {
    /// Reads the snapshots at these offsets. `live`: a broker serves the log, and may be writing the newest, in place as Kafka does.
    pub(super) fn read(disk: &dyn Disk, dir: &Path, offsets: &[i64], live: bool, kept: &mut Kept) -> Self {
        let mut this = Self::default();
        let mut newest_first = offsets.to_vec();
        newest_first.sort_unstable_by(|a, b| b.cmp(a));
        let newest = newest_first.first().copied();
        for offset in newest_first {
            let path = names::path(dir, offset, names::SNAPSHOT);
            match ProducerSnapshot::read(disk, &path) {
                Ok(None) => {}
                Ok(Some(snapshot)) => this.add(offset, path, snapshot, kept),
                Err(SnapshotDamage::Io(error)) => {
                    let what = format!("it cannot be read: {error}");
                    kept.push(Finding::new(Severity::Damage, &path, what, Fate::Stays));
                }
                Err(damage) if live && newest == Some(offset) => {
                    let what = format!("{damage}, unless the broker is writing it just then");
                    kept.push(Finding::new(Severity::Doubt, &path, what, Fate::Removed));
                }
                Err(damage) => {
                    kept.push(Finding::new(Severity::Damage, &path, damage.to_string(), Fate::Removed));
                }
            }
        }
        this
    }

    fn add(&mut self, offset: i64, path: PathBuf, snapshot: ProducerSnapshot, kept: &mut Kept) {
        let number = self.snapshots.len();
        let mut ids: Vec<i64> = snapshot.producers.iter().map(|producer| producer.producer_id).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair.first() == pair.last()) {
            let what = "a producer is in it twice";
            kept.push(Finding::new(Severity::Damage, &path, what, Fate::Stays));
        }
        for producer in snapshot.producers {
            if let Some(what) = impossible(&producer, offset) {
                let what = format!("producer {}: {what}", producer.producer_id);
                kept.push(
                    Finding::new(Severity::Damage, &path, what, Fate::Stays).offset(producer.last_offset),
                );
            } else if producer.last_offset >= 0
                && producer.last_sequence >= 0
                && self.looked_for < LOOKED_FOR_MAX
            {
                self.looked_for += 1;
                let named = Named { producer, snapshot: number };
                self.named.entry(producer.last_offset).or_default().push(named);
            }
        }
        self.snapshots.push((offset, path));
    }

    /// The walk came to a batch.
    pub(super) fn meet(&mut self, header: &BatchHeader, kept: &mut Kept) {
        self.transactions.meet(header);
        if self.named.is_empty() {
            return;
        }
        let inside: Vec<i64> =
            self.named.range(header.base_offset..header.last_offset()).map(|(offset, _)| *offset).collect();
        for offset in inside {
            for Named { producer, snapshot } in self.named.remove(&offset).unwrap_or_default() {
                let what = format!("no batch of producer {} ends there", producer.producer_id);
                kept.push(self.finding(snapshot, offset, what));
            }
        }
        for Named { producer, snapshot } in self.named.remove(&header.last_offset()).unwrap_or_default() {
            let found = (header.producer_id, header.producer_epoch, header.last_sequence());
            let named = (producer.producer_id, producer.producer_epoch, producer.last_sequence);
            // A marker leaves the batch before it as the last one; an epoch may have been raised by one.
            let agrees =
                found.0 == named.0 && found.1 <= named.1 && (found.1 < named.1 || found.2 == named.2);
            if !agrees && !header.is_control() {
                let what = format!(
                    "it names sequence {} of producer {}, the batch there has {} of {}",
                    named.2, named.0, found.2, found.0
                );
                kept.push(self.finding(snapshot, producer.last_offset, what));
            }
        }
    }

    /// Names transactions that no marker ends. While a broker serves the log it is usual that some are.
    pub(super) fn tell_open(&self, dir: &Path, live: bool, kept: &mut Kept) {
        for open in self.transactions.open().into_iter().filter(|_| !live) {
            let OpenTxn { producer_id, producer_epoch, first_offset, last_timestamp } = open;
            let what = format!(
                "a transaction of producer {producer_id}, epoch {producer_epoch}, is open: readers of committed records stop \
                 before it until it is ended"
            );
            let finding = Finding::new(Severity::Note, dir, what, Fate::Stays);
            kept.push(finding.offset(first_offset).written(last_timestamp));
        }
    }

    /// The walk came to the end of a log. What the recovery point says is lost is told of the partition, once.
    pub(super) fn end(self, log_end: i64, recovery_point: Option<i64>, live: bool, kept: &mut Kept) {
        let told = recovery_point.unwrap_or(0).max(log_end);
        for (offset, path) in self.snapshots.iter().filter(|(offset, _)| *offset > told && !live) {
            let what = format!(
                "it is of offset {offset}, so the log had come there, and ends at {log_end}: what lay between is lost"
            );
            kept.push(Finding::new(Severity::Damage, path, what, Fate::Removed));
        }
    }

    fn finding(&self, snapshot: usize, offset: i64, what: String) -> Finding {
        let path = self.snapshots.get(snapshot).map(|(_, path)| path.clone()).unwrap_or_default();
        Finding::new(Severity::Damage, path, what, Fate::Stays).offset(offset)
    }
}

/// What is wrong with a producer whatever the log holds.
fn impossible(producer: &SnapshotProducer, offset: i64) -> Option<String> {
    let SnapshotProducer { producer_id, last_offset, current_txn_first_offset, .. } = *producer;
    if producer_id < 0 {
        return Some("no producer has such an id".to_owned());
    }
    if last_offset >= offset {
        return Some(format!("its last offset {last_offset} is not below {offset}, the snapshot's own"));
    }
    (current_txn_first_offset >= offset).then(|| {
        format!(
            "its transaction begins at {current_txn_first_offset}, not below {offset}, the snapshot's own"
        )
    })
}
