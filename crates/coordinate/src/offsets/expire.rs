//! Offsets that go because nobody needs them any more, and groups that are empty and have none left.
//!
//! ```text
//!   group                                     an offset expires `offsets.retention.minutes` after
//!   empty, had members                        the group became empty (old records: after the commit)
//!   never had members (simple commits)        the commit
//!   stable, consumers, topic not subscribed   the commit
//!   any other                                 never
//! ```
//! An offset committed with a retention time of its own expires at that time instead.

use crate::effects::Effects;
use crate::group::{Group, GroupState};
use crate::now::Now;
use crate::offsets::{GroupOffsets, tombstone};
use crate::records::{OffsetValue, Record};
use crate::shard::Shard;

impl Shard {
    pub(crate) fn expire(&mut self, now: Now, out: &mut Effects) {
        let (wall_ms, retention_ms) = (now.wall_ms, self.settings().offsets_retention_ms);
        let mut records = Vec::new();
        for group in self.groups() {
            let offsets = self.offsets().of_group(&group.id);
            let left = offsets
                .map_or(0, |offsets| expire_group(group, offsets, wall_ms, retention_ms, &mut records));
            if left == 0 && group.is(GroupState::Empty) && group.pending_len() == 0 {
                records.push(Record::Group { group_id: group.id.clone(), value: None });
            }
        }
        self.append_in_parts(records, out);
        self.schedule_expiry(now);
    }
}

/// Adds tombstones for what expired and says how many offsets stay.
fn expire_group(
    group: &Group,
    offsets: &GroupOffsets,
    wall_ms: i64,
    retention_ms: i64,
    records: &mut Vec<Record>,
) -> usize {
    let mut left = 0;
    for (topic, partitions) in offsets {
        let protected = group.is_subscribed_to(topic);
        for (partition, value) in partitions {
            if !protected
                && expires_from(group, value)
                    .is_some_and(|base_ms| is_over(value, base_ms, wall_ms, retention_ms))
            {
                records.push(tombstone(&group.id, topic, *partition));
            } else {
                left += 1;
            }
        }
    }
    left
}

/// The time from which the retention counts; none while offsets of this group do not expire.
fn expires_from(group: &Group, value: &OffsetValue) -> Option<i64> {
    match (&group.protocol_type, group.state()) {
        (None, _) => Some(value.commit_ms),
        (Some(_), GroupState::Empty) => Some(group.state_since_ms.unwrap_or(value.commit_ms)),
        (Some(_), GroupState::Stable) if group.is_consumer() && group.subscribed.is_some() => {
            Some(value.commit_ms)
        }
        _ => None,
    }
}

fn is_over(value: &OffsetValue, base_ms: i64, wall_ms: i64, retention_ms: i64) -> bool {
    value
        .expire_ms
        .map_or_else(|| wall_ms.saturating_sub(base_ms) >= retention_ms, |expire_ms| wall_ms >= expire_ms)
}
