//! What is told of transactions without changing any: DescribeTransactions and ListTransactions.

use std::ops::Bound;
use std::sync::Arc;

use super::record::TxnTopic;
use super::shard::Shard;
use super::state::TxnState;
use super::transaction::Transaction;

/// One transactional id, for DescribeTransactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Where it stands.
    pub state: TxnState,
    /// Its producer id.
    pub producer_id: i64,
    /// And epoch.
    pub producer_epoch: i16,
    /// How long a transaction may be open.
    pub timeout_ms: i32,
    /// When the last one began; -1 before the first.
    pub started_ms: i64,
    /// Who takes part; while it ends, those without a marker.
    pub topics: Vec<TxnTopic>,
}

/// One transactional id, for ListTransactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The id.
    pub transactional_id: Arc<str>,
    /// Its producer id.
    pub producer_id: i64,
    /// Where it stands.
    pub state: TxnState,
}

/// Which ones to list; what is empty leaves none out.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of these producer ids.
    pub producer_ids: Vec<i64>,
    /// In these states, if any is given: of names that are no state, none is left.
    pub states: Option<Vec<TxnState>>,
    /// Begun longer ago than this, unless negative.
    pub longer_than_ms: i64,
}

impl Shard {
    /// What is known of a transactional id; none if nobody uses it.
    pub fn describe(&self, transactional_id: &str) -> Option<Described> {
        let Transaction { kept, .. } = self.ids.get(transactional_id)?;
        Some(Described {
            state: kept.state,
            producer_id: kept.producer_id,
            producer_epoch: kept.epoch,
            timeout_ms: kept.timeout_ms,
            started_ms: kept.started_ms,
            topics: kept.value(self.own_level).topics.unwrap_or_default(),
        })
    }

    /// Of the transactional ids from `from` on those that the filter leaves, and where to go on: not all are looked at in one
    /// turn.
    pub fn list(
        &self,
        filter: &Filter,
        wall_ms: i64,
        from: Option<&Arc<str>>,
    ) -> (Vec<Listed>, Option<Arc<str>>) {
        let from = from.map_or(Bound::Unbounded, |id| Bound::Included(id.clone()));
        let mut all = self.ids.range::<Arc<str>, _>((from, Bound::Unbounded));
        let looked_at = all.by_ref().take(self.settings().limits.look_steps.max(1));
        let fits = looked_at.filter(|(_, transaction)| filter.leaves(transaction, wall_ms));
        let listed = fits.map(|(id, transaction)| Listed {
            transactional_id: id.clone(),
            producer_id: transaction.kept.producer_id,
            state: transaction.kept.state,
        });
        (listed.collect(), all.next().map(|(id, _)| id.clone()))
    }
}

impl Filter {
    fn leaves(&self, transaction: &Transaction, wall_ms: i64) -> bool {
        let kept = &transaction.kept;
        let open_ms = wall_ms.saturating_sub(kept.started_ms);
        (self.producer_ids.is_empty() || self.producer_ids.contains(&kept.producer_id))
            && self.states.as_ref().is_none_or(|states| states.contains(&kept.state))
            && (self.longer_than_ms < 0 || open_ms > self.longer_than_ms)
    }
}
