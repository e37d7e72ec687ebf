//! What belongs to parts of the broker that are still to come: checked, kept and shown.

use crate::config::definition::Kind::{Boolean, Int};
use crate::config::definition::Rule::{Any, Min};
use crate::config::definition::Setting as S;

/// Transactions, and group kinds that are still to come.
pub(super) static LATER: &[S] = &[
    S::new("transaction.max.timeout.ms", Int, Some("900000"), Min(1))
        .not_yet()
        .doc("Longest transaction a producer may ask for, in milliseconds."),
    S::new("transaction.partition.verification.enable", Boolean, Some("true"), Any)
        .dynamic()
        .not_yet()
        .doc("Whether a partition asks the coordinator before it takes a transactional batch."),
    S::new("transaction.two.phase.commit.enable", Boolean, Some("false"), Any)
        .not_yet()
        .doc("Whether two-phase commit is offered."),
    S::new("transaction.state.log.num.partitions", Int, Some("50"), Min(1))
        .not_yet()
        .doc("Partitions of `__transaction_state`."),
    S::new("transaction.state.log.segment.bytes", Int, Some("104857600"), Min(1))
        .not_yet()
        .doc("Segment size in bytes of `__transaction_state`."),
    S::new("transactional.id.expiration.ms", Int, Some("604800000"), Min(1))
        .not_yet()
        .doc("Milliseconds after which a silent transactional id is forgotten."),
    S::new("transaction.abort.timed.out.transaction.cleanup.interval.ms", Int, Some("10000"), Min(1))
        .not_yet()
        .doc("Milliseconds between two looks for transactions that ran out of time."),
    S::new("transaction.remove.expired.transaction.cleanup.interval.ms", Int, Some("3600000"), Min(1))
        .not_yet()
        .doc("Milliseconds between two looks for transactional ids to forget."),
];
