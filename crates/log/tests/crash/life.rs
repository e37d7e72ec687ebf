//! A seed's story: the process starts, works, and ends, one way or another, several times.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use pagewire_log::{FailedLog, LoadReport, Log, LogDirs, LogError};

use crate::disks::{Illness, Place};
use crate::model::Partition;
use crate::ops;
use crate::tally::Tally;
use crate::world::World;
use crate::{
    check, cuts, derived, entries, gone, harm, harmed, kafka, lost, others, restored, strays, unindexed,
};

/// Lives through a seed. Panics where something is not as it must be.
pub(crate) fn live(seed: u64) -> Tally {
    let mut world = World::new(seed);
    for _ in 0..world.chance.between(1, 6) {
        start(&mut world);
        work(&mut world);
        end(&mut world);
        befall(&mut world);
    }
    start(&mut world);
    stop(&mut world);
    start(&mut world);
    note_changes(&mut world);
    world.tally
}

/// What happens to the files while no process has them.
fn befall(world: &mut World) {
    // Whoever it is, it is not the process that was to die.
    world.live_on();
    if !world.lost_power && world.chance.one_in(8) {
        let place = world.chance.below(world.places.len() as u64) as usize;
        kafka::befall(world, place);
    }
    if world.rots && !world.chance.one_in(3) {
        harm::befall(world);
    }
    if world.chance.one_in(3) {
        unindexed::befall(world);
    }
    if !world.lost_power && world.chance.one_in(10) {
        lost::befall(world);
    }
    if world.chance.one_in(10) {
        strays::befall(world);
    }
    if world.chance.one_in(12)
        || world.partitions.iter().any(|one| one.aside.is_some()) && world.chance.one_in(2)
    {
        gone::befall(world);
    }
}

/// Starts until a start comes to its end, and looks at what it found.
pub(crate) fn start(world: &mut World) {
    for attempt in 0.. {
        prepare(world);
        world.leader_epoch += i32::from(world.chance.one_in(2));
        // Who finishes what another one has begun is to die in that.
        let finishes = attempt == 0 && world.others > 0 && world.is_replacing();
        if attempt < 3 && world.chance.one_in(if finishes { 2 } else { 3 }) {
            if !finishes && world.chance.one_in(2) {
                world.die_within(40);
            } else {
                world.die_naming_within(8);
            }
        }
        let stumbles = attempt < 3 && world.chance.one_in(10);
        if stumbles {
            let at = world.chance.below(world.places.len() as u64) as usize;
            world.places[at].stumble(&mut world.chance);
        }
        let files = cuts::log_files(world);
        match world.open() {
            // One that died promised nothing to anybody, whatever its logs would say.
            Ok(_) if world.is_dead() => {}
            Ok((dirs, report)) if !stumbles || is_up(world, &dirs, &report) => {
                world.dirs = Some(Arc::new(dirs));
                if arrive(world, &report, &files, 0..world.places.len()) {
                    return;
                }
            }
            Ok(_) => {}
            Err(error) => assert!(world.is_dead() || stumbles, "no start: {error:?}"),
        }
        world.tally.count(if world.is_dead() {
            "died in: a start"
        } else {
            "starts in which a call failed: ended"
        });
        // It may have been about to write an index anew.
        world.partitions.iter_mut().for_each(|partition| partition.harm.forget_entries());
        die(world);
    }
}

/// Whether a start in which a call failed is none the worse for it: everything is served, and takes writes. Who is not served is not
/// asked further; the owner starts it again.
fn is_up(world: &mut World, dirs: &LogDirs, report: &LoadReport) -> bool {
    world.places.iter_mut().for_each(Place::get_up);
    let is_gone = |failed: &FailedLog| matches!(failed.error, LogError::Gone { .. });
    let is_up = dirs.away().iter().all(|(path, _)| world.is_ill_at(path))
        && report.failed.iter().all(is_gone)
        && dirs
            .here()
            .all(|dir| dir.name_made().is_ok() && dir.logs().iter().all(|log| log.offline().is_none()));
    if is_up && !world.is_dead() {
        world.tally.count("starts in which a call failed: went on");
    }
    is_up
}

