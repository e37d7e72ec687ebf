//! How topics come and go.

use crate::config::definition::Kind::{Boolean, Int};
use crate::config::definition::Rule::{Any, Min};
use crate::config::definition::Setting as S;

/// Creation and deletion of topics.
pub(super) static TOPICS: &[S] = &[
    S::new("auto.create.topics.enable", Boolean, Some("true"), Any)
        .doc("Create a topic when a client asks for its metadata and allows it."),
    S::new("delete.topic.enable", Boolean, Some("true"), Any).doc("Whether topics can be deleted."),
    S::new("num.partitions", Int, Some("1"), Min(1))
        .doc("Partitions of a topic whose creator does not say how many."),
    S::new("default.replication.factor", Int, Some("1"), Any).doc(
        "Copies of a partition whose creator does not say how many. More than there are brokers is refused.",
    ),
    S::new("min.insync.replicas", Int, Some("1"), Min(1)).dynamic().doc(
        "Copies that must have a record before acks=all is answered. As in Kafka, a partition that has fewer copies needs those it has: here one.",
    ),
    S::new("unclean.leader.election.enable", Boolean, Some("false"), Any)
        .dynamic()
        .not_yet()
        .doc("Whether a copy that lags may lead."),
];
