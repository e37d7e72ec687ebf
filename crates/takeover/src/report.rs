//! What an import did, or would do: for people and programs.

use std::path::PathBuf;

use serde::Serialize;

use crate::cut::{Cut, CutKind};
use crate::kraft::{MetadataCut, NotCarried};
use crate::transactions::OpenTransaction;
use crate::uncleanable::Uncleanable;

/// The whole of it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// The cluster's id, as it was.
    pub cluster_id: String,
    /// The node that serves it.
    pub node_id: i32,
    /// The new directory, with the metadata.
    pub to: PathBuf,
    /// More of these.
    pub others: Vec<PathBuf>,
    /// Nothing was written: this is what would be done.
    pub dry_run: bool,
    /// By name.
    pub topics: Vec<TopicReport>,
    /// How the bytes got there.
    pub placed: Placed,
    /// The leader epoch from which on partitions are led: above all that Kafka had.
    pub leader_epoch: i32,
    /// The first producer id that will be given out: above all that Kafka gave out.
    pub next_producer_id: i64,
    /// Settings that stayed behind.
    pub settings_left: Vec<SettingLeft>,
    /// Directories that stayed behind.
    pub left: Vec<Left>,
    /// Partitions that are not whole, and were let pass.
    pub incomplete: Vec<Refusal>,
    /// Where the metadata log ends before its end. Without [`Options::accept_damage`](crate::Options::accept_damage) only a
    /// torn tail.
    pub metadata_cut: Option<MetadataCut>,
    /// Logs that end before their end. Without [`Options::accept_damage`](crate::Options::accept_damage) only torn
    /// tails.
    pub cuts: Vec<Cut>,
    /// Those that nobody had ended are ended, as far as it is known how.
    pub end_transactions: bool,
    /// Transactions that nobody had ended.
    pub open_transactions: Vec<OpenTransaction>,
    /// Partitions that compaction will set aside.
    pub uncleanable: Vec<Uncleanable>,
    /// What this program has no place for yet.
    pub not_carried: NotCarried,
    /// What else people should know.
    pub notes: Vec<String>,
}

impl Report {
    /// Whether everything that Kafka had came along, or would: nothing was damaged and let pass.
    pub fn is_whole(&self) -> bool {
        let mut kinds =
            self.cuts.iter().map(|cut| cut.kind).chain(self.metadata_cut.iter().map(|cut| cut.kind));
        self.incomplete.is_empty() && kinds.all(|kind| kind == CutKind::TornTail)
    }
}

/// One topic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TopicReport {
    /// Its name.
    pub name: String,
    /// 22 characters.
    pub id: String,
    /// How many it has.
    pub partitions: usize,
    /// Files of records.
    pub segments: usize,
    /// Bytes of records.
    pub bytes: u64,
    /// Batches that were looked at; none if nothing was.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
}

/// Bytes, by how they got to their place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Placed {
    /// Copied.
    pub copied: u64,
    /// The same blocks on the disk until one side writes.
    pub reflinked: u64,
    /// The same files.
    pub linked: u64,
}

impl Placed {
    /// Both together.
    pub(crate) fn add(&mut self, other: Self) {
        self.copied += other.copied;
        self.reflinked += other.reflinked;
        self.linked += other.linked;
    }
}

/// A setting that stayed behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingLeft {
    /// Whose: `topic orders`, `all brokers`, `broker 1`.
    pub owner: String,
    /// The setting.
    pub name: String,
    /// Why.
    pub why: String,
}

/// A directory that stayed behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    /// Where it is.
    pub path: PathBuf,
    /// Why.
    pub why: String,
}

/// Something that cannot be taken over as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Refusal {
    /// The topic.
    pub topic: String,
    /// The partition, if it is about one.
    pub partition: Option<i32>,
    /// Why, and what to do.
    pub why: String,
}

impl Refusal {
    /// Many of them in few lines: partitions of a topic that are refused for the same reason share one.
    pub fn lines(refusals: &[Self]) -> Vec<String> {
        let alike = refusals.chunk_by(|one, next| {
            let follows = one.partition.zip(next.partition).is_some_and(|(one, next)| next == one + 1);
            follows && one.topic == next.topic && one.why == next.why
        });
        alike.filter_map(|run| Some(run.first()?.line(run.last()?.partition))).collect()
    }

    fn line(&self, last: Option<i32>) -> String {
        let (topic, why) = (&self.topic, &self.why);
        match (self.partition, last) {
            (Some(first), Some(last)) if last > first => format!("{topic}-{first} to {topic}-{last}: {why}"),
            (Some(first), _) => format!("{topic}-{first}: {why}"),
            (None, _) => format!("{topic}: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_for_one_reason_is_one_line() {
        let refusal = |topic: &str, partition, why: &str| Refusal {
            topic: topic.to_owned(),
            partition,
            why: why.to_owned(),
        };
        let some = [
            refusal("a", None, "tiered"),
            refusal("a", Some(0), "not here"),
            refusal("a", Some(1), "not here"),
            refusal("a", Some(2), "not whole"),
            refusal("b", Some(3), "not whole"),
        ];
        let lines = ["a: tiered", "a-0 to a-1: not here", "a-2: not whole", "b-3: not whole"];
        assert_eq!(Refusal::lines(&some), lines);
    }
}
