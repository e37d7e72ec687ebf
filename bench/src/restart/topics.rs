//! Many topics: what making them one after another costs, and what they hold at rest, before a record and after a start.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use pagewire_lab::drive::process;

use super::fill;
use crate::{
    node::{Node, Recipe},
    report::Name,
};

pub(crate) const COLUMNS: &[Name] = &[
    "create s",
    "CPU-s to create",
    "RSS MiB",
    "files",
    "threads",
    "idle CPU %",
    "stop s",
    "serves after s",
    "RSS MiB then",
];

/// After the last topic: what is to be done about it is done.
const SETTLE: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(20);
/// Every so many-th topic is read to see that all are served.
const LOOK_AT_EACH: usize = 100;

pub(crate) fn run(recipe: &Recipe, topics: usize) -> Result<Vec<f64>> {
    let dir = tempfile::tempdir()?;
    let node = recipe.start(dir.path())?;
    let names: Vec<String> = (0..topics).map(|topic| format!("topic{topic:06}")).collect();
    let (began, before) = (Instant::now(), process::cpu(node.pid())?);
    for name in &names {
        fill::create(node.address, name, 1)?;
    }
    let create = began.elapsed();
    let cpu = process::cpu(node.pid())?.saturating_sub(before);
    thread::sleep(SETTLE);
    let (memory, files, threads) = (process::memory(node.pid())?, node.files()?, node.threads()?);
    let idle = idle_percent(&node)?;
    let looked: Vec<&String> = names.iter().rev().step_by(LOOK_AT_EACH).collect();
    for name in &looked {
        fill::write(node.address, name, &[0], 1)?;
    }
    let stop = node.stop()?;

    let node = recipe.start(dir.path())?;
    let ends: Vec<_> = looked.into_iter().map(|name| (name.clone(), 0, 1)).collect();
    fill::wait_readable(node.address, &ends)?;
    let serves = node.started.elapsed();
    thread::sleep(SETTLE);
    let after = process::memory(node.pid())?;
    Ok(vec![
        create.as_secs_f64(),
        cpu.as_secs_f64(),
        memory.resident_mib,
        files as f64,
        threads as f64,
        idle,
        stop.as_secs_f64(),
        serves.as_secs_f64(),
        after.resident_mib,
    ])
}

fn idle_percent(node: &Node) -> Result<f64> {
    let before = process::cpu(node.pid())?;
    thread::sleep(IDLE);
    let spent = process::cpu(node.pid())?.saturating_sub(before);
    Ok(spent.as_secs_f64() / IDLE.as_secs_f64() * 100.0)
}
