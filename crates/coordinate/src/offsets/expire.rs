//! Offsets that go because nobody needs them any more, and groups that are empty and have none left.
//!
//! ```text
//!   group                                     an offset expires `offsets.retention.minutes` after
//!   empty, had members                        the group became empty (old records: after the commit)
//!   never had members (simple commits)        the commit
//!   stable, consumers, topic not subscribed   the commit
//!   any other                                 never
//! ```
//! An offset committed with a retention time of its own expires at that time instead. None expires while a transaction that
//! is under way may change it, and no group goes that has offsets waiting for one. A wall clock that is set forward makes nothing
//! older, as long as the process lives.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use crate::any_group::AnyGroup;
use crate::effects::Effects;
use crate::now::Now;
use crate::offsets::{GroupOffsets, tombstone};
use crate::records::{OffsetValue, Record};
use crate::shard::{Cursor, Shard};

impl Shard {
    /// Goes through some groups. The next part is due a millisecond later, as an event of its own: whoever runs the shard
    /// lets others act in between. After the last part the next look is due as the settings say.
    pub(crate) fn expire(&mut self, now: Now, out: &mut Effects) {
        self.jumps.look(now);
        let mut look = Look {
            shard: self,
            wall_ms: now.wall_ms,
            steps: self.settings().limits.look_steps.max(1),
            records: Vec::new(),
        };
        let stopped_at = look.at_groups(self.expiry_at.as_ref());
        let records = look.records;
        self.append_in_parts(records, out);
        self.expiry_at = stopped_at;
        if self.expiry_at.is_some() { self.resume_expiry(now) } else { self.schedule_expiry(now) }
    }
}

/// One part of the way through all groups.
struct Look<'a> {
    shard: &'a Shard,
    wall_ms: i64,
    /// Groups and offsets that may still be looked at. A topic is looked at in one go.
    steps: usize,
    records: Vec<Record>,
}

impl Look<'_> {
    /// Looks at groups from a place on; says where to go on, if not all were looked at.
    fn at_groups(&mut self, from: Option<&Cursor>) -> Option<Cursor> {
        for group in self.shard.groups_from(from.map(|(group_id, _)| group_id)) {
            let topic = from.filter(|(id, _)| id == group.id()).and_then(|(_, topic)| topic.as_ref());
            if self.steps == 0 {
                return Some((group.id().clone(), topic.cloned()));
            }
            self.steps -= 1;
            if let Some(topic) = self.at_offsets(group, topic) {
                return Some((group.id().clone(), Some(topic)));
            }
        }
        None
    }

    /// Adds tombstones for what expired, and for the group if nothing is left of it. Says the topic to go on with.
    fn at_offsets(&mut self, group: &AnyGroup, from: Option<&Arc<str>>) -> Option<Arc<str>> {
        let (nothing, before) = (GroupOffsets::new(), self.records.len());
        let topics = self.shard.offsets().of_group(group.id()).unwrap_or(&nothing);
        let from = from.map_or(Bound::Unbounded, |topic| Bound::Included(&**topic));
        for (topic, partitions) in topics.range::<str, _>((from, Bound::Unbounded)) {
            if self.steps == 0 {
                return Some(topic.clone());
            }
            self.steps = self.steps.saturating_sub(partitions.len());
            if !group.is_subscribed_to(topic) {
                let retention_ms = self.shard.settings().offsets_retention_ms;
                let is_over = |value: &OffsetValue, base_ms| {
                    let since_ms = value.expire_ms.map_or(base_ms, |_| value.commit_ms);
                    is_over(value, base_ms, self.shard.jumps.wall_for(since_ms, self.wall_ms), retention_ms)
                };
                let gone = partitions.iter().filter(|(partition, value)| {
                    !self.shard.pending().is_unstable(group.id(), topic, **partition)
                        && group.expires_from(value).is_some_and(|base_ms| is_over(value, base_ms))
                });
                self.records.extend(gone.map(|(partition, _)| tombstone(group.id(), topic, *partition)));
            }
        }
        let all: usize = topics.values().map(BTreeMap::len).sum();
        let left = all - (self.records.len() - before);
        if left == 0 && group.is_forsaken() && !self.shard.pending().has_group(group.id()) {
            self.records.extend(group.tombstones());
        }
        None
    }
}

fn is_over(value: &OffsetValue, base_ms: i64, wall_ms: i64, retention_ms: i64) -> bool {
    value
        .expire_ms
        .map_or_else(|| wall_ms.saturating_sub(base_ms) >= retention_ms, |expire_ms| wall_ms >= expire_ms)
}
