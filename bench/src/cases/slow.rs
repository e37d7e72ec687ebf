//! Latencies while the disk of another log directory stalls, or the disk that is fetched from does. Other producers write to what
//! stalls all the while, so many that each of a broker's threads meets it.

use std::net::SocketAddr;
use std::num::NonZero;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use pagewire_lab::drive::Latencies;

use super::Turn;
use super::beside::Until;
use super::fetches::Fetches;
use super::stalling::Slow;
use super::tail;
use super::warm::warm;
use crate::client;

/// Threads that Kafka serves requests with (`num.io.threads`).
const KAFKA_WORKERS: u32 = 8;
/// Producers to a worker: which worker a connection comes to is chance.
const PRODUCERS: u32 = 2;
/// Between two records of all slow producers: they are to meet a stall, and be no load beside that.
const PACE: Duration = Duration::from_millis(5);
/// Some brokers take a moment until a partition has its directory.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);
/// Two log directories take turns.
const TOPICS: [&str; 2] = ["bench-disk-a", "bench-disk-b"];

/// A tail on the disk that does not stall.
pub(super) fn tail(turn: &Turn<'_>) -> Result<Vec<f64>> {
    run(turn, |Topics { address, well, .. }| {
        let mut tail = tail::in_topic(address, well)?;
        Ok(move || turn.tail(&mut tail))
    })
}

/// Fetches from the disk that stalls, of what is in the page cache.
pub(super) fn fetch(turn: &Turn<'_>) -> Result<Vec<f64>> {
    run(turn, |Topics { address, ill, .. }| {
        let fetches = Fetches::fill(address, ill)?;
        Ok(move || fetches.run())
    })
}

/// Topics of a broker, the one on a disk that stalls.
#[derive(Clone, Copy)]
struct Topics {
    address: SocketAddr,
    well: &'static str,
    ill: &'static str,
}

fn run<M: FnMut() -> Result<Latencies>>(
    turn: &Turn<'_>,
    prepare: impl FnOnce(Topics) -> Result<M>,
) -> Result<Vec<f64>> {
    let recipe = turn.broker.recipe.as_ref().context("it was not started here")?;
    let (home, slow) = (tempfile::tempdir()?, Slow::mount()?);
    let fast = home.path().join("fast");
    let dirs = format!("log.dirs={},{}", fast.display(), slow.dir().display());
    let node = recipe.clone().with(&[dirs]).start(home.path())?;
    // Before the broker is ended, whatever fails: one that waits for a disk that is frozen does not end.
    let slow = slow;
    let address = node.address;
    TOPICS.iter().try_for_each(|topic| client::create_topic(address, topic))?;
    let (well, ill) = (lying_in(&fast)?, lying_in(&slow.dir())?);
    let mut measure = prepare(Topics { address, well, ill })?;
    // A virtual machine that has just begun would compile its code meanwhile.
    warm(&turn.broker.name, node.pid(), || measure().map(|_| ()))?;
    turn.is_warm();
    let values = turn.way(node.pid()).run(measure, |until| {
        thread::scope(|scope| {
            let writers: Vec<_> = (0..producers())
                .map(|number| scope.spawn(move || write(address, ill, PACE * number, until)))
                .collect();
            let stalls = slow.stall(until)?;
            let mut records = 0;
            for writer in writers {
                records += writer.join().map_err(|_| anyhow!("a slow producer died"))??;
            }
            Ok([stalls, records as f64])
        })
    })?;
    turn.ends(&fast);
    // Before what it has its files on goes.
    node.stop()?;
    Ok(values)
}

/// More than a broker has threads to serve them: Kafka's, or ours, a worker for each core.
fn producers() -> u32 {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    PRODUCERS * KAFKA_WORKERS.max(u32::try_from(cores).unwrap_or(u32::MAX / PRODUCERS))
}

/// The topic whose partition lies in this directory.
fn lying_in(dir: &Path) -> Result<&'static str> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(topic) = TOPICS.into_iter().find(|topic| dir.join(format!("{topic}-0")).exists()) {
            return Ok(topic);
        }
        thread::sleep(LOOK);
    }
    bail!("no partition lies in {}", dir.display())
}

/// Writes a record at a time, in turns with the others; how many.
fn write(address: SocketAddr, topic: &str, first: Duration, until: &Until) -> Result<u64> {
    let mut connection = client::open(address)?;
    let (mut frame, _) = client::frame(topic, 1)?;
    let mut records = 0;
    thread::sleep(first);
    while !until.is_over() {
        client::send(&mut connection, &mut frame, 1)?;
        records += 1;
        thread::sleep(PACE * producers());
    }
    Ok(records)
}
