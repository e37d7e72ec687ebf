//! `range`: of each topic, its subscribers get rows of neighbouring partitions, in the order of their instance ids and
//! member ids; the first ones get one more if it does not come out even.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::java::{JavaMap, room_for};
use super::{Spec, Subscriber};
use crate::input::TopicId;
use crate::records::{TargetAssignment, TopicPartitions};

/// What is left of a topic.
#[derive(Default)]
struct Row {
    subscribers: i32,
    next: i32,
    given: i32,
}

pub(super) fn assign(spec: &Spec) -> BTreeMap<Arc<str>, TargetAssignment> {
    let mut members: Vec<&Subscriber> = spec.members.iter().collect();
    members.sort_by(|a, b| in_order(a, b));
    let mut rows: BTreeMap<TopicId, Row> = BTreeMap::new();
    for topic in members.iter().flat_map(|member| &member.topics) {
        rows.entry(*topic).or_default().subscribers += 1;
    }
    let mut assigned = BTreeMap::new();
    for member in members {
        let room = if spec.same_topics { member.topics.len() } else { member.named_topics };
        let mut topics: JavaMap<TopicId, Vec<i32>> = JavaMap::with_capacity(room_for(room));
        for topic in &member.topics {
            let (Some(row), Some(count)) = (rows.get_mut(topic), spec.partitions.get(topic)) else {
                continue;
            };
            let more = i32::from(row.given < count % row.subscribers);
            let end = (row.next + count / row.subscribers + more).min(*count);
            if row.next < end {
                topics.put(*topic, (row.next..end).collect());
            }
            (row.next, row.given) = (end, row.given + 1);
        }
        let topics = topics.in_order().into_iter();
        let topics = topics.map(|(id, row)| TopicPartitions { topic_id: *id, partitions: row.clone() });
        assigned.insert(member.member_id.clone(), TargetAssignment { topics: topics.collect() });
    }
    assigned
}

/// Static members first, by instance id, so that a restart moves nothing; then the others by member id.
fn in_order(a: &Subscriber, b: &Subscriber) -> Ordering {
    let utf16 = |a: &str, b: &str| a.encode_utf16().cmp(b.encode_utf16());
    match (&a.instance_id, &b.instance_id) {
        (Some(a), Some(b)) => utf16(a, b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => utf16(&a.member_id, &b.member_id),
    }
}
