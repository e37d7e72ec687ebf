//! What a broker does to its logs, one step at a time.

mod backup;
mod clean;
mod illness;
pub(crate) mod partitions;
mod produce;
mod rounds;
mod settings;
mod txns;

pub(crate) use clean::again as clean_again;

use crate::gone;
use crate::world::World;

/// Does one thing, chosen by chance. Whether it came to its end is for the caller to see: the process may have died.
pub(crate) fn step(world: &mut World) {
    world.now_ms += world.chance.between(0, 40);
    let open = world.open_logs();
    let Some((at, log)) =
        (!open.is_empty()).then(|| open[world.chance.below(open.len() as u64) as usize].clone())
    else {
        return partitions::make_some(world);
    };
    let is_harmed = !world.partitions[at].harm.is_none();
    // Where compaction finds nothing to do nothing is renamed.
    let chosen = match world.chance.below(if world.is_backing_up { 100 } else { 110 }) {
        0..24 if world.config.cleanup_compact && world.chance.one_in(2) => 96,
        chosen => chosen,
    };
    let (name, run): (&'static str, fn(&mut World, usize, &pagewire_log::Log)) = match chosen {
        0..24 => ("append: plain", produce::plain),
        // Whose last batches were hit may be another producer than the model's.
        24..43 | 49..56 if is_harmed => ("append: plain", produce::plain),
        24..34 => ("append: idempotent", produce::idempotent),
        34..43 => ("append: in a transaction", txns::inside),
        43..49 => ("append: marker", txns::end),
        49..54 => ("append: sent again", produce::again),
        54..56 => ("append: out of order", produce::out_of_order),
        56..59 => ("append: coordinator, several batches", produce::coordinator),
        59..67 => ("sync", rounds::sync),
        67..72 => ("pace", rounds::pace),
        72..75 => ("flush round", rounds::flush),
        75..78 => ("roll by age", rounds::roll),
        78..83 => ("retention round", rounds::retain),
        83..88 => ("delete records", rounds::delete_records),
        88..93 => ("checkpoints", rounds::checkpoints),
        93..94 => ("close files over the budget", rounds::close_files),
        94..95 => ("settings change", settings::change),
        95..96 => ("scrub round", rounds::scrub),
        96..98 => ("compaction round", clean::clean),
        98..99 => ("make partitions", |world, _, _| partitions::make_some(world)),
        99..100 => ("delete a partition", |world, at, _| partitions::delete(world, at)),
        100..102 => ("backup", backup::back_up),
        102..104 => ("a disk falls ill", illness::begin),
        104..107 => ("a directory that is gone", |world, _, _| gone::go_on(world)),
        _ => ("a sick disk", illness::go_on),
    };
    world.tally.count(name);
    run(world, at, &log);
    if world.is_dead() {
        world.tally.count(died_in(name));
    }
}

/// The summary's word for a death in an operation.
fn died_in(name: &str) -> &'static str {
    match name.split(':').next().unwrap_or_default() {
        "append" => "died in: append",
        "sync" | "pace" | "flush round" => "died in: sync",
        "roll by age" => "died in: roll",
        "retention round" => "died in: retention",
        "checkpoints" => "died in: checkpoints",
        "scrub round" => "died in: scrub",
        "settings change" => "died in: settings",
        "compaction round" => "died in: compaction",
        "delete records" => "died in: delete records",
        "make partitions" => "died in: making a partition",
        "delete a partition" => "died in: deleting a partition",
        "backup" => "died in: a backup",
        "a sick disk" => "died in: a directory that comes back",
        _ => "died in: something else",
    }
}

/// The answer of a call in the directory at `place`, which may fail only because the process died in it, or its disk is sick.
pub(crate) fn or_excused<T, E: std::fmt::Debug>(
    world: &World,
    place: usize,
    what: &str,
    answer: Result<T, E>,
) -> Option<T> {
    match answer {
        Ok(answer) => Some(answer),
        Err(error) => {
            assert!(world.may_fail(place), "{what} failed: {error:?}");
            None
        }
    }
}
