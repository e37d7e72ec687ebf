//! Random groups, and what the assignors of Apache Kafka 4.3.1 gave to their members, step by step: the same members in the
//! same order get the same partitions, written in the same order.
//!
//! ```text
//!   topic NAME ID PARTITIONS      resolved EXPRESSION TOPICS     leave MEMBER
//!   beat MEMBER instance= assignor= topics= regex=              a member joins, or says something else
//!   > MEMBER TOPIC:PARTITIONS ...                               targets that were written then
//! ```
//! The file was written by Kafka's own `ConsumerTargetAssignmentBuilder` on its own `ConsumerGroup`.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::consumer::Group;
use crate::consumer::membership::Entry;
use crate::consumer::plan::Plan;
use crate::consumer::subscription::Outlook;
use crate::input::TopicId;
use crate::now::Now;
use crate::records::{ConsumerRecord, Record, RegularExpression, TargetAssignment};
use crate::settings::Settings;
use crate::topics::{Topic, TopicTable, Topics as _};

const WRITTEN_BY_KAFKA: &str = include_str!("../../../tests/kafka/assignments.txt");

struct World {
    group: Group,
    topics: TopicTable,
}

impl World {
    fn new() -> Self {
        Self { group: Group::new(Arc::from("g")), topics: TopicTable::default() }
    }

    fn beat(&mut self, words: &[&str]) -> String {
        let field = |name: &str| {
            let found = words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            found.filter(|value| *value != "-")
        };
        let id: Arc<str> = Arc::from(words[0]);
        let settings = Settings::default();
        let mut plan = Plan::new(&self.group, &self.topics, &settings, Now::both(1));
        // As a classic member, so that its epoch does not matter.
        let entry = Entry { joins: true, classic: true };
        // Who holds its instance id already does not take its own place.
        let comes = |instance_id: &&str| self.group.static_member(instance_id) != Some(&id);
        let before = match field("instance").filter(comes) {
            Some(instance_id) => plan.static_member(&id, instance_id, -1, None, entry),
            None => plan.dynamic_member(&id, -1, None, entry),
        };
        let before = before.unwrap();
        let mut after = before.clone();
        after.instance_id = field("instance").map(Arc::from);
        after.assignor = field("assignor").map(Arc::from);
        after.topics =
            field("topics").unwrap_or("").split(',').filter(|t| !t.is_empty()).map(Arc::from).collect();
        after.regex = Some(Arc::from(field("regex").unwrap_or("")));
        plan.update_metadata(&id, &before, &after);
        let Outlook { same_topics, .. } = plan.update_epoch(true, &id, &before, &after);
        let written = plan.records.len();
        let outlook = Outlook { epoch: self.group.target_epoch + 1, same_topics };
        plan.update_target(outlook, 0, &id, &before, &after);
        let records = plan.done().records;
        let mut targets = String::new();
        for record in records.iter().skip(written) {
            if let Record::Consumer {
                record: ConsumerRecord::Target { member_id, value: Some(value) }, ..
            } = record
            {
                let _ = writeln!(targets, "> {member_id}{}", self.named(value));
            }
        }
        self.apply(records);
        targets
    }

    fn leave(&mut self, id: &str) {
        let settings = Settings::default();
        let mut plan = Plan::new(&self.group, &self.topics, &settings, Now::both(1));
        plan.forget_member(&Arc::from(id));
        let records = plan.done().records;
        self.apply(records);
    }

    fn apply(&mut self, records: Vec<Record>) {
        for record in records {
            let Record::Consumer { record, .. } = record else { panic!("{record:?}") };
            assert!(self.group.apply(record));
        }
    }

    fn named(&self, target: &TargetAssignment) -> String {
        let mut text = String::new();
        for topic in &target.topics {
            let numbers: Vec<String> = topic.partitions.iter().map(ToString::to_string).collect();
            let _ = write!(text, " {}:{}", self.topics.name_of(&topic.topic_id).unwrap(), numbers.join(","));
        }
        text
    }
}

fn id(hex: &str) -> TopicId {
    u128::from_str_radix(hex, 16).unwrap().to_be_bytes()
}

#[test]
fn random_groups_are_assigned_as_by_kafka() {
    let mut world = World::new();
    let mut lines =
        WRITTEN_BY_KAFKA.lines().enumerate().filter(|(_, line)| !line.starts_with('#')).peekable();
    let mut beats = 0;
    while let Some((at, line)) = lines.next() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[0] {
            "group" => world = World::new(),
            "topic" => {
                let topic = Topic { id: id(words[2]), partitions: words[3].parse().unwrap() };
                world.topics.put(words[1], topic);
            }
            "resolved" => {
                let topics = words[2].split(',').filter(|name| *name != "-").map(Arc::from).collect();
                let value = Some(RegularExpression { topics, version: 1, resolved_ms: 1 });
                world.group.apply(ConsumerRecord::Regex { expression: Arc::from(words[1]), value });
            }
            "leave" => world.leave(words[1]),
            "beat" => {
                let mut written = String::new();
                while let Some((_, line)) = lines.next_if(|(_, line)| line.starts_with('>')) {
                    let _ = writeln!(written, "{line}");
                }
                assert_eq!(world.beat(&words[1..]), written, "line {}", at + 1);
                beats += 1;
            }
            other => panic!("line {}: {other}", at + 1),
        }
    }
    assert!(beats > 300, "{beats}");
}
