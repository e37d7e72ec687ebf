//! Records of `__transaction_state`: those that Apache Kafka 4.3.1 wrote are read as what they are and written byte for byte,
//! in both versions; whatever else comes is an error, never a panic.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use pagewire_coordinate::txn::{
    Add, Effects, End, Init, Input, Marked, Outcome, Settings, Shard, TxnDecodeError, TxnDecoded, TxnRecord,
    TxnState, TxnTopic, TxnValue, TxnVersion,
};
use pagewire_coordinate::{Now, Token};
use pagewire_record::fields::FieldError;
use proptest::prelude::*;

/// A producer `app-one` of version 2: it began, took partitions in one by one, committed, aborted, began again and was
/// fenced by a successor. The last one is `app-two`, of which a transaction is open.
const LOG: [(&str, &str); 9] = [
    (
        "000000076170702d6f6e65",
        "0001000000000000000000000000ea600000000001a21a193539ffffffffffffffff0100080000000000000000",
    ),
    (
        "000000076170702d6f6e65",
        "0001000000000000000000000000ea600103066175646974020000000000076f7264657273040000000000000001000000020000\
         0001a21a193c4c000001a21a193aa6020008000000000000000002020002",
    ),
    (
        "000000076170702d6f6e65",
        "0001000000000000000000010000ea600203066175646974020000000000076f7264657273040000000000000001000000020000\
         0001a21a193cbe000001a21a193aa6020008000000000000000002020002",
    ),
    (
        "000000076170702d6f6e65",
        "0001000000000000000000010000ea600401000001a21a193ce0000001a21a193aa6020008000000000000000002020002",
    ),
    (
        "000000076170702d6f6e65",
        "0001000000000000000000020000ea600302076f7264657273020000000100000001a21a193f14000001a21a193ef5020008\
         000000000000000002020002",
    ),
    (
        "000000076170702d6f6e65",
        "0001000000000000000000020000ea600501000001a21a193f17000001a21a193ef5020008000000000000000002020002",
    ),
    (
        "000000076170702d6f6e65",
        "0001000000000000000000030000ea600302076f7264657273020000000200000001a21a1940be000001a21a193f4e020008\
         000000000000000002020002",
    ),
    (
        "000000076170702d6f6e65",
        "0001000000000000000000040000ea600000000001a21a194136ffffffffffffffff020008000000000000000002020002",
    ),
    (
        "000000076170702d74776f",
        "0001000000000000000100000000ea600102076f7264657273020000000000000001a21a194333000001a21a194333020008\
         000000000000000102020002",
    ),
];

