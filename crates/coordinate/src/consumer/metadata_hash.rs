//! Whether topics that a group subscribes to look as they did: a hash of their ids, names, partitions and racks (KIP-1101),
//! the very number that Kafka 4.3 writes, so that a group that moves here is not assigned anew.
//!
//! ```text
//!   topic  XXH3-64 of  0 i8 │ id i64, i64 │ name │ partitions i32 │ for each: number i32 │ racks sorted: length i32, rack
//!   group  XXH3-64 of  the hashes of its topics that exist, by name; 0 if there are none
//!   text:  UTF-16, then its length i32; everything little endian
//! ```

use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

use crate::topics::{Topic, Topics};

/// The hash of these topics.
pub(crate) fn of<'a>(names: impl IntoIterator<Item = &'a Arc<str>>, topics: &dyn Topics) -> i64 {
    let mut existing: Vec<(Vec<u16>, u64)> = names
        .into_iter()
        .filter_map(|name| Some((name, topics.topic(name)?)))
        .map(|(name, topic)| (name.encode_utf16().collect(), of_topic(name, topic, topics.rack())))
        .collect();
    if existing.is_empty() {
        return 0;
    }
    existing.sort_unstable();
    let mut hash = Xxh3::new();
    for (_, topic) in &existing {
        hash.update(&topic.to_le_bytes());
    }
    hash.digest() as i64
}

fn of_topic(name: &str, topic: Topic, rack: Option<&str>) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&[0]);
    let id = u128::from_be_bytes(topic.id);
    hash.update(&((id >> 64) as u64).to_le_bytes());
    hash.update(&(id as u64).to_le_bytes());
    text(&mut hash, name);
    hash.update(&topic.partitions.to_le_bytes());
    for partition in 0..topic.partitions {
        hash.update(&partition.to_le_bytes());
        if let Some(rack) = rack {
            hash.update(&utf16_len(rack).to_le_bytes());
            text(&mut hash, rack);
        }
    }
    hash.digest()
}

fn text(hash: &mut Xxh3, text: &str) {
    text.encode_utf16().for_each(|unit| hash.update(&unit.to_le_bytes()));
    hash.update(&utf16_len(text).to_le_bytes());
}

fn utf16_len(text: &str) -> i32 {
    text.encode_utf16().count() as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topics::TopicTable;

    fn kafkas_topics() -> TopicTable {
        let mut topics = TopicTable::default();
        let t1 = 0x469e_6a09_767e_42bf_bef7_382b_3bfd_0899_u128;
        let t2 = 0xecd2_c9f1_dda7_44c1_837d_760c_d4a6_cd87_u128;
        topics.put("t1", Topic { id: t1.to_be_bytes(), partitions: 3 });
        topics.put("t2", Topic { id: t2.to_be_bytes(), partitions: 2 });
        topics
    }

    /// The numbers stand in records that Kafka 4.3.1 wrote for these topics (tests/kafka/consumer_offsets.txt).
    #[test]
    fn the_hash_is_the_one_that_kafka_writes() {
        let topics = kafkas_topics();
        let names = ["t2", "missing", "t1"].map(Arc::from);
        assert_eq!(of(&names, &topics), 0x3d81_02e1_3330_4ba2);
        assert_eq!(of(&["t1".into()], &topics), 0xc61c_85d0_ac75_4bb6_u64 as i64);
        assert_eq!(of(&["missing".into()], &topics), 0);
    }

    #[test]
    fn another_partition_or_rack_is_another_hash() {
        let names = ["t1".into()];
        let mut topics = kafkas_topics();
        let before = of(&names, &topics);
        topics.set_rack("r1");
        let with_rack = of(&names, &topics);
        let id = topics.topic("t1").unwrap().id;
        topics.put("t1", Topic { id, partitions: 4 });
        let hashes = [before, with_rack, of(&names, &topics)];
        assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2]);
    }
}
