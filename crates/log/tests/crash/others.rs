//! Other ends of a death before a sync of a directory. Where names were on their way the power may take any of them: the same death
//! ends in other ways first, each of which is looked at for itself, up to an orderly stop.
//!
//! Amid what compaction renames it is one of these names that is left out, or is spared alone: what has to be stable before something
//! else is not there then, or that alone is. A mixture of them all rarely has just that. Whoever finishes that dies as well, and has others of its own.

use pagewire_disk::Spared;

use crate::disks::Place;
use crate::life;
use crate::model::Partition;
use crate::ops;
use crate::world::World;

/// Other ends of a death that is amid nothing.
const SOME: u64 = 3;
/// Of one amid a compaction's renames, and of one that has been another end itself: of the names that are on their way, those that
/// fare otherwise than the others.
const NAMES: [usize; 3] = [8, 3, 2];

const ENDS: &str = "other ends of a death before a sync of a directory";
const AMID: &str = "other ends amid a compaction's renames";

/// What becomes of the names in one directory; of all else a mixture of the seed's own.
#[derive(Debug, Clone, Copy)]
struct End {
    seed: u64,
    sparing: Option<(usize, Spared)>,
}

/// Lives through the other ends of a death.
pub(crate) fn live_through(world: &mut World) {
    if usize::from(world.others) == NAMES.len() || world.places.iter().any(|place| place.lost_points) {
        return;
    }
    let is_amid = world.is_replacing();
    for end in ends(world, is_amid) {
        let mut other = world.other();
        for (at, place) in other.places.iter_mut().enumerate() {
            let sparing = end.sparing.filter(|(of, _)| *of == at);
            let left = match sparing {
                Some((_, spared)) => place.disk.crash_sparing(spared, end.seed),
                None => place.disk.crash(end.seed),
            };
            place.go_on_as(left.expect("a crash"));
        }
        other.partitions.iter_mut().for_each(Partition::lose_power);
        live(&mut other, is_amid);
        for told in [ENDS, AMID] {
            world.tally.add(told, other.tally.of(told));
        }
        world.tally.count(if is_amid { AMID } else { ENDS });
    }
}

fn ends(world: &mut World, is_amid: bool) -> Vec<End> {
    let mut seed = || 1 | world.chance.next();
    if !is_amid {
        let some = if world.others == 0 { SOME } else { 0 };
        return (0..some).map(|_| End { seed: seed(), sparing: None }).collect();
    }
    let names = |(at, place): (usize, &Place)| (0..place.disk.unsynced_names()).map(move |name| (at, name));
    let mut all: Vec<(usize, Spared)> = (world.places.iter().enumerate().flat_map(names))
        .flat_map(|(at, name)| [(at, Spared::Only(name)), (at, Spared::AllBut(name))])
        .collect();
    let most = NAMES.get(usize::from(world.others)).copied().unwrap_or(0);
    while all.len() > most {
        let out = world.chance.below(all.len() as u64) as usize;
        all.swap_remove(out);
    }
    all.into_iter().map(|one| End { seed: 1 | world.chance.next(), sparing: Some(one) }).collect()
}

/// From a start to an orderly stop. What was amid a compaction goes on with one, which dies as well.
fn live(other: &mut World, is_amid: bool) {
    life::start(other);
    if is_amid && other.config.cleanup_compact && other.chance.one_in(2) {
        ops::clean_again(other);
        if other.is_dead() {
            life::die(other);
            life::start(other);
        }
        other.live_on();
    }
    life::stop(other);
}