/// A producer `app-zero` where `transaction.version` is 0, what it did and when: it began, took in a partition, committed; then
/// its markers were written.
const LOG_AT_0: [(i64, &str); 4] = [
    (1_795_887_940_941, "0000000000000000000000000000ea6000ffffffff000001a22343454dffffffffffffffff"),
    (
        1_795_887_941_297,
        "0000000000000000000000000000ea60010000000100066f72646572730000000100000001000001a2234346b1\
         000001a2234346b1",
    ),
    (
        1_795_887_941_542,
        "0000000000000000000000000000ea60020000000100066f72646572730000000100000001000001a2234347a6\
         000001a2234346b1",
    ),
    (1_795_887_941_557, "0000000000000000000000000000ea600400000000000001a2234347b5000001a2234346b1"),
];

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        hex.chars().filter_map(|letter| letter.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn read(key: &[u8], value: Option<&[u8]>) -> TxnRecord {
    match TxnRecord::decode(key, value) {
        Ok(TxnDecoded::Record(record)) => record,
        other => panic!("{other:?}"),
    }
}

#[test]
fn records_of_kafka_are_written_as_kafka_writes_them() {
    for (key, value) in LOG {
        let (key, value) = (bytes(key), bytes(value));
        let record = read(&key, Some(&value));
        assert_eq!(record.encode_key().unwrap(), key);
        assert_eq!(record.encode_value().unwrap().unwrap(), value);
    }
}

/// Writes what is to be written, and returns the values; the markers wait.
fn write(shard: &mut Shard, effects: Effects, now: Now, values: &mut Vec<Vec<u8>>) -> Effects {
    let mut next = Effects::default();
    for append in effects.appends {
        values.extend(append.encode().unwrap().into_iter().map(|(_, value)| value.unwrap().to_vec()));
        next = shard.appended(append, now);
    }
    next
}

#[test]
fn where_transactions_have_version_0_records_are_those_that_kafka_writes_there() {
    let mut shard = Shard::new(Settings::default(), 0);
    shard.loaded(Now::both(LOG_AT_0[0].0));
    shard.go_by(0);
    shard.give_producer_id(0);
    let (token, transactional_id) = (Token(1), "app-zero".to_owned());
    let (producer_id, producer_epoch, version) = (0, 0, TxnVersion::Classic);
    let partitions = vec![(Arc::from("orders"), 1)];
    let init = Init { token, transactional_id: transactional_id.clone(), timeout_ms: 60_000, expected: None };
    let add = Add {
        token,
        transactional_id: transactional_id.clone(),
        producer_id,
        producer_epoch,
        partitions,
        version,
    };
    let end = End { token, transactional_id, producer_id, producer_epoch, outcome: Outcome::Commit, version };
    let (mut values, mut next) = (Vec::new(), Effects::default());
    for (input, (now_ms, _)) in
        [Input::Init(init), Input::Add(add), Input::End(end)].into_iter().zip(LOG_AT_0)
    {
        let now = Now::both(now_ms);
        let effects = shard.handle(input, now);
        next = write(&mut shard, effects, now, &mut values);
    }
    let now = Now::both(LOG_AT_0[3].0);
    let done = shard.markers_written(&next.markers[0].of, &[("orders".into(), 1, Marked::Written)], now);
    let _ = write(&mut shard, done, now, &mut values);
    assert_eq!(values, LOG_AT_0.map(|(_, value)| bytes(value)));
}

#[test]
fn a_record_of_kafka_is_read_as_what_it_says() {
    let record = read(&bytes(LOG[2].0), Some(&bytes(LOG[2].1)));
    assert_eq!(&*record.transactional_id, "app-one");
    let topic =
        |name: &str, partitions: &[i32]| TxnTopic { topic: name.into(), partitions: partitions.to_vec() };
    let said = TxnValue {
        version: 1,
        producer_id: 0,
        previous_producer_id: 0,
        next_producer_id: -1,
        producer_epoch: 1,
        next_producer_epoch: -1,
        timeout_ms: 60_000,
        state: TxnState::PrepareCommit,
        topics: Some(vec![topic("audit", &[0]), topic("orders", &[0, 1, 2])]),
        updated_ms: 0x0000_01a2_1a19_3cbe,
        started_ms: 0x0000_01a2_1a19_3aa6,
        client_version: 2,
    };
    assert_eq!(record.value, Some(said));
    let first = read(&bytes(LOG[0].0), Some(&bytes(LOG[0].1))).value.unwrap();
    assert_eq!((first.state, first.topics, first.started_ms), (TxnState::Empty, None, -1));
}

fn value() -> impl Strategy<Value = TxnValue> {
    let topic = ("[a-z]{1,4}|x{200}", proptest::collection::vec(0..9, 0..4))
        .prop_map(|(topic, partitions)| TxnTopic { topic: topic.into(), partitions });
    let topics = proptest::option::of(proptest::collection::vec(topic, 0..4));
    let ids = (any::<i64>(), any::<i64>(), any::<i64>(), any::<i16>(), any::<i16>());
    (0..=1i16, ids, any::<i32>(), 0..8i8, topics, any::<i64>(), any::<i64>(), 0..3i16).prop_map(
        |(version, ids, timeout_ms, state, topics, updated_ms, started_ms, client_version)| {
            let tagged = version > 0;
            TxnValue {
                version,
                producer_id: ids.0,
                previous_producer_id: if tagged { ids.1 } else { -1 },
                next_producer_id: if tagged { ids.2 } else { -1 },
                producer_epoch: ids.3,
                next_producer_epoch: if tagged { ids.4 } else { -1 },
                timeout_ms,
                state: TxnState::of(state).unwrap(),
                topics,
                updated_ms,
                started_ms,
                client_version: if tagged { client_version } else { 0 },
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_value_comes_back_from_its_bytes_in_both_versions_and_never_from_fewer(value in value()) {
        let bytes = value.encode().unwrap();
        prop_assert_eq!(TxnValue::decode(&bytes), Ok(value));
        for len in 0..bytes.len() {
            prop_assert!(TxnValue::decode(&bytes[..len]).is_err(), "cut at {}", len);
        }
    }

    #[test]
    fn whatever_comes_is_read_or_refused(key: Vec<u8>, value: Vec<u8>, version in 0..2u8) {
        let _ = TxnRecord::decode(&key, Some(&value));
        let _ = TxnValue::decode(&[&[0, version][..], &value].concat());
    }
}

#[test]
fn what_is_not_known_is_said_and_what_is_of_another_kind_is_passed_over() {
    assert_eq!(TxnRecord::decode(b"\0\x09\0\x01g", None), Ok(TxnDecoded::Skipped { key_type: 9 }));
    assert_eq!(TxnRecord::decode(b"\0\0\xff\xff", None), Err(TxnDecodeError::Field(FieldError::Length)));
    assert_eq!(read(b"\0\0\0\x03app", None), TxnRecord { transactional_id: "app".into(), value: None });
    assert_eq!(TxnValue::decode(b"\0\x02"), Err(TxnDecodeError::Version(2)));
    let mut strange = bytes(LOG[0].1);
    strange[16] = 8;
    assert_eq!(TxnValue::decode(&strange), Err(TxnDecodeError::State(8)));
}

#[test]
fn counts_above_127_take_two_bytes() {
    let topic = TxnTopic { topic: "t".into(), partitions: (0..200).collect() };
    let value = TxnValue {
        topics: Some(vec![topic; 150]),
        ..read(&bytes(LOG[1].0), Some(&bytes(LOG[1].1))).value.unwrap()
    };
    assert_eq!(TxnValue::decode(&value.encode().unwrap()), Ok(value));
}

#[test]
fn a_name_that_could_not_be_written_back_is_not_read() {
    let topic = TxnTopic { topic: "x".repeat(32_767).into(), partitions: vec![0] };
    let whole = read(&bytes(LOG[1].0), Some(&bytes(LOG[1].1))).value.unwrap();
    let longest = TxnValue { topics: Some(vec![topic]), ..whole };
    let mut value = longest.encode().unwrap().to_vec();
    assert_eq!(TxnValue::decode(&value), Ok(longest));
    // The length of the name, plus one, as a varint of three bytes: 32768, then 32769.
    assert_eq!(value[18..21], [0x80, 0x80, 0x02]);
    value[18] = 0x81;
    value.insert(21, b'x');
    assert_eq!(TxnValue::decode(&value), Err(TxnDecodeError::Field(FieldError::Length)));
}

#[test]
fn a_claimed_count_takes_no_memory() {
    // So many topics, and then so many partitions of one, of which nothing is there.
    let head = |version: u8| [&[0, version][..], &[0; 14], &[1]].concat();
    for tail in [&b"\xff\xff\xff\xff\x0f"[..], b"\x02\x02a\xff\xff\xff\xff\x0f"] {
        assert_eq!(
            TxnValue::decode(&[&head(1)[..], tail].concat()),
            Err(TxnDecodeError::Field(FieldError::Short))
        );
    }
    for tail in [&b"\x7f\xff\xff\xff"[..], b"\0\0\0\x01\0\x01a\x7f\xff\xff\xff"] {
        assert_eq!(
            TxnValue::decode(&[&head(0)[..], tail].concat()),
            Err(TxnDecodeError::Field(FieldError::Short))
        );
    }
}
