//! Records that Apache Kafka 4.3.1 wrote into its `__consumer_offsets`: a console consumer with a static id joined, read
//! three records of a topic with two partitions, and committed. They are read as what they are, and written byte for byte.

use std::sync::Arc;

use pagewire_coordinate::{Decoded, GroupState, Record, Settings, Shard};

/// Key and value of each record, in the order of the log.
const LOG: [(&str, &str); 4] = [
    ("0002000467727031", "0003000000000000ffffffff000001a2077f91f300000000"),
    (
        "0002000467727031",
        "00030008636f6e73756d657200000001000572616e6765002a696e7374312d63333064626462332d613730662d346562372d62373631\
         2d653236366335613730623737000001a2077f925500000001002a696e7374312d63333064626462332d613730662d346562372d62\
         3736312d6532363663356137306237370005696e7374310010636f6e736f6c652d636f6e73756d6572000a2f3132372e302e302e31\
         000493e00000afc80000001800030000000100027431ffffffff00000000ffffffffffff0000001a000300000001000274310000000\
         20000000000000001ffffffff",
    ),
    (
        "00010004677270310002743100000001",
        "00040000000000000000ffffffff01000001a2077f94ef010010d631e17844514542bd5daa098ecc6fd0",
    ),
    (
        "00010004677270310002743100000000",
        "000400000000000000030000000001000001a2077f94ef010010d631e17844514542bd5daa098ecc6fd0",
    ),
];

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        hex.chars().filter_map(|letter| letter.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[test]
fn records_of_kafka_are_written_as_kafka_writes_them() {
    for (key, value) in LOG {
        let (key, value) = (bytes(key), bytes(value));
        let Decoded::Record(record) = Record::decode(&key, Some(&value)).unwrap() else { panic!("skipped") };
        assert_eq!(record.encode_key().unwrap(), key);
        assert_eq!(record.encode_value().unwrap().unwrap(), value);
    }
}

#[test]
fn a_log_of_kafka_brings_back_its_group() {
    let mut shard = Shard::new(Settings::default());
    for (key, value) in LOG {
        shard.replay(&bytes(key), Some(&bytes(value)), 0).unwrap();
    }
    let group = shard.describe("grp1").unwrap();
    assert_eq!(
        (group.state, &*group.protocol_type, &*group.protocol),
        (GroupState::Stable, "consumer", "range")
    );
    let [member] = &group.members[..] else { panic!("{:?}", group.members) };
    assert_eq!(member.instance_id.as_deref(), Some("inst1"));
    assert_eq!((&*member.client_id, &*member.client_host), ("console-consumer", "/127.0.0.1"));
    let fetched = shard.fetch_offsets("grp1", &Arc::from("t1"), [0; 16], &[0, 1, 2], false);
    let offsets: Vec<(i64, i32)> = fetched.partitions.iter().map(|at| (at.offset, at.leader_epoch)).collect();
    assert_eq!(offsets, [(3, 0), (0, -1), (-1, -1)]);
}
