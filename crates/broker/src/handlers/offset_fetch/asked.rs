//! What a request asks for: each group, each topic of it and each partition of that once, in the order of the first
//! mention. A group of which everything is asked for anywhere is asked for as a whole.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
};

use foldhash::fast::RandomState;
use pagewire_wire::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};

use crate::net::Close;

/// Groups one request may name; more end the connection.
const GROUPS_MAX: usize = 100_000;
/// Partitions one request may name, in all its groups together; more end the connection.
const PARTITIONS_MAX: usize = 250_000;

/// Brings together what is said about the same group, topic and partition.
pub(super) fn distinct(groups: Vec<OffsetFetchRequestGroup>) -> Result<Vec<OffsetFetchRequestGroup>, Close> {
    let mut groups = merged(
        groups,
        |group| group.group_id.clone(),
        |group, more| {
            group.topics = match (group.topics.take(), more.topics) {
                (Some(mut topics), Some(others)) => {
                    topics.extend(others);
                    Some(topics)
                }
                _ => None,
            };
        },
    );
    if groups.len() > GROUPS_MAX {
        return Err(Close::because(format_args!("offsets of more than {GROUPS_MAX} groups are asked for")));
    }
    let mut left = PARTITIONS_MAX;
    for topics in groups.iter_mut().filter_map(|group| group.topics.as_mut()) {
        *topics = merged_topics(std::mem::take(topics));
        let partitions: usize = topics.iter().map(|topic| topic.partition_indexes.len()).sum();
        left = left.checked_sub(partitions).ok_or_else(|| {
            Close::because(format_args!("offsets of more than {PARTITIONS_MAX} partitions are asked for"))
        })?;
    }
    Ok(groups)
}

fn merged_topics(topics: Vec<OffsetFetchRequestTopics>) -> Vec<OffsetFetchRequestTopics> {
    let key = |topic: &OffsetFetchRequestTopics| (topic.name.clone(), topic.topic_id.0);
    let mut topics =
        merged(topics, key, |topic, more| topic.partition_indexes.extend(more.partition_indexes));
    for topic in &mut topics {
        if topic.partition_indexes.len() > 1 {
            let mut seen: HashSet<i32, RandomState> = HashSet::default();
            topic.partition_indexes.retain(|index| seen.insert(*index));
        }
    }
    topics
}

/// Joins items of the same key into the first of them.
fn merged<T, K: Eq + Hash>(items: Vec<T>, key: impl Fn(&T) -> K, join: impl Fn(&mut T, T)) -> Vec<T> {
    if items.len() < 2 {
        return items;
    }
    let mut places: HashMap<K, usize, RandomState> = HashMap::default();
    let mut kept: Vec<T> = Vec::new();
    for item in items {
        let place = *places.entry(key(&item)).or_insert(kept.len());
        match kept.get_mut(place) {
            Some(first) => join(first, item),
            None => kept.push(item),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(id: &'static str, topics: Option<&[(&'static str, &[i32])]>) -> OffsetFetchRequestGroup {
        let topic = |(name, partitions): &(&'static str, &[i32])| OffsetFetchRequestTopics {
            name: (*name).into(),
            partition_indexes: partitions.to_vec(),
            ..Default::default()
        };
        let topics = topics.map(|topics| topics.iter().map(topic).collect());
        OffsetFetchRequestGroup { group_id: id.into(), topics, ..Default::default() }
    }

    #[test]
    fn what_is_said_twice_counts_once() {
        let asked = vec![
            group("a", Some(&[("t", &[0, 1, 0]), ("u", &[5]), ("t", &[2, 1])])),
            group("b", None),
            group("a", Some(&[("u", &[5, 6])])),
            group("b", Some(&[("t", &[0])])),
            group("b", None),
        ];
        let once = vec![group("a", Some(&[("t", &[0, 1, 2]), ("u", &[5, 6])])), group("b", None)];
        assert_eq!(distinct(asked).expect("few"), once);
    }

    #[test]
    fn different_groups_and_partitions_are_counted() {
        let many: Vec<i32> = (0..).take(PARTITIONS_MAX).collect();
        let mut asked = vec![group("a", Some(&[("t", &many)])), group("a", Some(&[("t", &many)]))];
        assert!(distinct(asked.clone()).is_ok());
        asked.push(group("b", Some(&[("t", &[0])])));
        assert!(distinct(asked).is_err());
        let named =
            |n: usize| OffsetFetchRequestGroup { group_id: n.to_string().into(), ..Default::default() };
        assert!(distinct((0..GROUPS_MAX).map(named).collect()).is_ok());
        assert!(distinct((0..=GROUPS_MAX).map(named).collect()).is_err());
    }
}
