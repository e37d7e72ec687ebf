//! Partitions in JSON: those that follow each other and are placed alike are one entry with a `count`, so that a topic
//! of a hundred thousand partitions is as long as one of two. An entry without a count is one partition.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::topic::PartitionRecord;

/// Partitions of one topic. What is read can be no larger, whatever its counts say.
const PARTITIONS_MAX: usize = 1 << 20;

#[derive(Serialize, Deserialize)]
struct Run {
    #[serde(flatten)]
    each: PartitionRecord,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    count: usize,
}

const fn one() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_one(count: &usize) -> bool {
    *count == 1
}

pub(super) fn serialize<S: Serializer>(
    partitions: &[PartitionRecord],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let alike = partitions.chunk_by(|one, next| one == next);
    serializer.collect_seq(alike.filter_map(|run| Some(Run { each: run.first()?.clone(), count: run.len() })))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<PartitionRecord>, D::Error> {
    let mut partitions = Vec::new();
    for run in Vec::<Run>::deserialize(deserializer)? {
        if run.count > PARTITIONS_MAX - partitions.len() {
            return Err(D::Error::custom(format!("more than {PARTITIONS_MAX} partitions")));
        }
        partitions.resize(partitions.len() + run.count, run.each);
    }
    Ok(partitions)
}

#[cfg(test)]
mod tests {
    use crate::model::{PartitionRecord, TopicRecord, decode, encode};

    fn read(partitions: &str) -> Result<TopicRecord, crate::model::ModelError> {
        let id = "AAAAAAAAAAAAAAAAAAAAAQ";
        let json = format!(
            r#"{{"v":1,"name":"t","topic_id":"{id}","partitions":[{partitions}],"created_ms":0,"internal":true}}"#
        );
        decode(json.as_bytes())
    }

    #[test]
    fn partitions_placed_alike_take_the_place_of_one() {
        let mut topic = TopicRecord::on_one_node("t", 100_000, 1, 0);
        let bytes = encode(&topic).expect("a record");
        assert!(bytes.len() < 300, "{}", bytes.len());
        assert_eq!(decode::<TopicRecord>(&bytes).expect("a record"), topic);
        topic.partitions[7] = PartitionRecord { leader: -1, leader_epoch: 3, ..PartitionRecord::on(2, None) };
        assert_eq!(decode::<TopicRecord>(&encode(&topic).expect("a record")).expect("a record"), topic);
    }

    #[test]
    fn partitions_keep_the_directory_they_are_in() {
        let mut topic = TopicRecord::on_one_node("t", 4, 1, 0);
        let directory = Some(uuid::Uuid::from_u128(7));
        topic.partitions[2].directory = directory;
        topic.partitions[3].directory = directory;
        topic.partitions[1].left = directory;
        topic.partitions[1].behind = vec![uuid::Uuid::from_u128(8), uuid::Uuid::from_u128(9)];
        let bytes = encode(&topic).expect("a record");
        assert_eq!(decode::<TopicRecord>(&bytes).expect("a record"), topic);
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        assert_eq!(text.matches("directory").count(), 1, "one run has it: {text}");
    }

    #[test]
    fn who_does_not_know_what_a_partition_left_does_not_read_it() {
        let version = |alter: fn(&mut PartitionRecord)| {
            let mut topic = TopicRecord::on_one_node("t", 2, 1, 0);
            topic.partitions[1].directory = Some(uuid::Uuid::from_u128(7));
            alter(&mut topic.partitions[1]);
            let bytes = encode(&topic).expect("a record");
            String::from_utf8_lossy(&bytes).split(',').next().map(str::to_owned)
        };
        let left = version(|one| one.left = Some(uuid::Uuid::from_u128(8)));
        let behind = version(|one| one.behind = vec![uuid::Uuid::from_u128(8)]);
        let newer = Some(r#"{"v":4"#.to_owned());
        assert_eq!((left, behind), (newer.clone(), newer));
        assert_eq!(version(|_| ()), Some(r#"{"v":3"#.to_owned()), "an older one reads it");
    }

    #[test]
    fn partitions_one_by_one_are_read_as_before() {
        let one = r#"{"replicas":[1],"leader":1,"leader_epoch":0}"#;
        assert_eq!(read(&format!("{one},{one}")).expect("a record").partitions.len(), 2);
    }

    #[test]
    fn a_count_beyond_all_measure_is_an_error() {
        let run = |count: u64| format!(r#"{{"replicas":[1],"leader":1,"leader_epoch":0,"count":{count}}}"#);
        assert!(read(&run(1 << 20)).is_ok());
        assert!(read(&run((1 << 20) + 1)).is_err());
        assert!(read(&format!("{},{}", run(1 << 20), run(1))).is_err());
        assert!(read(&run(u64::MAX)).is_err());
    }
}
