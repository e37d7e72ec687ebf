//! `[flags u8][key length u16][key][value]`: a record of `__transaction_state`, as read back at start.

use pagewire_coordinate::{
    Now,
    txn::{Marked, Settings, Shard, TxnDecoded, TxnRecord, TxnState, TxnTopic, TxnValue},
};

use crate::input::{Input, chunk};

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let tombstone = input.u8() & 1 == 1;
    let key = input.chunk();
    let value = if tombstone { None } else { Some(input.rest()) };
    let decoded = TxnRecord::decode(key, value);

    let mut shard = Shard::new(Settings::default(), 0);
    assert_eq!(shard.replay(key, value).is_ok(), decoded.is_ok());
    let now = Now::both(i64::from(i32::MAX));
    shard.loaded(now);
    for markers in shard.on_time(now).markers {
        let each = markers.topics.iter().flat_map(|(topic, partitions)| {
            partitions.iter().map(|partition| (topic.clone(), *partition, Marked::Written))
        });
        let ended = shard.markers_written(&markers.of, &each.collect::<Vec<_>>(), now);
        assert_eq!(ended.appends.len(), 1, "every marker is there");
    }

    let Ok(TxnDecoded::Record(record)) = decoded else { return };
    let (Ok(key), Ok(value)) = (record.encode_key(), record.encode_value()) else {
        panic!("{record:?} was read but not written");
    };
    assert_eq!(
        TxnRecord::decode(&key, value.as_deref()),
        Ok(TxnDecoded::Record(record)),
        "not the same the second time"
    );
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    records()
        .into_iter()
        .filter_map(|record| {
            let (key, value) = (record.encode_key().ok()?, record.encode_value().ok()?);
            let flags = u8::from(value.is_none());
            Some([vec![flags], chunk(&key), value.unwrap_or_default().to_vec()].concat())
        })
        .collect()
}

fn records() -> Vec<TxnRecord> {
    let topic = |topic: &str, partitions| TxnTopic { topic: topic.into(), partitions };
    let value = |version, state| TxnValue {
        version,
        producer_id: 7,
        previous_producer_id: if version > 0 { 6 } else { -1 },
        next_producer_id: if version > 0 { 8 } else { -1 },
        producer_epoch: 3,
        next_producer_epoch: -1,
        timeout_ms: 60_000,
        state,
        topics: Some(vec![topic("orders", vec![0, 2]), topic("audit", vec![1])]),
        updated_ms: 1_700_000_000_000,
        started_ms: 1_700_000_000_000,
        client_version: 2 * version,
    };
    let states =
        [TxnState::Ongoing, TxnState::PrepareCommit, TxnState::PrepareAbort, TxnState::CompleteAbort];
    let values = states.into_iter().flat_map(|state| [value(0, state), value(1, state)]);
    let empty = TxnValue { topics: None, started_ms: -1, ..value(1, TxnState::Empty) };
    let all = values.chain([empty]).map(Some).chain([None]);
    all.map(|value| TxnRecord { transactional_id: "app".into(), value }).collect()
}
