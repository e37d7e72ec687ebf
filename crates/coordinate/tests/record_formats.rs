//! The formats of `__consumer_offsets`: what is written can be read, what Kafka wrote can be read, and what nobody
//! wrote is an error.

use std::sync::Arc;

use bytes::Bytes;
use pagewire_coordinate::{
    DecodeError, Decoded, GroupMember, GroupMetadata, OffsetKey, OffsetValue, Record, Settings, Shard,
};
use pagewire_record::fields::FieldError;
use proptest::prelude::*;

fn text() -> impl Strategy<Value = Arc<str>> {
    "[a-zä€😀]{0,12}".prop_map(Arc::from)
}

fn bytes() -> impl Strategy<Value = Bytes> {
    proptest::collection::vec(any::<u8>(), 0..20).prop_map(Bytes::from)
}

fn offset_value() -> impl Strategy<Value = OffsetValue> {
    (any::<i64>(), any::<i32>(), text(), any::<i64>(), proptest::option::of(0..i64::MAX), any::<[u8; 16]>())
        .prop_map(|(offset, leader_epoch, metadata, commit_ms, expire_ms, topic_id)| OffsetValue {
            offset,
            leader_epoch: if expire_ms.is_some() { -1 } else { leader_epoch },
            metadata,
            commit_ms,
            expire_ms,
            topic_id: if expire_ms.is_some() { [0; 16] } else { topic_id },
        })
}

fn member() -> impl Strategy<Value = GroupMember> {
    (text(), proptest::option::of(text()), text(), text(), any::<(i32, i32)>(), bytes(), bytes()).prop_map(
        |(member_id, instance_id, client_id, client_host, timeouts, subscription, assignment)| GroupMember {
            member_id,
            instance_id,
            client_id,
            client_host,
            rebalance_timeout_ms: timeouts.0,
            session_timeout_ms: timeouts.1,
            subscription,
            assignment,
        },
    )
}

fn group_value() -> impl Strategy<Value = GroupMetadata> {
    let members = proptest::collection::vec(member(), 0..4);
    let maybe = || proptest::option::of(text());
    (text(), any::<i32>(), maybe(), maybe(), proptest::option::of(0..i64::MAX), members).prop_map(
        |(protocol_type, generation, protocol, leader, state_since_ms, members)| GroupMetadata {
            protocol_type,
            generation,
            protocol,
            leader,
            state_since_ms,
            members,
        },
    )
}

fn record() -> impl Strategy<Value = Record> {
    prop_oneof![
        (text(), text(), any::<i32>(), proptest::option::of(offset_value())).prop_map(
            |(group_id, topic, partition, value)| Record::Offset {
                key: OffsetKey { group_id, topic, partition },
                value
            }
        ),
        (text(), proptest::option::of(group_value()))
            .prop_map(|(group_id, value)| Record::Group { group_id, value }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(record in record()) {
        let (key, value) = (record.encode_key().unwrap(), record.encode_value().unwrap());
        prop_assert_eq!(Record::decode(&key, value.as_deref()), Ok(Decoded::Record(record)));
    }

    #[test]
    fn bytes_cut_short_are_errors(record in record(), at in any::<prop::sample::Index>()) {
        let key = record.encode_key().unwrap();
        prop_assert!(Record::decode(&key[..at.index(key.len())], None).is_err());
        if let Some(value) = record.encode_value().unwrap() {
            prop_assert!(Record::decode(&key, Some(&value[..at.index(value.len())])).is_err());
        }
    }

    #[test]
    fn hostile_bytes_never_panic(
        kind in 0..4i16,
        version in -1..6i16,
        key in proptest::collection::vec(any::<u8>(), 0..60),
        value in proptest::collection::vec(any::<u8>(), 0..120),
    ) {
        let key = [&kind.to_be_bytes()[..], &key].concat();
        let value = [&version.to_be_bytes()[..], &value].concat();
        let _ = Shard::new(Settings::default()).replay(&key, Some(&value), 0);
        let good = [&kind.to_be_bytes()[..], b"\0\x01g\0\x01t\0\0\0\0"].concat();
        let _ = Shard::new(Settings::default()).replay(&good, Some(&value), 0);
    }

    #[test]
    fn flipped_bits_never_panic(record in record(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let key = record.encode_key().unwrap();
        if let Some(value) = record.encode_value().unwrap() {
            let mut value = value.to_vec();
            let at = at.index(value.len());
            value[at] ^= 1 << bit;
            let _ = Shard::new(Settings::default()).replay(&key, Some(&value), 0);
        }
    }
}

const OFFSET_KEY: &[u8] = b"\0\x01\0\x01g\0\x01t\0\0\0\x03";

fn offset_from(value: &[u8]) -> Result<OffsetValue, DecodeError> {
    match Record::decode(OFFSET_KEY, Some(value))? {
        Decoded::Record(Record::Offset { value: Some(value), .. }) => Ok(value),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_version_of_an_offset_is_read() {
    let plain = OffsetValue {
        offset: 5,
        leader_epoch: -1,
        metadata: Arc::from("m"),
        commit_ms: 9,
        expire_ms: None,
        topic_id: [0; 16],
    };
    let (five, nine, ten) = (b"\0\0\0\0\0\0\0\x05", b"\0\0\0\0\0\0\0\x09", b"\0\0\0\0\0\0\0\x0a");
    for version in [b"\0\0", b"\0\x02"] {
        assert_eq!(offset_from(&[&version[..], five, b"\0\x01m", nine].concat()), Ok(plain.clone()));
    }
    let with_expiry = OffsetValue { expire_ms: Some(10), ..plain.clone() };
    assert_eq!(offset_from(&[&b"\0\x01"[..], five, b"\0\x01m", nine, ten].concat()), Ok(with_expiry));
    let with_epoch = OffsetValue { leader_epoch: 7, ..plain.clone() };
    let third = [&b"\0\x03"[..], five, b"\0\0\0\x07", b"\0\x01m", nine].concat();
    assert_eq!(offset_from(&third), Ok(with_epoch.clone()));
    let fourth = [&b"\0\x04"[..], five, b"\0\0\0\x07", b"\x02m", nine].concat();
    let with_id = OffsetValue { topic_id: [6; 16], ..with_epoch.clone() };
    assert_eq!(offset_from(&[&fourth[..], b"\x01\0\x10", &[6; 16]].concat()), Ok(with_id));
    // A tag of a later release is passed over.
    assert_eq!(offset_from(&[&fourth[..], b"\x01\x05\x02xy"].concat()), Ok(with_epoch));
    assert_eq!(offset_from(b"\0\x05"), Err(DecodeError::Version(5)));
    assert_eq!(offset_from(b"\xff\xff"), Err(DecodeError::Version(-1)));
}

#[test]
fn a_claimed_count_allocates_nothing() {
    let key = b"\0\x02\0\x01g";
    let value = b"\0\x03\0\x08consumer\0\0\0\x01\0\x05range\0\x01a\0\0\0\0\0\0\0\0\x7f\xff\xff\xff";
    assert_eq!(Record::decode(key, Some(value)), Err(DecodeError::Field(FieldError::Short)));
}

#[test]
fn records_of_other_kinds_of_groups_are_passed_over() {
    assert_eq!(Record::decode(b"\0\x0b\0\x01g", Some(b"\0\0")), Ok(Decoded::Skipped { key_type: 11 }));
}

#[test]
fn a_name_longer_than_the_format_is_refused() {
    let record = Record::Group { group_id: Arc::from("x".repeat(40_000)), value: None };
    assert!(record.encode_key().is_err());
}
