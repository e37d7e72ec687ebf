//! Syncs, rolls, retention, deletion of records, checkpoints.

use pagewire_log::{Flushed, Log, ScrubLimits};

use super::or_excused;
use crate::world::World;

pub(super) fn sync(world: &mut World, at: usize, log: &Log) {
    let answer = log.sync();
    if let Some(stable) = or_excused(world, world.partitions[at].place, "a sync", answer) {
        assert_eq!(stable, world.partitions[at].end, "a sync covers everything appended before it");
        world.partitions[at].stable = stable;
    }
}

pub(super) fn pace(world: &mut World, at: usize, log: &Log) {
    or_excused(world, world.partitions[at].place, "pacing", log.pace());
}

pub(super) fn flush(world: &mut World, _at: usize, _log: &Log) {
    world.now_ms += 100;
    for (place, dir) in world.each_dir() {
        flushed(world, place, &dir.flush_due(world.now_ms));
    }
}

pub(super) fn close_files(world: &mut World, _at: usize, _log: &Log) {
    for (place, dir) in world.each_dir() {
        flushed(world, place, &dir.close_files(world.now_ms));
    }
}

fn flushed(world: &World, place: usize, done: &Flushed) {
    assert!(done.failed.is_empty() || world.may_fail(place), "syncs failed: {done:?}");
}

pub(super) fn roll(world: &mut World, at: usize, log: &Log) {
    let answer = log.roll_if_due(world.now_ms + 6_000);
    or_excused(world, world.partitions[at].place, "a roll", answer);
}

pub(super) fn retain(world: &mut World, _at: usize, _log: &Log) {
    if world.chance.one_in(3) {
        world.now_ms += 1_000;
    }
    for (place, dir) in world.each_dir() {
        let retained = dir.retain(world.now_ms);
        assert!(retained.failed.is_empty() || world.may_fail(place), "retention failed: {retained:?}");
        world.tally.add("segments removed by retention", retained.segments as u64);
    }
    for (at, log) in world.open_logs() {
        world.partitions[at].start = log.marks().log_start;
        // Segments that are gone for good cannot come back.
        if !world.may_fail(world.partitions[at].place) {
            let first = log.segments().first().map_or(0, |segment| segment.base_offset);
            world.partitions[at].start_promised = first.max(world.partitions[at].start_promised);
        }
    }
    for (place, dir) in world.each_dir() {
        let unlinked = dir.unlink_due(world.now_ms);
        or_excused(world, place, "unlinking", unlinked);
    }
}

pub(super) fn delete_records(world: &mut World, at: usize, log: &Log) {
    let partition = &world.partitions[at];
    let to = match world.chance.below(8) {
        0 => -1,
        _ => {
            world.chance.between(partition.start, partition.start + (partition.end - partition.start) / 3 + 1)
        }
    };
    let answer = log.delete_records_before(to);
    if let Some(start) = or_excused(world, world.partitions[at].place, "deleting records", answer) {
        world.partitions[at].start = start;
    }
}

pub(super) fn checkpoints(world: &mut World, _at: usize, _log: &Log) {
    write_checkpoints(world);
}

pub(super) fn write_checkpoints(world: &mut World) {
    for (place, dir) in world.each_dir() {
        if or_excused(world, place, "writing checkpoints", dir.write_checkpoints()).is_none() {
            continue;
        }
        for (at, log) in world.open_logs() {
            if world.partitions[at].place == place {
                world.partitions[at].start_promised = log.marks().log_start;
                world.partitions[at].harm.note(log.active_base_offset().unwrap_or(0));
            }
        }
    }
}

/// Whatever happened before: no start leaves anything damaged below what it serves.
pub(super) fn scrub(world: &mut World, _at: usize, _log: &Log) {
    let limits = ScrubLimits { interval_ms: 0, bytes: world.chance.pick(&[1, 4_000, 1 << 20]) };
    for (place, dir) in world.each_dir() {
        dir.scrub(limits, world.now_ms);
        let counts = dir.scrub_counts();
        let unread = if world.places[place].was_unreadable { 0 } else { counts.unreadable };
        let found = counts.damaged + unread;
        let was_harmed = world.places[place].was_harmed;
        assert!(found == 0 || was_harmed || world.is_dead(), "the scrub finds damage: {counts:?}");
        world.tally.add("bytes scrubbed", counts.bytes);
    }
}
