//! A disk that refuses some kind of writing or reading from some time on, is full, or was away when the process
//! started. A directory that is offline is read all the same if it is there, and comes back by `log online`, or with
//! the next start; one that is full, or was not read for a while, goes on by itself. The others know nothing of it.

use std::sync::Arc;

use pagewire_log::{Coming, Log, TakeInError};

use super::or_excused;
use crate::disks::{Illness, Place};
use crate::world::World;
use crate::{check, cuts, life};

pub(super) fn begin(world: &mut World, at: usize, _log: &Log) {
    let place = world.partitions[at].place;
    if !world.places[place].is_ill() {
        world.places[place].fall_ill(&mut world.chance);
        world.tally.count(match world.places[place].illness {
            Some(Illness::Full) => "full disks",
            Some(Illness::Unreadable) => "disks that cannot be read",
            _ => "sick disks",
        });
    }
}

/// Looks at the log, if it is offline; or a directory comes back.
pub(super) fn go_on(world: &mut World, at: usize, log: &Log) {
    let is_read = world.place_of(at).illness != Some(Illness::Unreadable);
    if log.offline().is_some() && is_read && world.chance.one_in(2) {
        world.live_on();
        // A clean may have failed after it had removed something.
        life::note(world);
        check::partition(world, at, log);
        world.tally.count("offline logs read");
    } else if let Some(place) = world.places.iter().position(Place::is_ill) {
        come_back(world, place);
    }
}

/// As `pagewire log online`: the directory is loaded anew under the running process, as after a kill.
fn come_back(world: &mut World, place: usize) {
    let was_away = world.each_dir().iter().all(|(here, _)| *here != place);
    world.places[place].recover();
    world.leader_epoch += i32::from(world.chance.one_in(2));
    life::note(world);
    let (files, known) = (cuts::log_files(world), world.known());
    let (of, dirs) = (&world.places[place], Arc::clone(world.dirs()));
    let settings = |topic: &str, number| known.settings(topic, number);
    let taken = dirs.take_in(of.path(), &of.used(), Coming::Back(of.id), world.options(), &settings, &|_| {});
    if matches!(taken, Err(TakeInError::Served(_))) {
        // It was not written to while it was sick, or is full no more: what a broker tries every second comes to its end.
        let named = world.each_dir().iter().try_for_each(|(_, dir)| dir.name_made());
        or_excused(world, place, "naming logs", named);
        return;
    }
    let Some(taken) = or_excused(world, place, "a directory that comes back", taken) else { return };
    let (_, report) = dirs.serve(taken).expect("served");
    world.places[place].is_new = true;
    if !world.is_dead() && life::arrive(world, &report, &files, place..place + 1) {
        world.tally.count(if was_away {
            "directories that were away and came back"
        } else {
            "directories that came back"
        });
    }
}
