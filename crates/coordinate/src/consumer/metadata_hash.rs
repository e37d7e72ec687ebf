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
    existing.iter().for_each(|(_, topic)| hash.update(&topic.to_le_bytes()));
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
