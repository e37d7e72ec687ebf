//! One idempotent producer: its last five batches, its open transaction.

use pagewire_record::BatchHeader;

/// Batches remembered per producer: what a client may have in flight.
pub(crate) const BATCHES_KEPT: usize = 5;

/// A batch that is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchMeta {
    /// Of its last record.
    pub last_sequence: i32,
    /// Likewise.
    pub last_offset: i64,
    /// Last offset minus base offset.
    pub offset_delta: i32,
    /// Largest time in it, ms.
    pub timestamp: i64,
}

impl BatchMeta {
    /// Sequence of the first record, wrapped.
    pub(crate) fn first_sequence(&self) -> i32 {
        self.last_sequence.wrapping_sub(self.offset_delta) & i32::MAX
    }

    /// Offset of the first record.
    pub(crate) fn first_offset(&self) -> i64 {
        self.last_offset - i64::from(self.offset_delta)
    }
}

/// One producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Producer {
    pub(crate) epoch: i16,
    /// Oldest first; only the first `kept` count.
    batches: [Option<BatchMeta>; BATCHES_KEPT],
    pub(crate) coordinator_epoch: i32,
    pub(crate) txn_first_offset: Option<i64>,
    /// Largest timestamp of its last batch (or marker).
    pub(crate) last_timestamp: i64,
    /// When it last wrote, by this broker's clock; what expiration looks at. Not in the snapshot.
    pub(crate) last_seen_ms: i64,
}

impl Producer {
    pub(crate) fn new(epoch: i16) -> Self {
        Self {
            epoch,
            batches: [None; BATCHES_KEPT],
            coordinator_epoch: -1,
            txn_first_offset: None,
            last_timestamp: -1,
            last_seen_ms: 0,
        }
    }

    /// As read from a snapshot.
    pub(crate) fn restored(
        epoch: i16,
        last: Option<BatchMeta>,
        coordinator_epoch: i32,
        txn: Option<i64>,
        timestamp: i64,
    ) -> Self {
        let batches = [last, None, None, None, None];
        let (txn_first_offset, last_timestamp) = (txn, timestamp);
        Self { batches, coordinator_epoch, txn_first_offset, last_timestamp, ..Self::new(epoch) }
    }

    /// The newest batch of this epoch.
    pub(crate) fn last(&self) -> Option<&BatchMeta> {
        self.batches.iter().rev().flatten().next()
    }

    pub(crate) fn push(&mut self, batch: BatchMeta) {
        if self.batches.iter().all(Option::is_some) {
            self.batches.rotate_left(1);
            self.batches[BATCHES_KEPT - 1] = None;
        }
        if let Some(free) = self.batches.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(batch);
        }
    }

    /// Nothing it may have in flight is unknown: five batches, or all of its epoch. What the broker itself wrote for it
    /// has no sequence, and is not sent again.
    pub(crate) fn is_complete(&self) -> bool {
        let first = self.batches.iter().flatten().next();
        self.batches.iter().all(Option::is_some)
            || first.is_none_or(|first| first.last_sequence < 0 || first.first_sequence() == 0)
    }

    /// Takes the batches before its only one from what the log says of it, as far back as they follow each other and are
    /// `good`.
    pub(crate) fn complete_from<E>(
        &mut self,
        found: &Self,
        good: &mut dyn FnMut(&BatchMeta) -> Result<bool, E>,
    ) -> Result<(), E> {
        // A snapshot has one time for the producer, which may be that of a marker after its last batch.
        let last =
            |of: &Self| of.last().map(|last| (last.last_sequence, last.last_offset, last.offset_delta));
        if found.epoch != self.epoch || last(found) != last(self) {
            return Ok(());
        }
        let chain: Vec<BatchMeta> = found.batches.iter().rev().flatten().copied().collect();
        let follows = |pair: &[BatchMeta]| {
            let [newer, older] = pair else { return false };
            newer.first_sequence() == older.last_sequence.wrapping_add(1) & i32::MAX
                && older.last_offset < newer.first_offset()
        };
        let follow = 1 + chain.windows(2).take_while(|pair| follows(pair)).count();
        let mut kept = 0;
        while kept < follow
            && let Some(batch) = chain.get(kept)
            && good(batch)?
        {
            kept += 1;
        }
        if kept == 0 {
            return Ok(());
        }
        self.batches = [None; BATCHES_KEPT];
        for batch in chain.into_iter().take(kept).rev() {
            self.push(batch);
        }
        Ok(())
    }

    pub(crate) fn duplicate_of(&self, header: &BatchHeader) -> Option<&BatchMeta> {
        if header.producer_epoch != self.epoch {
            return None;
        }
        self.batches.iter().flatten().find(|batch| {
            batch.first_sequence() == header.base_sequence && batch.last_sequence == header.last_sequence()
        })
    }
}
