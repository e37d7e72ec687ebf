//! The transactional ids of all shards. A shard may hold a million, so it is asked for some at a time; and a pattern may take
//! long, so it is held against them on the I/O pool, while the shard goes on.

use std::sync::Arc;

use pagewire_coordinate::txn;
use regex::Regex;
use tokio::{sync::Semaphore, task::consume_budget};

use super::{super::running::on_pool, TransactionCoordinator};
use crate::broker::Broker;

/// What one of them takes in an answer besides its name, at least.
const LISTED_BYTES: usize = 64;
/// Patterns that are held against ids at the same time: they must not keep the pool from what reads and writes.
const AT_ONCE: usize = 2;

/// Patterns at work.
pub(super) struct Matching(Semaphore);

impl Default for Matching {
    fn default() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }
}

/// Why none are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotListed {
    /// A shard cannot say.
    Error(txn::Error),
    /// They take more than an answer may have.
    TooMuch,
}

impl From<txn::Error> for NotListed {
    fn from(error: txn::Error) -> Self {
        Self::Error(error)
    }
}

impl TransactionCoordinator {
    /// The transactional ids of all shards that the filter and the pattern leave, as long as they take no more than `bytes_max`.
    /// Without the topic there are none.
    pub(crate) async fn list(
        &self,
        broker: &Arc<Broker>,
        filter: &txn::Filter,
        pattern: Option<&Regex>,
        now_ms: i64,
        bytes_max: usize,
    ) -> Result<Vec<txn::Listed>, NotListed> {
        let shards = match self.shards(broker) {
            Ok(shards) => shards,
            Err(txn::Error::NotCoordinator) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let (mut listed, mut left) = (Vec::new(), bytes_max);
        for shard in shards.all() {
            let mut from = None;
            loop {
                // Others come in between.
                consume_budget().await;
                let (some, next) = match shard.read(|machine| machine.list(filter, now_ms, from.as_ref())) {
                    Ok((some, _)) => some,
                    Err(error @ txn::Error::CoordinatorLoadInProgress) => return Err(error.into()),
                    Err(_) => break,
                };
                for one in self.matching.of(broker, some, pattern).await {
                    let bytes = LISTED_BYTES + one.transactional_id.len();
                    left = left.checked_sub(bytes).ok_or(NotListed::TooMuch)?;
                    listed.push(one);
                }
                from = next;
                if from.is_none() {
                    break;
                }
            }
        }
        Ok(listed)
    }
}

impl Matching {
    /// Those that the pattern leaves.
    async fn of(
        &self,
        broker: &Broker,
        mut some: Vec<txn::Listed>,
        pattern: Option<&Regex>,
    ) -> Vec<txn::Listed> {
        let Some(pattern) = pattern.filter(|_| !some.is_empty()).cloned() else { return some };
        // It is never closed.
        let _place = self.0.acquire().await;
        on_pool(broker.io(), move || {
            some.retain(|one| pattern.is_match(&one.transactional_id));
            some
        })
        .await
    }
}