/// All disks are well again, but for one that may be away; home never is.
fn prepare(world: &mut World) {
    for (at, place) in world.places.iter_mut().enumerate() {
        place.recover();
        if at > 0 && place.id.is_some() && world.chance.one_in(6) {
            place.be_away();
        }
    }
}

/// Compares what was found in the directories of `places` with the model, and makes what is missing. `false` if the process
/// died meanwhile.
pub(crate) fn arrive(
    world: &mut World,
    report: &LoadReport,
    files: &cuts::Files,
    places: Range<usize>,
) -> bool {
    gone::are_these(world, &report.failed);
    gone::are_missed(world, &report.failed, &places);
    let here: Vec<usize> = world.each_dir().into_iter().map(|(place, _)| place).collect();
    let lost = (0..world.places.len()).find(|place| !here.contains(place) && !world.places[*place].is_ill());
    assert_eq!(lost, None, "a directory is away: {:?}", world.dirs().away());
    for (place, dir) in world.each_dir() {
        world.places[place].id = dir.directory_id();
    }
    cuts::are_told(world, report, files);
    places.clone().for_each(|place| world.places[place].is_new = false);
    let has_come = |place: usize| places.contains(&place) && here.contains(&place);
    let arrived: Vec<usize> =
        (0..world.partitions.len()).filter(|at| has_come(world.partitions[*at].place)).collect();
    for &at in &arrived {
        let Some(log) = world.log(at) else {
            let partition = &world.partitions[at];
            assert!(!partition.made || partition.aside.is_some(), "{} is gone", partition.topic);
            continue;
        };
        // One that was away may have been there for the last time before the power went.
        if world.lost_power || world.partitions[at].floor < world.partitions[at].end {
            harmed::lose_the_end(world, at, &log, report);
        }
        world.partitions[at].settle(log.marks());
        if !harmed::is_told(&world.partitions[at], &log, report) {
            world.tally.count("beginnings lost after a kill, and not told");
        }
        world.partitions[at].harm.start_before = None;
        world.partitions[at].has_stray = false;
        if world.partitions[at].harm.reaches_far() {
            // Nobody goes through so many offsets.
            ops::partitions::delete(world, at);
            world.tally.count("partitions given up for the offset they go on at");
        }
    }
    gone::miss(world);
    // A full disk lets directories go that the checkpoints still name, and a crash then misses the next of their names.
    let is_full = world.places.iter().any(|place| place.illness == Some(Illness::Full));
    let deleted: HashSet<_> = world.deleted.iter().copied().filter(|_| !is_full).collect();
    if let (_, Err(error)) = world.dirs().delete_leftovers(&deleted, world.now_ms) {
        let sick = world.places.iter().any(Place::is_ill);
        assert!(sick || world.is_dead(), "leftovers: {error:?}");
    }
    for &at in &arrived {
        if !world.is_dead() && world.log(at).is_none() {
            ops::partitions::make(world, at);
        }
    }
    if world.is_dead() {
        return false;
    }
    world.live_on();
    for (at, log) in world.open_logs() {
        if arrived.contains(&at) {
            entries::lead_to_their_batches(world, at);
            look_at(world, at, &log);
        }
    }
    for place in places.filter(|place| here.contains(place)) {
        // Of a log whose directory is somewhere else nobody has found out yet.
        let is_aside = |one: &Partition| one.place == place && one.aside.is_some();
        world.places[place].lost_points &= world.partitions.iter().any(is_aside);
    }
    restored::compare_kept(world);
    world.tally.count("starts");
    true
}

