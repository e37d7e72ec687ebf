//! A seed's story: the process starts, works, and ends, one way or another, several times.

use std::collections::HashSet;

use pagewire_log::LoadReport;

use crate::ops;
use crate::tally::Tally;
use crate::world::World;
use crate::{check, derived};

/// Lives through a seed. Panics where something is not as it must be.
pub(crate) fn live(seed: u64) -> Tally {
    let mut world = World::new(seed);
    for _ in 0..world.chance.between(1, 6) {
        start(&mut world);
        work(&mut world);
        end(&mut world);
    }
    start(&mut world);
    stop(&mut world);
    start(&mut world);
    world.tally
}

/// Starts until a start comes to its end, and looks at what it found.
fn start(world: &mut World) {
    for attempt in 0.. {
        world.leader_epoch += i32::from(world.chance.one_in(2));
        if attempt < 3 && world.chance.one_in(3) {
            let (changes, seed) = (1 + world.chance.below(40), world.chance.next());
            world.disk.die_in(changes, seed);
        }
        let bytes = check::bytes_on_disk(world);
        match world.open() {
            Ok((dir, report)) => {
                world.dir = Some(dir);
                if !world.disk.is_dead() && arrive(world, &report, &bytes) {
                    return;
                }
            }
            Err(error) => assert!(world.disk.is_dead(), "no start: {error:?}"),
        }
        world.tally.count("died in: a start");
        die(world);
    }
}

/// Compares what the start found with the model, and makes what is missing. `false` if the process died meanwhile.
fn arrive(world: &mut World, report: &LoadReport, bytes: &check::Bytes) -> bool {
    if std::env::var_os("PAGEWIRE_CRASH_TRACE").is_some() {
        println!("start: {report:#?}");
    }
    assert!(report.failed.is_empty(), "logs that cannot be opened: {:?}", report.failed);
    check::cuts_are_told(world, report, bytes);
    for at in 0..world.partitions.len() {
        match world.log(at) {
            Some(log) => world.partitions[at].settle(log.marks()),
            None => assert!(!world.partitions[at].made, "{} is gone", world.partitions[at].topic),
        }
    }
    let deleted: HashSet<_> = world.deleted.iter().copied().collect();
    if let Err(error) = world.dir().delete_leftovers(&deleted, world.now_ms) {
        assert!(world.disk.is_dead(), "leftovers: {error:?}");
        return false;
    }
    for at in 0..world.partitions.len() {
        if world.log(at).is_none() && !ops::partitions::make(world, at) {
            return false;
        }
    }
    for (at, log) in world.open_logs() {
        check::partition(world, at, &log);
        if world.disk.is_dead() {
            return false;
        }
    }
    world.tally.count("starts");
    true
}

fn work(world: &mut World) {
    if world.chance.one_in(2) {
        let (changes, seed) = (1 + world.chance.below(150), world.chance.next());
        world.disk.die_in(changes, seed);
    }
    for _ in 0..world.chance.between(5, 70) {
        ops::step(world);
        if world.disk.is_dead() {
            return;
        }
    }
}

fn end(world: &mut World) {
    if !world.disk.is_dead() && world.chance.one_in(4) {
        stop(world);
        if world.chance.one_in(2) {
            return;
        }
    }
    die(world);
}

/// The orderly stop. The process may die in it.
fn stop(world: &mut World) {
    let report = world.dir().close_clean(world.now_ms);
    note(world);
    if report.clean {
        world.tally.count("stops in order");
        for partition in &mut world.partitions {
            partition.stable = partition.end;
            partition.start_promised = partition.start;
        }
        if !world.disk.is_dead() {
            derived::equal_to_a_rebuild(world);
        }
    } else {
        assert!(world.disk.is_dead(), "an orderly stop that is none: {report:?}");
        world.tally.count("died in: a stop");
        die(world);
    }
    world.dir = None;
}

/// The process is killed, the power goes, or one after the other.
fn die(world: &mut World) {
    note(world);
    let (killed, power) = world.chance.pick(&[(true, false), (false, true), (true, true)]);
    if killed {
        let next = world.disk.killed();
        world.dir = None;
        world.disk = next;
    }
    if power {
        let after = world.disk.crash(world.chance.pick(&[0, 1]) * world.chance.next()).expect("a crash");
        world.dir = None;
        world.disk = after;
        world.partitions.iter_mut().for_each(crate::model::Partition::lose_power);
    }
    if std::env::var_os("PAGEWIRE_CRASH_TRACE").is_some() {
        println!("killed {killed}, power {power}");
    }
    world.tally.count(match (killed, power) {
        (true, false) => "killed",
        (false, true) => "power cuts",
        _ => "killed, then a power cut",
    });
}

/// What the process knows when it goes.
fn note(world: &mut World) {
    if world.dir.is_some() {
        for (at, log) in world.open_logs() {
            world.partitions[at].note(log.marks());
        }
    }
}
