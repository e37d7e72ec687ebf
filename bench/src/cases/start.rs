//! Starting, and doing nothing.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use pagewire_lab::drive::process;

use crate::{broker::Broker, client};

const IDLE: Duration = Duration::from_secs(10);

pub(super) fn run(ours: &Broker, _mib: u64) -> Result<Vec<f64>> {
    let recipe = ours.ours.as_ref().context("only our own broker can be started anew")?;
    let (dir, started) = (tempfile::tempdir()?, Instant::now());
    let fresh = recipe.start(dir.path())?;
    let ready = started.elapsed();
    drop(client::open(fresh.address)?);
    let cpu = process::cpu(fresh.pid())?;
    thread::sleep(IDLE);
    let cpu = process::cpu(fresh.pid())?.saturating_sub(cpu);
    Ok(vec![
        ready.as_secs_f64() * 1e3,
        process::memory(fresh.pid())?.resident_mib,
        cpu.as_secs_f64() / IDLE.as_secs_f64() * 100.0,
    ])
}
