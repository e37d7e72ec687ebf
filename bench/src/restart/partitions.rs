//! Many partitions: what they hold, and how long a stop and a start with them take.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use pagewire_lab::drive::process;

use super::fill;
use crate::{node::Recipe, report::Name};

pub(crate) const COLUMNS: &[Name] =
    &["write s", "RSS MiB", "maps", "stop s", SERVES_EACH, "CPU-s to serve each", MEMORY_THEN];
/// From exec until a record of every partition was read, those of a topic asked for together.
pub(crate) const SERVES_EACH: Name = "serves each after s";
pub(crate) const MEMORY_THEN: Name = "RSS MiB when each was read";

const TOPICS: i32 = 10;
/// Every so many-th partition is asked for alone before all are: a start that takes long is to have little beside it.
const LOOK_AT_EACH: usize = 100;

/// Whoever wants to know is told of the directory from which it serves before it ends.
pub(crate) fn run(recipe: &Recipe, partitions: i32, ends: impl FnOnce(&Path)) -> Result<Vec<f64>> {
    let dir = tempfile::tempdir()?;
    let node = recipe.start(dir.path())?;
    let of_topic: Vec<i32> = (0..partitions / TOPICS).collect();
    let names: Vec<String> = (0..TOPICS).map(|topic| format!("restart{topic}")).collect();
    let began = Instant::now();
    for name in &names {
        fill::create(node.address, name, partitions / TOPICS)?;
        fill::write(node.address, name, &of_topic, 1)?;
    }
    let write = began.elapsed();
    let (memory, maps) = (process::memory(node.pid())?, node.maps()?);
    let stop = node.stop()?;

    let node = recipe.start(dir.path())?;
    let looked = of_topic.iter().rev().step_by(LOOK_AT_EACH);
    let some: Vec<_> = looked.flat_map(|part| names.iter().map(|name| (name.clone(), *part, 1))).collect();
    fill::wait_readable(node.address, &some)?;
    names.iter().try_for_each(|name| fill::wait_each_readable(node.address, name, &of_topic))?;
    let serves = node.started.elapsed();
    let cpu = process::cpu(node.pid())?;
    let after = process::memory(node.pid())?;
    ends(dir.path());
    Ok(vec![
        write.as_secs_f64(),
        memory.resident_mib,
        maps as f64,
        stop.as_secs_f64(),
        serves.as_secs_f64(),
        cpu.as_secs_f64(),
        after.resident_mib,
    ])
}
