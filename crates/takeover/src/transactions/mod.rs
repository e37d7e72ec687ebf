//! Transactions that nobody had ended when Kafka stopped: named, and ended if that is wanted.
//!
//! Readers of committed records stop before an open transaction until a marker ends it, and Kafka's coordinator, which writes
//! markers, does not come along. So it is done in the copies, as Kafka would do it:
//!
//! ```text
//!   state.rs      what the coordinator's word means         decisions.rs   all of them: who takes part in what, how it ends
//!   end.rs        markers at the ends of the new logs, read back; and the coordinator's last word in the copy of its topic
//! ```
//!
//! What the coordinator had decided upon is ended so: a commit that was promised to a client stays one. What nobody decided on
//! is aborted, with the producer's next epoch, so that a producer which is still at work is fenced off rather than left to
//! commit half of a transaction. Where `__transaction_state` is not here as a whole, what it might say is not guessed: a
//! transaction that it does not name stays open.

mod decisions;
mod end;
mod state;

use std::fmt;

use pagewire_disk::Lasting;
use pagewire_log::files::OpenTxn;
use serde::Serialize;

use crate::plan::Plan;
use crate::take::Taken;

pub(crate) use decisions::Decisions;
pub(crate) use end::settle;

/// Where Kafka's coordinator remembers transactions.
pub(crate) const STATE_TOPIC: &str = "__transaction_state";

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Kafka's coordinator had decided so.
    Commit,
    /// Kafka's coordinator had decided so, or nobody had decided.
    Abort,
}

/// A transaction that nobody had ended, in one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenTransaction {
    /// The partition's topic.
    pub topic: String,
    /// Its number.
    pub partition: i32,
    /// Whose it is.
    pub producer_id: i64,
    /// The epoch of its newest batch.
    pub producer_epoch: i16,
    /// Readers of committed records come no further.
    pub first_offset: i64,
    /// The time of its newest record, ms since 1970.
    pub last_timestamp: i64,
    /// How long ago that is.
    pub silent_ms: i64,
    /// What the producer calls itself, if `__transaction_state` says so.
    pub transactional_id: Option<String>,
    /// How it is to end; none where `__transaction_state` may say otherwise and is not here as a whole.
    pub outcome: Option<Outcome>,
    /// The offset of the marker that ended it in the new directory; none if it is open there.
    pub marker: Option<i64>,
}

impl OpenTransaction {
    /// As it was found, before it is known how it ends.
    fn found(topic: &str, partition: i32, open: &OpenTxn, now_ms: i64) -> Self {
        Self {
            topic: topic.to_owned(),
            partition,
            producer_id: open.producer_id,
            producer_epoch: open.producer_epoch,
            first_offset: open.first_offset,
            last_timestamp: open.last_timestamp,
            silent_ms: now_ms.saturating_sub(open.last_timestamp).max(0),
            transactional_id: None,
            outcome: None,
            marker: None,
        }
    }
}

impl fmt::Display for OpenTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, partition, producer_id, producer_epoch, first_offset, .. } = self;
        write!(
            f,
            "{topic}-{partition} from offset {first_offset} on, of producer {producer_id}, epoch {producer_epoch}"
        )?;
        if let Some(id) = &self.transactional_id {
            write!(f, " (transactional.id {id})")?;
        }
        write!(f, ", silent for {}: ", Lasting::of_ms(self.silent_ms))?;
        match (self.outcome, self.marker) {
            (Some(Outcome::Commit), Some(marker)) => {
                write!(f, "committed at offset {marker}, as Kafka had decided")
            }
            (Some(Outcome::Abort), Some(marker)) => write!(f, "aborted at offset {marker}"),
            (Some(Outcome::Commit), None) => f.write_str("Kafka had decided to commit it"),
            (Some(Outcome::Abort), None) => f.write_str("nobody had decided to commit it"),
            (None, _) => {
                f.write_str("what Kafka had decided is not known, __transaction_state is not here as a whole")
            }
        }
    }
}

/// What was seen of open transactions in Kafka's own files, where nothing is written.
pub(crate) fn seen(plan: &Plan, taken: &[Taken], decisions: &Decisions, now_ms: i64) -> Vec<OpenTransaction> {
    let mut all = Vec::new();
    for (partition, taken) in plan.partitions.iter().zip(taken) {
        let topic = plan.name_of(partition);
        for open in taken.verified.transactions.open() {
            let found = OpenTransaction::found(topic, partition.index, &open, now_ms);
            all.push(decisions.name(found));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_transaction_says_whose_it_is_and_what_became_of_it() {
        let open = OpenTxn { producer_id: 7, producer_epoch: 3, first_offset: 12, last_timestamp: 1000 };
        let mut found = OpenTransaction::found("orders", 0, &open, 61_000);
        let whose = "orders-0 from offset 12 on, of producer 7, epoch 3";
        assert!(found.to_string().starts_with(whose) && found.to_string().contains("is not known"));
        (found.transactional_id, found.outcome) = (Some("app".to_owned()), Some(Outcome::Commit));
        let said = format!("{whose} (transactional.id app), silent for 1 min: ");
        assert_eq!(found.to_string(), format!("{said}Kafka had decided to commit it"));
        found.marker = Some(15);
        assert_eq!(found.to_string(), format!("{said}committed at offset 15, as Kafka had decided"));
    }
}
