//! What a broker has in the end, read by bare frames: every record and how its transaction ended there, and where
//! groups stand.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use pagewire_record::{ControlType, DecompressLimits, complete_batches};
use pagewire_wire::messages::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use pagewire_wire::messages::offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestTopic};

use super::check::{End, Stored};
use super::model::{At, PARTITIONS, Place, SOURCE, Value};
use crate::harness::raw::{Raw, text};

/// Versions that name topics, and know of transactions.
const LIST_OFFSETS: i16 = 7;
const OFFSET_FETCH: i16 = 7;
/// ListOffsets: the end of what may be read.
const LATEST: i64 = -1;

/// All records of a partition.
pub(super) fn log(client: &mut Raw, place: Place) -> Result<Vec<Stored>> {
    let bytes = client.read_all(place.topic, place.partition)?;
    stored(&bytes).with_context(|| place.to_string())
}

/// The records of these batches; a marker ends what its producer had open.
fn stored(batches: &Bytes) -> Result<Vec<Stored>> {
    let mut all: Vec<Stored> = Vec::new();
    let mut open: BTreeMap<i64, BTreeSet<usize>> = BTreeMap::new();
    for batch in complete_batches(batches) {
        let batch = batch?;
        let header = batch.header;
        ensure!(header.is_transactional(), "a batch without a transaction at {}", header.base_offset);
        for record in batch.records(&DecompressLimits::default())? {
            let record = record?;
            if !header.is_control() {
                let value = record.value.context("a record without a value")?;
                let value = Value::parse(std::str::from_utf8(&value)?)?;
                open.entry(header.producer_id).or_default().insert(all.len());
                all.push(Stored { offset: record.offset, value, end: End::Open });
                continue;
            }
            let end = match record.key.as_deref().and_then(ControlType::from_key) {
                Some(ControlType::Commit) => End::Commit,
                Some(ControlType::Abort) => End::Abort,
                other => anyhow::bail!("a marker {other:?} at {}", record.offset),
            };
            for at in open.remove(&header.producer_id).unwrap_or_default() {
                if let Some(stored) = all.get_mut(at) {
                    stored.end = end;
                }
            }
        }
    }
    Ok(all)
}

/// Where readers of committed records come to, and where the partition ends.
pub(super) fn ends(client: &mut Raw, topic: &str, partition: i32) -> Result<(i64, i64)> {
    let mut end = |isolation_level| -> Result<i64> {
        let partitions = vec![ListOffsetsPartition {
            partition_index: partition,
            timestamp: LATEST,
            ..ListOffsetsPartition::default()
        }];
        let topics = vec![ListOffsetsTopic { name: text(topic), partitions }];
        let request =
            ListOffsetsRequest { replica_id: -1, isolation_level, topics, ..ListOffsetsRequest::default() };
        let response = client.call(&request, LIST_OFFSETS)?;
        let found = response.topics.first().and_then(|topic| topic.partitions.first());
        let found = found.context("no partition in the answer")?;
        ensure!(found.error_code == 0, "ListOffsets answered error {}", found.error_code);
        Ok(found.offset)
    };
    Ok((end(1)?, end(0)?))
}

/// Where a group stands in the source, if nothing of it is still open.
pub(super) fn group(client: &mut Raw, group_id: &str) -> Result<Vec<At>> {
    let topic = OffsetFetchRequestTopic {
        name: text(SOURCE),
        partition_indexes: (0..PARTITIONS).collect(),
        ..OffsetFetchRequestTopic::default()
    };
    let request = OffsetFetchRequest {
        group_id: text(group_id),
        topics: Some(vec![topic]),
        require_stable: true,
        ..OffsetFetchRequest::default()
    };
    let answer = client.call(&request, OFFSET_FETCH)?;
    ensure!(answer.error_code == 0, "OffsetFetch answered error {}", answer.error_code);
    let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
    let at = |partition| Place { topic: SOURCE, partition };
    let found = partitions.map(|one| {
        ensure!(one.error_code == 0, "OffsetFetch answered error {}", one.error_code);
        Ok((at(one.partition_index), one.committed_offset.max(0)))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use pagewire_record::{BatchBuilder, Codec, EndTxnMarker, control_batch};

    use super::*;

    fn records(producer: i64, texts: &[&str]) -> Bytes {
        let mut batch = BatchBuilder::new(Codec::None).producer(producer, 0, 0).transactional();
        for text in texts {
            batch.append(0, None, Some(text.as_bytes()), &[]).expect("a record");
        }
        batch.build().expect("a batch")
    }

    fn marker(producer: i64, control_type: ControlType) -> Bytes {
        let marker = EndTxnMarker { control_type, coordinator_epoch: 0 };
        control_batch(marker, producer, 0, 0).expect("a batch")
    }

    #[test]
    fn each_record_has_the_end_that_the_next_marker_of_its_producer_says() {
        let log = [
            records(1, &["1.0", "1.1"]),
            records(2, &["2.0"]),
            marker(1, ControlType::Abort),
            records(1, &["3.0"]),
            marker(2, ControlType::Commit),
        ];
        let ends: Vec<End> =
            stored(&log.concat().into()).expect("a log").iter().map(|stored| stored.end).collect();
        assert_eq!(ends, [End::Abort, End::Abort, End::Commit, End::Open]);
    }
}
