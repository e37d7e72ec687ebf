//! A small Kafka client over tokio and `pagewire-wire`: what the commands need, for any broker from Kafka 2.1 on.
//!
//! ```text
//!  commands -> Client (who leads, who coordinates, when to try again)
//!              | admin, offsets, groups: one question, one answer
//!              | producer: partitioner -> batches -> sender (one request in flight per leader)
//!              | consumer: fetch (one task per leader), membership (join, sync, heartbeat, commit)
//!              v
//!            Connection (one socket, one request at a time, bounded frames, versions agreed with this broker)
//! ```
//!
//! Every wait has a deadline, every buffer a limit. Requests use names, not topic ids, so the versions from which
//! only ids are allowed (Produce 13, Fetch 13, OffsetCommit and OffsetFetch 10) are left out.

pub(crate) mod address;
pub(crate) mod admin;
pub(crate) mod assignor;
pub(crate) mod cluster;
pub(crate) mod connection;
pub(crate) mod control;
pub(crate) mod coordinator;
pub(crate) mod deadline;
pub(crate) mod disks;
pub(crate) mod error;
pub(crate) mod fetch;
pub(crate) mod leaders;
pub(crate) mod membership;
pub(crate) mod offsets;
pub(crate) mod partitioner;
pub(crate) mod producer;
pub(crate) mod routing;
pub(crate) mod sender;
pub(crate) mod stream;
pub(crate) mod unanswered;
pub(crate) mod versions;

pub(crate) use address::Bootstrap;
pub(crate) use cluster::{Node, Partition, Topic};
pub(crate) use connection::Connection;
pub(crate) use error::Error;
pub(crate) use leaders::Needs;
pub(crate) use routing::{Client, Target};

/// A result of this client.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    /// Topic name.
    pub(crate) topic: String,
    /// Partition, from 0.
    pub(crate) partition: i32,
}

impl Place {
    /// A place.
    pub(crate) fn new(topic: impl Into<String>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} [{}]", self.topic, self.partition)
    }
}
