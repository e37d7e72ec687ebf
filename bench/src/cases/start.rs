//! Starting, and doing nothing.

use std::{thread, time::Duration};

use anyhow::{Context, Result};
use pagewire_lab::drive::process;

use super::Turn;
use crate::goals::{Goal, To, at_most};
use crate::report::{Name, ms};

const READY: Name = "ready ms";
const MEMORY: Name = "idle RSS MiB";
const CPU: Name = "idle CPU %";

pub(super) const COLUMNS: &[Name] = &[READY, MEMORY, CPU];
pub(super) const GOALS: &[Goal] =
    &[at_most(READY, To::Itself, 50.0), at_most(MEMORY, To::Itself, 16.0), at_most(CPU, To::Itself, 0.5)];

/// What a start leaves to be done is done by then: a virtual machine goes on compiling for a while.
const REST: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(10);

pub(super) fn run(turn: &Turn<'_>) -> Result<Vec<f64>> {
    let recipe = turn.broker.recipe.as_ref().context("it was not started here")?;
    let dir = tempfile::tempdir()?;
    // The first start on an empty directory makes it; some brokers have it made by a program of its own.
    recipe.start(dir.path())?.stop()?;
    let fresh = recipe.start(dir.path())?;
    let ready = fresh.started.elapsed();
    thread::sleep(REST);
    let cpu = process::cpu(fresh.pid())?;
    thread::sleep(IDLE);
    let cpu = process::cpu(fresh.pid())?.saturating_sub(cpu);
    Ok(vec![
        ms(ready),
        process::memory(fresh.pid())?.resident_mib,
        cpu.as_secs_f64() / IDLE.as_secs_f64() * 100.0,
    ])
}
