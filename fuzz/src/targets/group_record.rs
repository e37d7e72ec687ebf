//! `[flags u8][key length u16][key][value]`: a record of `__consumer_offsets`, as read back at start.

use pagewire_coordinate::{
    ConsumerSettings, Decoded, GroupMember, GroupMetadata, Now, OffsetKey, OffsetValue, Record, Settings,
    Shard,
};

use crate::input::{Input, chunk};

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let tombstone = input.u8() & 1 == 1;
    let key = input.chunk();
    let value = if tombstone { None } else { Some(input.rest()) };
    let decoded = Record::decode(key, value);

    let mut shard = Shard::new(Settings::default());
    assert_eq!(shard.replay(key, value, 0).is_ok(), decoded.is_ok());
    drop(shard.loaded(|_| ConsumerSettings::default().timing(), Now::both(0)));
    drop(shard.on_time(Now::both(i64::from(i32::MAX))));

    let Ok(Decoded::Record(record)) = decoded else { return };
    let (Ok(key), Ok(value)) = (record.encode_key(), record.encode_value()) else {
        panic!("{record:?} was read but not written");
    };
    assert_eq!(
        Record::decode(&key, value.as_deref()),
        Ok(Decoded::Record(record)),
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

fn records() -> Vec<Record> {
    let key = OffsetKey { group_id: "group".into(), topic: "orders".into(), partition: 3 };
    let value = OffsetValue {
        offset: 42,
        leader_epoch: 1,
        metadata: "note".into(),
        commit_ms: 1_700_000_000_000,
        expire_ms: None,
        topic_id: [9; 16],
    };
    let member = GroupMember {
        member_id: "member-1".into(),
        instance_id: Some("static".into()),
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        rebalance_timeout_ms: 60_000,
        session_timeout_ms: 10_000,
        subscription: vec![0, 1, 2].into(),
        assignment: vec![3, 4].into(),
    };
    let group = GroupMetadata {
        protocol_type: "consumer".into(),
        generation: 5,
        protocol: Some("range".into()),
        leader: Some("member-1".into()),
        state_since_ms: Some(1_700_000_000_000),
        members: vec![member],
    };
    vec![
        Record::Offset { key: key.clone(), value: None },
        Record::Offset {
            key: key.clone(),
            value: Some(OffsetValue { expire_ms: Some(5), leader_epoch: -1, ..value.clone() }),
        },
        Record::Offset { key, value: Some(value) },
        Record::Group { group_id: "group".into(), value: None },
        Record::Group { group_id: "group".into(), value: Some(group) },
    ]
}
