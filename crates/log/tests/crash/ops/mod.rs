//! What a broker does to its logs, one step at a time.

mod clean;
pub(crate) mod partitions;
mod produce;
mod rounds;
mod settings;
mod txns;

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
    let (name, run): (&'static str, fn(&mut World, usize, &pagewire_log::Log)) = match world.chance.below(100)
    {
        0..24 => ("append: plain", produce::plain),
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
        _ => ("delete a partition", |world, at, _| partitions::delete(world, at)),
    };
    world.tally.count(name);
    run(world, at, &log);
    if world.disk.is_dead() {
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
        _ => "died in: something else",
    }
}

/// The answer of a call that may fail only because the process died in it.
fn or_dead<T, E: std::fmt::Debug>(world: &World, what: &str, answer: Result<T, E>) -> Option<T> {
    match answer {
        Ok(answer) => Some(answer),
        Err(error) => {
            assert!(world.disk.is_dead(), "{what} failed: {error:?}");
            None
        }
    }
}
