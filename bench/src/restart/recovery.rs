//! A long log after `kill -9`: what is read before it is served again.

use std::{thread, time::Duration};

use anyhow::Result;
use pagewire_lab::drive::process;

use super::fill;
use crate::{node::Recipe, report::Name};

pub(super) const COLUMNS: &[Name] = &["serves after s", "read MiB", "CPU-s to serve", "RSS MiB"];

const TOPIC: &str = "recovers";
/// Records of a KiB in a batch.
const RECORDS: usize = 512;
/// Batches between two looks at how much is written.
const BATCHES: usize = 256;
/// What the broker does by the clock after a roll gets done.
const REST: Duration = Duration::from_secs(70);

pub(super) fn run(recipe: &Recipe, mib: u64) -> Result<Vec<f64>> {
    let dir = tempfile::tempdir()?;
    let node = recipe.start(dir.path())?;
    fill::create(node.address, TOPIC, 1)?;
    let (mut bytes, mut batches) = (0, 0);
    while bytes < mib << 20 {
        bytes += fill::write(node.address, TOPIC, &[0; BATCHES], RECORDS)?;
        batches += BATCHES;
    }
    thread::sleep(REST);
    drop(node);

    let node = recipe.start(dir.path())?;
    let end = i64::try_from(batches * RECORDS)?;
    fill::wait_readable(node.address, &[(TOPIC.to_owned(), 0, end)])?;
    let serves = node.started.elapsed();
    Ok(vec![
        serves.as_secs_f64(),
        node.bytes_read()? as f64 / f64::from(1 << 20),
        process::cpu(node.pid())?.as_secs_f64(),
        process::memory(node.pid())?.resident_mib,
    ])
}
