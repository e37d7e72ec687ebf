//! What of an answer a reader sees.

use bytes::Bytes;
use pagewire_record::{BatchBuilder, Codec, EndTxnMarker, control_batch};
use pagewire_wire::Records;
use pagewire_wire::messages::fetch_response::AbortedTransaction;

use super::super::offsets::READ_UNCOMMITTED;
use super::*;

fn batch(base: i64, producer: Option<i64>, values: &[&str]) -> Bytes {
    let mut builder = BatchBuilder::new(Codec::None).base_offset(base);
    if let Some(producer) = producer {
        builder = builder.producer(producer, 0, 0).transactional();
    }
    for value in values {
        builder.append(1, None, Some(value.as_bytes()), &[]).unwrap();
    }
    builder.build().unwrap()
}

fn marker(base: i64, producer: i64, control_type: ControlType) -> Bytes {
    let marker = control_batch(EndTxnMarker { control_type, coordinator_epoch: 0 }, producer, 0, 1).unwrap();
    let mut bytes = marker.to_vec();
    bytes[..8].copy_from_slice(&base.to_be_bytes());
    Bytes::from(bytes)
}

fn answer(batches: &[Bytes], aborted: &[(i64, i64)]) -> PartitionData {
    let aborted =
        aborted.iter().map(|&(producer_id, first_offset)| AbortedTransaction { producer_id, first_offset });
    PartitionData {
        records: Records::Bytes(Bytes::from(batches.concat())),
        aborted_transactions: Some(aborted.collect()),
        ..PartitionData::default()
    }
}

fn values(chunks: &[Chunk]) -> Vec<String> {
    let records = chunks.iter().flat_map(|chunk| &chunk.records);
    records.map(|r| format!("{}{}", String::from_utf8_lossy(r.value.as_ref().unwrap()), r.offset)).collect()
}

#[test]
fn records_before_the_wanted_offset_are_left_out_and_a_cut_batch_waits() {
    let cut = batch(4, None, &["x"]).slice(..65);
    let data = answer(&[batch(0, None, &["a", "b", "c"]), cut], &[]);
    let (chunks, failure) = chunks("t", &data, 1, READ_UNCOMMITTED);
    assert!(failure.is_none());
    assert_eq!(values(&chunks), ["b1", "c2"]);
    assert_eq!(chunks[0].next_offset, 3);
}

#[test]
fn aborted_records_and_markers_are_seen_only_by_those_who_want_them() {
    let batches = [
        batch(0, Some(7), &["bad"]),
        batch(1, Some(8), &["good"]),
        marker(2, 7, ControlType::Abort),
        batch(3, Some(7), &["again"]),
        marker(4, 7, ControlType::Commit),
    ];
    let data = answer(&batches, &[(7, 0)]);
    let (committed, _) = chunks("t", &data, 0, READ_COMMITTED);
    assert_eq!(values(&committed), ["good1", "again3"]);
    assert_eq!(committed.last().map(|chunk| chunk.next_offset), Some(5));
    let (all, _) = chunks("t", &data, 0, READ_UNCOMMITTED);
    assert_eq!(values(&all), ["bad0", "good1", "again3"]);
}

#[test]
fn damaged_records_are_an_error_after_what_was_whole() {
    let mut bad = batch(1, None, &["x"]).to_vec();
    let end = bad.len() - 1;
    bad[end] ^= 1;
    let (chunks, failure) =
        chunks("t", &answer(&[batch(0, None, &["a"]), Bytes::from(bad)], &[]), 0, READ_UNCOMMITTED);
    assert_eq!(values(&chunks), ["a0"]);
    let said = failure.map(|error| error.to_string()).unwrap_or_default();
    assert!(
        said.starts_with("t [0] at offset 1: the records there are damaged (") && said.contains("--from"),
        "{said}"
    );
}

#[test]
fn nothing_new_is_an_empty_chunk() {
    let (chunks, failure) = chunks("t", &answer(&[], &[]), 5, READ_UNCOMMITTED);
    assert!(failure.is_none());
    assert_eq!((chunks[0].next_offset, chunks[0].records.len()), (5, 0));
}
