//! Transactions: records in them, and their markers.

use pagewire_log::{AppendError, Log, Origin};
use pagewire_record::{ControlType, EndTxnMarker};

use super::produce::{append, batch_of, context};
use crate::model::{Known, Sent};
use crate::world::World;

/// Producers that write in transactions.
pub(crate) const IDS: std::ops::Range<i64> = 3..6;

/// The next batch of a producer's transaction, which it may begin. Now and then one that is in none: while a
/// transaction is open that is refused.
pub(super) fn inside(world: &mut World, at: usize, log: &Log) {
    let id = world.chance.between(IDS.start, IDS.end);
    let known = world.partitions[at].producers().get(&id).copied();
    // Of a log that was cut the producer may be known from a later marker alone; then it begins anew, as with Kafka.
    let is_new = log.producers().iter().any(|said| said.producer_id == id && said.last_sequence < 0);
    let next = |known: Known| (id, known.epoch, if is_new { 0 } else { known.next_sequence() });
    let producer = known.map_or((id, 0, 0), next);
    // Of one that began below the log start nothing need be left.
    let start = world.partitions[at].start;
    let is_open = known.and_then(|known| known.txn_start).is_some_and(|begun| begun >= start);
    if is_open && world.chance.one_in(10) {
        let outside = batch_of(world, producer, false);
        let answer = log.append(outside.bytes, context(world, Origin::Client));
        let refused = matches!(answer, Err(AppendError::InvalidTxnState { .. }));
        assert!(
            refused || world.may_fail(world.partitions[at].place),
            "{}: outside of its transaction: {answer:?}",
            log.topic()
        );
        return;
    }
    let sent = batch_of(world, producer, true);
    append(world, at, log, vec![sent], Origin::Client);
}

/// Ends a producer's transaction, if there is one; with a new epoch of the producer now and then (KIP-890).
pub(super) fn end(world: &mut World, at: usize, log: &Log) {
    let id = world.chance.between(IDS.start, IDS.end);
    let known = world.partitions[at].producers().get(&id).copied();
    let (epoch, coordinator_epoch) =
        known.map_or((0, 0), |known| (known.epoch, known.coordinator_epoch.max(0)));
    let epoch = epoch + i16::from(world.chance.one_in(4));
    let marker = EndTxnMarker {
        control_type: world.chance.pick(&[ControlType::Abort, ControlType::Commit]),
        coordinator_epoch: coordinator_epoch + i32::from(world.chance.one_in(10)),
    };
    let sent = Sent::marker(marker, (id, epoch), world.now_ms);
    append(world, at, log, vec![sent], Origin::Coordinator);
}
