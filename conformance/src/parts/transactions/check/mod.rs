//! Holds what the logs and groups have in the end against what clients were told, as Jepsen does for Kafka. Pure.
//!
//! ```text
//!   writes.rs    aborted reads, lost and torn transactions, duplicates, records out of order, transactions left open
//!   sessions.rs  what consumers polled: nothing that is not committed, nothing twice, skipped or out of order
//!   offsets.rs   a group's offsets move with the records of the same transaction, and only with them
//!   fences.rs    whoever was fenced off commits nothing any more, whatever it is told
//! ```
//!
//! A transaction whose end its client did not hear may be either, but whole.

mod fences;
mod offsets;
#[cfg(test)]
mod planted;
mod sessions;
mod writes;

use std::collections::BTreeMap;
use std::fmt;

use super::history::History;
use super::model::{At, Place, Value};

/// How a transaction ended in one partition, as the partition's own markers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Commit,
    Abort,
    /// There is no marker.
    Open,
}

/// A record of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) offset: i64,
    pub(super) value: Value,
    pub(super) end: End,
}

/// What a broker has in the end.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    pub(super) logs: BTreeMap<Place, Vec<Stored>>,
    /// Where each group stands.
    pub(super) groups: BTreeMap<String, Vec<At>>,
}

impl Found {
    /// All records that readers of committed records may see.
    pub(super) fn visible(&self) -> impl Iterator<Item = (Place, &Stored)> {
        let all = self.logs.iter().flat_map(|(place, log)| log.iter().map(move |stored| (*place, stored)));
        all.filter(|(_, stored)| stored.end == End::Commit)
    }

    /// Those of one partition.
    fn visible_at(&self, place: Place) -> impl Iterator<Item = &Stored> {
        self.logs.get(&place).into_iter().flatten().filter(|stored| stored.end == End::Commit)
    }
}

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Something of a transaction that was not committed is seen.
    AbortedRead,
    /// Something that was said to be committed, or written, is not there.
    LostWrite,
    /// Some records of a transaction are committed and others are not.
    Torn,
    /// A record is there twice, or was polled twice.
    Duplicate,
    /// Records stand in another order than they were written in, or were polled in another than they stand in.
    Disordered,
    /// A consumer passed over a committed record.
    Skipped,
    /// Nobody wrote this there.
    Invented,
    /// A transaction is still open.
    Hanging,
    /// A group's offset and the records of the transaction that committed it went different ways.
    OffsetsApart,
    /// A producer committed after it was fenced off.
    ZombieCommit,
}

/// One thing that is wrong.
#[derive(Debug, Clone)]
pub(super) struct Anomaly {
    pub(super) kind: Kind,
    pub(super) what: String,
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.what)
    }
}

/// Anomalies as they are found.
#[derive(Debug, Default)]
struct Anomalies(Vec<Anomaly>);

impl Anomalies {
    fn add(&mut self, kind: Kind, what: String) {
        self.0.push(Anomaly { kind, what });
    }
}

/// Everything that is wrong.
pub(super) fn check(history: &History, found: &Found) -> Vec<Anomaly> {
    let mut anomalies = Anomalies::default();
    writes::check(history, found, &mut anomalies);
    sessions::check(history, found, &mut anomalies);
    offsets::check(history, found, &mut anomalies);
    fences::check(history, found, &mut anomalies);
    anomalies.0
}
