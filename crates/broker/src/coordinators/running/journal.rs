//! Where a shard writes, and how far that is stable. That nothing can be written is said once, and once that it is over: clients
//! try again all the time.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use pagewire_log::{AppendError, Origin};
use pagewire_zcopy::IoPool;
use tracing::{debug, info, warn};

use crate::{
    broker::Broker,
    partition::{CommitError, Partition},
};

/// The partition of a shard, as it writes to it.
pub(in crate::coordinators) struct Journal {
    partition: Arc<Partition>,
    words: &'static Words,
    /// The end of what the shard read and wrote.
    pub(in crate::coordinators) written_to: Option<i64>,
    /// The last write failed, and that was said.
    fails: bool,
}

/// What is said of a partition.
#[derive(Debug)]
pub(in crate::coordinators) struct Words {
    pub(in crate::coordinators) fails: &'static str,
    pub(in crate::coordinators) again: &'static str,
}

/// Why a batch is not in the log.
pub(in crate::coordinators) enum NotWritten {
    /// The log holds something against the producer of the transaction.
    Refused(AppendError),
    /// Nothing can be written at all.
    Failed,
}

/// Why it is not known whether records are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::coordinators) enum Unstable {
    /// They never will be: the disk failed.
    Failed,
    /// It takes too long.
    Late,
}

impl Journal {
    /// What was read counts as written by the shard: after a crash it may not be on stable storage yet.
    pub(in crate::coordinators) fn read(partition: &Arc<Partition>, words: &'static Words) -> Self {
        let written_to = Some(partition.log.marks().log_end);
        Self { partition: Arc::clone(partition), words, written_to, fails: false }
    }

    /// Appends a batch. Returns the offset after it.
    pub(in crate::coordinators) fn append(
        &mut self,
        batch: Bytes,
        origin: Origin,
        now_ms: i64,
        io: &IoPool,
    ) -> Result<i64, NotWritten> {
        let written = self.partition.append(batch, origin, now_ms, io);
        let (topic, partition, words) = (&*self.partition.topic, self.partition.index, self.words);
        match written {
            Ok(appended) => {
                if std::mem::take(&mut self.fails) {
                    info!(topic, partition, "{}", words.again);
                }
                let end = appended.last_offset + 1;
                self.written_to = Some(end);
                Ok(end)
            }
            Err(error) if concerns_the_producer(&error) => {
                debug!(topic, partition, %error, "a write within a transaction is refused");
                Err(NotWritten::Refused(error))
            }
            Err(error) => {
                if !std::mem::replace(&mut self.fails, true) {
                    warn!(topic, partition, %error, "{}", words.fails);
                }
                Err(NotWritten::Failed)
            }
        }
    }
}

fn concerns_the_producer(error: &AppendError) -> bool {
    matches!(
        error,
        AppendError::InvalidProducerEpoch { .. }
            | AppendError::NotInTransaction { .. }
            | AppendError::InvalidTxnState { .. }
            | AppendError::TooManyTransactions { .. }
    )
}

/// Waits until everything below `offset` is as durable as acks=all is.
pub(in crate::coordinators) async fn stable(
    broker: &Broker,
    partition: &Arc<Partition>,
    offset: i64,
    patience: Duration,
) -> Result<(), Unstable> {
    if !broker.config().acks_all_is_stable {
        return Ok(());
    }
    match tokio::time::timeout(patience, partition.stable(offset, partition.io())).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(CommitError::Failed(_))) => Err(Unstable::Failed),
        Ok(Err(CommitError::Busy)) | Err(_) => Err(Unstable::Late),
    }
}
