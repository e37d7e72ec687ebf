//! What a look for topics found becomes what expressions stand for: records, in as many appends as they take. An expression
//! whose topics do not fit into one record, or into memory, stands for what it stood for before; it holds no other up.

use std::sync::Arc;

use super::group::Group;
use super::lookup::{Found, Lookup, Matches};
use super::plan::Plan;
use super::regex::hash_of;
use crate::effects::{Effects, Then};
use crate::memory::text_bytes;
use crate::note::Event;
use crate::now::Now;
use crate::records::{ConsumerRecord, Record, RegularExpression};
use crate::shard::Shard;
use crate::timers::TimerKey;

/// A record of an expression besides its texts, at most.
const RECORD_BYTES: usize = 96;
/// The length of a text in a record, at most.
const LENGTH_BYTES: usize = 3;

/// How many bytes there is room for.
struct Room {
    append: usize,
    record: usize,
    memory: usize,
}

impl Shard {
    /// A look at the topics is due.
    pub(crate) fn look_up_expressions(&mut self, group_id: &Arc<str>, out: &mut Effects) {
        let Some(group) = self.consumer_group_mut(group_id) else { return };
        let expressions: Vec<Arc<str>> = group.expressions.iter().map(|(name, _)| name.clone()).collect();
        if !expressions.is_empty() && !std::mem::replace(&mut group.look.under_way, true) {
            out.lookups.push(Lookup { group_id: group_id.clone(), expressions });
        }
    }

    /// Whether topics of this group's expressions are about to be looked for.
    pub(crate) fn is_resolving(&self, group_id: &str) -> bool {
        self.timers.has(&TimerKey::Resolve(Arc::from(group_id)))
            || self.consumer_group(group_id).is_some_and(|group| group.look.under_way)
    }

    /// A look for topics ended. Other inputs may have come since it began.
    pub fn expressions_found(&mut self, found: Found, now: Now) -> Effects {
        let mut out = Effects::default();
        let Some(group) = self.consumer_group_mut(&found.group_id) else { return out };
        if !std::mem::take(&mut group.look.under_way) {
            // The group that asked is gone, and this one has its name.
            return out;
        }
        // Until what was found is kept.
        (group.look.at_steady_ms, group.look.failed) = (Some(now.steady_ms), true);
        let Some(matches) = found.matches else { return out };
        let limits = &self.settings().limits;
        let room =
            Room { append: limits.append_bytes, record: limits.record_bytes, memory: self.bytes_left() };
        let topics = self.topics().clone();
        let Some(group) = self.consumer_group(&found.group_id) else { return out };
        let mut plan = Plan::new(group, &*topics, self.settings(), now);
        let (parts, left_out) = plan.resolve(matches, found.version, room);
        let planned = plan.done();
        if let Some(group) = self.consumer_group_mut(&found.group_id) {
            group.look.left_out = left_out;
        }
        for part in parts {
            out.append(part, Then::Nothing);
        }
        let (records, mut outcome) = self.outcome(planned, None, &mut out);
        outcome.topics_resolved = Some(found.version);
        self.finish(records, outcome, now, &mut out);
        out
    }
}

impl Plan<'_> {
    /// Writes what expressions stand for, and the next epoch if that changes what members subscribe to. Returns the parts that
    /// are to be written before, and how many expressions have no record.
    fn resolve(&mut self, found: Vec<Matches>, version: u64, mut room: Room) -> (Vec<Vec<Record>>, usize) {
        let (mut changed, mut matched, mut left_out) = (false, self.group.matched.clone(), 0);
        let (mut parts, mut part_bytes) = (Vec::new(), 0);
        // Those that nobody names any more have no record.
        let found = found.into_iter().filter(|(expression, _)| self.group.expressions.of(expression) > 0);
        for (expression, topics) in found.collect::<Vec<_>>() {
            let record_bytes = record_bytes(self.group, &expression, &topics);
            let before = self.group.resolved(&expression).map(|resolved| &*resolved.topics);
            let more_bytes = held_bytes(&topics).saturating_sub(before.map_or(0, held_bytes));
            if record_bytes > room.record || more_bytes > room.memory {
                left_out += usize::from(before.is_none());
                self.notes.push(Event::LeftOut { expression, topics: topics.len() });
                continue;
            }
            room.memory -= more_bytes;
            let before = before.unwrap_or_default();
            if before != topics {
                changed = true;
                for topic in before {
                    matched.take(topic);
                }
                for topic in &topics {
                    matched.add(topic);
                }
            }
            if part_bytes > 0 && part_bytes + record_bytes > room.append {
                parts.push(std::mem::take(&mut self.records));
                part_bytes = 0;
            }
            part_bytes += record_bytes;
            let value = RegularExpression { topics, version: version as i64, resolved_ms: self.now.wall_ms };
            self.write(ConsumerRecord::Regex { expression, value: Some(value) });
        }
        let hash = hash_of(&self.group.named, &matched, self.topics);
        if changed || hash != self.group.metadata_hash {
            self.raise_epoch(hash);
        }
        (parts, left_out)
    }
}

/// What the record of an expression takes in a batch, at most.
fn record_bytes(group: &Group, expression: &str, topics: &[Arc<str>]) -> usize {
    let topics: usize = topics.iter().map(|topic| LENGTH_BYTES + topic.len()).sum();
    RECORD_BYTES + group.id.len() + expression.len() + topics
}

/// What its topics take in memory, at most.
fn held_bytes(topics: &[Arc<str>]) -> usize {
    topics.iter().map(|topic| 2 * text_bytes(topic)).sum()
}
