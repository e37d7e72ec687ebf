//! Everything that can be asked of a log, and all its answers.

use std::collections::BTreeMap;

use pagewire_log::{AbortedTxn, Log, Marks, ProducerInfo, ReadError, ReadUpTo, TimestampOffset};
use pagewire_record::{HEADER_LEN, batches};

use crate::lived::{EPOCHS, START_MS};

/// Batches by their base offset, each as it lies in the file.
pub(crate) type Batches = BTreeMap<i64, Vec<u8>>;

/// What one log answers. Two logs with equal answers are the same to every client.
#[derive(Debug)]
pub(crate) struct Answers {
    pub(crate) marks: Marks,
    pub(crate) batches: Batches,
    pub(crate) aborted: Vec<AbortedTxn>,
    pub(crate) producers: Vec<ProducerInfo>,
    pub(crate) epochs: Vec<Option<(i32, i64)>>,
    pub(crate) times: Vec<Option<TimestampOffset>>,
    pub(crate) latest: Option<TimestampOffset>,
}

impl Answers {
    /// Asks a log that has to answer everything.
    pub(crate) fn of(log: &Log) -> Self {
        let (served, refused) = served(log);
        assert!(refused.is_empty(), "refused: {refused:?}");
        let marks = log.marks();
        let mut aborted: Vec<AbortedTxn> = Vec::new();
        for offset in (marks.log_start..marks.last_stable).step_by(5) {
            let slice = log.read(offset, 1, ReadUpTo::LastStable, true).expect("committed records");
            aborted.extend(slice.aborted);
        }
        let mut producers = log.producers();
        producers.sort_by_key(|known| known.producer_id);
        Self {
            marks: Marks { recovery_point: 0, ..marks },
            batches: served,
            aborted,
            producers,
            epochs: (0..EPOCHS + 2).map(|epoch| log.end_offset_for_epoch(epoch)).collect(),
            times: (-20..900)
                .step_by(61)
                .map(|after| log.offset_for_time(START_MS + after).expect("a time"))
                .collect(),
            latest: log.max_timestamp_offset().expect("the latest"),
        }
    }
}

impl Answers {
    /// What differs from the answers that were expected, in words; empty if nothing does.
    pub(crate) fn unlike(&self, good: &Self) -> Vec<String> {
        let mut unlike = Vec::new();
        let mut compare = |what: &str, found: String, expected: String| {
            if found != expected {
                unlike.push(format!("{what}: {found} instead of {expected}"));
            }
        };
        let bases = |of: &Self| format!("{:?}", of.batches.keys());
        compare("marks", format!("{:?}", self.marks), format!("{:?}", good.marks));
        compare("batches", bases(self), bases(good));
        compare("aborted", format!("{:?}", self.aborted), format!("{:?}", good.aborted));
        compare("producers", format!("{:?}", self.producers), format!("{:?}", good.producers));
        compare("epochs", format!("{:?}", self.epochs), format!("{:?}", good.epochs));
        compare("times", format!("{:?}", self.times), format!("{:?}", good.times));
        compare("latest", format!("{:?}", self.latest), format!("{:?}", good.latest));
        if self.batches != good.batches {
            unlike.push("bytes of batches".to_owned());
        }
        unlike
    }
}

/// What is served, offset by offset, and the offsets that are refused.
pub(crate) fn served(log: &Log) -> (Batches, Vec<(i64, ReadError)>) {
    let (mut served, mut refused) = (Batches::new(), Vec::new());
    let marks = log.marks();
    let mut offset = marks.log_start;
    while offset < marks.log_end {
        let asked = offset;
        offset += 1;
        match log.read(asked, 1, ReadUpTo::LogEnd, true) {
            Ok(slice) => {
                // A compacted log may end in a hole.
                let Some(range) = slice.range else { continue };
                let bytes = range.read_to_vec().expect("memory reads");
                let Some(Ok(batch)) = batches(&bytes).next() else {
                    panic!("at {asked}: {} bytes that are no batch", bytes.len());
                };
                offset = offset.max(batch.header.next_offset());
                served.insert(batch.header.base_offset, bytes);
            }
            Err(error) => refused.push((asked, error)),
        }
    }
    (served, refused)
}

/// Those of `served` that are none of `good`. The leader epoch is left out: no checksum covers it, as in Kafka, and
/// what it should be is `log check`'s to say.
pub(crate) fn foreign(served: &Batches, good: &Batches) -> Vec<i64> {
    let without_epoch =
        |bytes: &[u8]| [bytes.get(..12), bytes.get(16..)].map(|part| part.map(<[u8]>::to_vec));
    let is_good = |base: &i64, bytes: &[u8]| {
        assert!(bytes.len() >= HEADER_LEN);
        good.get(base).is_some_and(|good| without_epoch(good) == without_epoch(bytes))
    };
    served.iter().filter(|(base, bytes)| !is_good(base, bytes)).map(|(base, _)| *base).collect()
}
