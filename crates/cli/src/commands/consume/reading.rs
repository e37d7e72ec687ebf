//! Reading some partitions from where they begin to where they end: what is printed, and when it is enough.

use std::collections::BTreeMap;

use super::Plan;
use crate::client::fetch::Chunk;
use crate::client::stream::Stream;
use crate::client::{Client, Place};
use crate::commands::positions::Limits;

/// Partitions being read.
pub(super) struct Reading {
    stream: Stream,
    /// Where to end; `None` is nowhere.
    ends: Option<BTreeMap<i32, i64>>,
    /// Offset after the last record printed, or passed over.
    done: BTreeMap<i32, i64>,
}

impl Reading {
    /// From `starts`, to what the partitions held, or on and on.
    pub(super) fn new(plan: &Plan, starts: BTreeMap<Place, i64>, limits: &BTreeMap<Place, Limits>) -> Self {
        let done: BTreeMap<i32, i64> =
            starts.into_iter().map(|(place, offset)| (place.partition, offset)).collect();
        let ends = limits.iter().map(|(place, limits)| (place.partition, limits.end)).collect();
        Self {
            stream: Stream::new(&plan.topic, done.clone(), plan.isolation),
            ends: (!plan.follow).then_some(ends),
            done,
        }
    }

    /// Whether all is read that was to be read.
    pub(super) fn is_finished(&self, plan: &Plan) -> bool {
        let at_end = |ends: &BTreeMap<i32, i64>| {
            self.done.iter().all(|(partition, offset)| ends.get(partition).is_none_or(|end| offset >= end))
        };
        plan.left == Some(0) || self.ends.as_ref().is_some_and(at_end)
    }

    /// Offsets to commit.
    pub(super) fn done(&self, topic: &str) -> BTreeMap<Place, i64> {
        self.done.iter().map(|(partition, offset)| (Place::new(topic, *partition), *offset)).collect()
    }

    /// The next records. May be dropped and called again.
    pub(super) async fn next(&mut self, client: &mut Client) -> anyhow::Result<Chunk> {
        Ok(self.stream.next(client).await?)
    }

    /// Prints what of `chunk` was asked for.
    pub(super) fn print(&mut self, plan: &mut Plan, chunk: &Chunk) -> anyhow::Result<()> {
        let partition = chunk.partition;
        let end = self.ends.as_ref().and_then(|ends| ends.get(&partition)).copied().unwrap_or(i64::MAX);
        let mut next_offset = chunk.next_offset;
        for record in &chunk.records {
            if plan.left == Some(0) {
                next_offset = record.offset;
                break;
            }
            if record.offset >= end {
                next_offset = end;
                break;
            }
            plan.printer.print(&plan.topic, chunk, record, &mut plan.out)?;
            if let Some(left) = &mut plan.left {
                *left -= 1;
            }
        }
        if let Some(done) = self.done.get_mut(&partition) {
            *done = next_offset.max(*done);
        }
        // More is on its way: print it with this.
        if self.stream.waiting() { Ok(()) } else { plan.out.flush() }
    }
}
