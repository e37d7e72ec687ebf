//! A segment in which every other batch is damaged: it is found, known, told, noted and looked at again within bounds.

use tracing::Level;

use super::*;
use crate::said::said;
use crate::scrub::stretches::STRETCHES_MAX;

/// So many batches in one closed segment, every other one damaged.
fn rotten(world: &World, batches: u64) -> Arc<Log> {
    let mut settings = settings();
    settings.log.segment_bytes = u32::try_from(batches * size()).expect("fits");
    let log = world.dir.create("t", 0, &settings, 0).expect("made");
    for _ in 0..=batches {
        let context = AppendContext { leader_epoch: 0, origin: Origin::Client, now_ms: 0 };
        log.append(batch(), context).expect("appended");
    }
    assert_eq!(log.segments()[0].size_bytes, batches * size());
    for at in (0..batches).step_by(2) {
        world.damage(0, 0, at * size() + 70);
    }
    log
}

#[test]
fn a_rotten_segment_is_known_and_told_within_bounds_and_none_of_it_is_served() {
    let world = World::new();
    let damaged = 2 * STRETCHES_MAX as u64;
    let log = rotten(&world, 2 * damaged);
    let mut found = Scrubbed::default();
    let told = said(Level::ERROR, || found = world.scrub(5000));
    assert_eq!(found.damaged, damaged, "each is found");
    assert!(told <= 10, "{told} lines");
    assert_eq!(log.known_damage(), STRETCHES_MAX);
    for at in (0..2 * damaged as i64).step_by(2) {
        assert!(matches!(read(&log, 10 * at), Err(ReadError::Damaged { .. })), "batch {at}");
    }
    let told = said(Level::ERROR, || assert_eq!(world.scrub(5000 + 20_000).damaged, damaged));
    assert_eq!(told, 0, "it was said");
}

#[test]
fn a_rotten_segment_is_known_again_after_a_restart() {
    let world = World::new();
    rotten(&world, 4 * STRETCHES_MAX as u64);
    world.scrub(5000);
    let noted = |world: &World| {
        DamageCheckpoint::read(&*world.disk, Path::new("/data")).expect("legible").entries.len()
    };
    let mut restarted = None;
    let told = said(Level::ERROR, || restarted = Some(world.restarted(6000)));
    assert!(told <= 10, "{told} lines");
    let world = restarted.expect("open");
    assert_eq!(noted(&world), STRETCHES_MAX);
    let log = world.dir.get("t", 0).expect("open");
    assert_eq!(log.known_damage(), STRETCHES_MAX);
    for at in (0..4 * STRETCHES_MAX as i64).step_by(2) {
        assert!(matches!(read(&log, 10 * at), Err(ReadError::Damaged { .. })), "batch {at}");
    }
}

#[test]
fn where_little_is_damaged_each_place_is_said() {
    let world = World::new();
    rotten(&world, 10);
    let told = said(Level::ERROR, || assert_eq!(world.scrub(5000).damaged, 5));
    assert_eq!(told, 5);
}

#[test]
fn how_old_a_damaged_active_segment_is_is_said_once() {
    let world = World::new();
    let log = world.log(0, 3);
    world.damage(0, 0, size() + 16);
    assert!(read(&log, 10).is_err() && log.segments().len() == 1 && log.known_damage() == 1);
    let told = said(Level::WARN, || {
        for now_ms in 0..3 {
            log.apply_retention(now_ms).expect("nothing to do");
        }
    });
    assert_eq!(told, 1);
}