/// Compares a log with the model. Of one that something happened to, what was noted is known at once; what was not, often only
/// later.
pub(crate) fn look_at(world: &mut World, at: usize, log: &Log) {
    cuts::are_kept(world, &world.partitions[at]);
    check::partition(world, at, log);
    if world.partitions[at].harm.is_hidden() && world.chance.one_in(2) {
        let dir = world.dir_of(at);
        harmed::look(world, &dir, world.partitions[at].place);
        check::partition(world, at, log);
    }
}

fn work(world: &mut World) {
    if world.chance.one_in(2) {
        if world.chance.one_in(3) {
            world.die_naming_within(16);
        } else {
            world.die_within(150);
        }
    }
    for _ in 0..world.chance.between(5, 70) {
        ops::step(world);
        if world.is_dead() {
            return;
        }
    }
}

fn end(world: &mut World) {
    if !world.is_dead() && world.chance.one_in(4) {
        stop(world);
        if world.chance.one_in(2) {
            return;
        }
    }
    die(world);
}

/// The orderly stop. The process may die in it. A directory whose disk is sick is left as it is.
pub(crate) fn stop(world: &mut World) {
    let report = world.dirs().close_clean(world.now_ms);
    note(world);
    if world.is_dead() {
        world.tally.count("died in: a stop");
        return die(world);
    }
    let well: Vec<usize> = (0..world.places.len()).filter(|at| !world.places[*at].is_ill()).collect();
    for place in well {
        let path = world.places[place].path();
        let failed = report.failed.iter().find(|(of, _)| of.starts_with(path));
        assert!(failed.is_none(), "an orderly stop that is none: {report:?}");
        let active: Vec<Option<i64>> = (0..world.partitions.len())
            .map(|at| world.log(at).and_then(|log| log.active_base_offset()))
            .collect();
        let here = world.partitions.iter_mut().zip(active);
        for (partition, active) in here.filter(|(one, _)| one.place == place && one.aside.is_none()) {
            partition.stable = partition.end;
            partition.start_promised = partition.start;
            partition.harm.note(active.unwrap_or(0));
            partition.was_aside = false;
        }
        derived::equal_to_a_rebuild(world, place);
    }
    world.tally.count("stops in order");
    world.lost_power = false;
    world.dirs = None;
}

/// The process is killed, the power goes, or one after the other.
pub(crate) fn die(world: &mut World) {
    note(world);
    note_changes(world);
    if world.is_dead() && world.dies_naming {
        others::live_through(world);
    }
    world.dies_naming = false;
    let nobody_knows = world.places.iter().any(|place| place.lost_points);
    let (killed, power) = match world.chance.pick(&[(true, false), (false, true), (true, true)]) {
        _ if nobody_knows => (true, false),
        end => end,
    };
    // One that died in its stop is not there to be killed.
    let had_lost_power = world.dirs.is_none() && world.lost_power;
    world.dirs = None;
    for place in &mut world.places {
        if killed {
            place.go_on_as(place.disk.killed());
        }
        if power {
            let seed = world.chance.pick(&[0, 1]) * world.chance.next();
            place.go_on_as(place.disk.crash(seed).expect("a crash"));
        }
    }
    world.lost_power = power || had_lost_power;
    if power {
        world.partitions.iter_mut().for_each(Partition::lose_power);
    }
    world.tally.count(match (killed, power) {
        (true, false) => "killed",
        (false, true) => "power cuts",
        _ => "killed, then a power cut",
    });
}

/// What the process knows when it goes, or when a directory is opened anew.
pub(crate) fn note(world: &mut World) {
    if world.dirs.is_some() {
        for (at, log) in world.open_logs() {
            // Of what was opened and died before anybody looked, nothing was promised.
            if !world.place_of(at).is_new {
                world.partitions[at].note(log.marks());
            }
        }
    }
}

/// A fingerprint of what the process did.
fn note_changes(world: &mut World) {
    let changes = world.places.iter().map(|place| place.disk.changes()).sum();
    world.tally.add("calls that changed a disk", changes);
}
