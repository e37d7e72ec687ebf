//! Appends of every kind.

use bytes::Bytes;
use pagewire_log::{AppendContext, AppendError, Log, Origin};

use super::or_excused;
use crate::disks::Illness;
use crate::model::{Sent, Shape};
use crate::world::World;

const NOBODY: (i64, i16, i32) = (-1, -1, -1);

pub(super) fn plain(world: &mut World, at: usize, log: &Log) {
    let sent = batch(world, NOBODY);
    append(world, at, log, vec![sent], Origin::Client);
}

/// The next batch of one of three producers, now and then of its next epoch.
pub(super) fn idempotent(world: &mut World, at: usize, log: &Log) {
    let id = world.chance.between(0, 3);
    let next = match world.partitions[at].producers().get(&id) {
        Some(known) if world.chance.one_in(10) => (id, known.epoch + 1, 0),
        Some(known) => (id, known.epoch, known.next_sequence()),
        None => (id, 0, world.chance.pick(&[0, 0, 7, i32::MAX - 2])),
    };
    let sent = batch(world, next);
    append(world, at, log, vec![sent], Origin::Client);
}

/// One of a producer's last five batches once more, as after a lost answer.
pub(super) fn again(world: &mut World, at: usize, log: &Log) {
    let id = world.chance.between(0, 6);
    let known = world.partitions[at].known_again(id, world.holes);
    let Some(which) = (known.len() as u64).checked_sub(1) else { return };
    let sent = known[world.chance.below(which + 1) as usize];
    let (bytes, base) = (sent.bytes.clone(), sent.base);
    let answer = log.append(bytes, context(world, Origin::Client));
    if let Some(appended) = or_excused(world, world.partitions[at].place, "a batch sent again", answer) {
        assert!(appended.duplicate, "{}: a batch of {id} sent again was appended twice", log.topic());
        assert_eq!(appended.base_offset, base);
    }
}

/// A sequence that does not follow is refused, and leaves nothing behind.
pub(super) fn out_of_order(world: &mut World, at: usize, log: &Log) {
    let id = world.chance.between(0, 3);
    let partition = &world.partitions[at];
    let last = partition.readable().iter().rfind(|sent| sent.header.producer_id == id);
    let Some(known) = last.and_then(|_| partition.producers().get(&id).copied()) else { return };
    let skipped = known.last_sequence.wrapping_add(1 + world.chance.between(1, 100) as i32) & i32::MAX;
    let sent = batch(world, (id, known.epoch, skipped));
    let answer = log.append(sent.bytes, context(world, Origin::Client));
    let refused = matches!(answer, Err(AppendError::OutOfOrderSequence { .. }));
    assert!(
        refused || world.may_fail(world.partitions[at].place),
        "{}: {skipped} after {known:?}: {answer:?}",
        log.topic()
    );
}

/// Several batches in one append, as the coordinators write them.
pub(super) fn coordinator(world: &mut World, at: usize, log: &Log) {
    let sent = (0..world.chance.between(1, 4)).map(|_| batch(world, NOBODY)).collect();
    append(world, at, log, sent, Origin::Coordinator);
}

fn batch(world: &mut World, producer: (i64, i16, i32)) -> Sent {
    batch_of(world, producer, false)
}

pub(super) fn batch_of(world: &mut World, producer: (i64, i16, i32), transactional: bool) -> Sent {
    Sent::new(&mut world.chance, Shape { producer, transactional, now_ms: world.now_ms })
}

pub(super) fn context(world: &World, origin: Origin) -> AppendContext {
    AppendContext { leader_epoch: world.leader_epoch, origin, now_ms: world.now_ms }
}

pub(super) fn append(world: &mut World, at: usize, log: &Log, sent: Vec<Sent>, origin: Origin) {
    let bytes: Bytes = sent.iter().flat_map(|sent| sent.bytes.iter().copied()).collect();
    let (context, place) = (context(world, origin), world.partitions[at].place);
    if log.offline().is_some() {
        let answer = log.append(bytes, context);
        let refused = matches!(answer, Err(AppendError::Offline(_)));
        assert!(refused && world.may_fail(place), "{}: offline: {answer:?}", log.topic());
        return;
    }
    let too_large = bytes.len() > log.config().segment_bytes as usize;
    world.partitions[at].sends(sent, world.leader_epoch);
    match log.append(bytes, context) {
        Ok(appended) => {
            let partition = &mut world.partitions[at];
            assert_eq!(appended.base_offset, partition.end, "{}: not at the end", partition.topic);
            assert!(!appended.duplicate);
            partition.sent();
            assert_eq!(appended.last_offset + 1, partition.end);
        }
        Err(AppendError::TooLarge { .. }) if too_large => world.partitions[at].refused(),
        // Nobody heard of it: it may be there.
        Err(error) => {
            let knows = log.producers();
            let (holes, expected) = (world.holes, world.partitions[at].producers());
            assert!(
                world.may_fail(place),
                "an append failed: {error:?} {expected:?} {knows:?}, holes: {holes}"
            );
            if log.offline().is_none() {
                let illness = world.places[place].illness;
                assert!(
                    world.is_dead() || matches!(illness, Some(Illness::Full | Illness::Unreadable)),
                    "{}: {error:?}, and others may append",
                    log.topic()
                );
                if !world.is_dead() {
                    // It was cut back before anybody was answered.
                    world.partitions[at].refused();
                }
            }
        }
    }
}
