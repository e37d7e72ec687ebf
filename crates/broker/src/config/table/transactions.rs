//! Transactions.

use crate::config::definition::Kind::{Boolean, Int};
use crate::config::definition::Rule::{Any, Min};
use crate::config::definition::Setting as S;

/// The transaction coordinator, and what partitions ask it.
pub(super) static TRANSACTIONS: &[S] = &[
    S::new("transaction.max.timeout.ms", Int, Some("900000"), Min(1))
        .doc("Longest transaction a producer may ask for, in milliseconds."),
    S::new("transaction.partition.verification.enable", Boolean, Some("true"), Any)
        .dynamic()
        .doc("Whether a partition asks the coordinator before it takes a transactional batch."),
    S::new("transaction.state.log.num.partitions", Int, Some("50"), Min(1))
        .doc("Partitions of `__transaction_state`."),
    S::new("transaction.state.log.segment.bytes", Int, Some("104857600"), Min(1))
        .doc("Segment size in bytes of `__transaction_state`."),
    S::new("transactional.id.expiration.ms", Int, Some("604800000"), Min(1))
        .doc("Milliseconds after which a silent transactional id is forgotten."),
    S::new("transaction.abort.timed.out.transaction.cleanup.interval.ms", Int, Some("10000"), Min(1))
        .doc("Milliseconds between two looks for transactions that ran out of time."),
    S::new("transaction.remove.expired.transaction.cleanup.interval.ms", Int, Some("3600000"), Min(1))
        .doc("Milliseconds between two looks for transactional ids to forget."),
];
