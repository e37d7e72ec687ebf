//! Latencies while the disk of another log directory stalls, or the disk that is fetched from does. A second producer writes to
//! what stalls all the while.

use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use pagewire_lab::drive::Latencies;

use super::beside::{self, Until};
use super::fetches::Fetches;
use super::stalling::Slow;
use super::tail::{self, Tail};
use crate::{broker::Broker, client};

/// The slow producer's pace.
const PACE: Duration = Duration::from_millis(5);
/// Some brokers take a moment until a partition has its directory.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);
/// Two log directories take turns.
const TOPICS: [&str; 2] = ["bench-disk-a", "bench-disk-b"];

/// A tail on the disk that does not stall.
pub(super) fn tail(broker: &Broker, _mib: u64) -> Result<Vec<f64>> {
    run(broker, |Topics { address, well, .. }| Ok(move || tail::run(&Tail { address, topic: well })))
}

/// Fetches from the disk that stalls, of what is in the page cache.
pub(super) fn fetch(broker: &Broker, _mib: u64) -> Result<Vec<f64>> {
    run(broker, |Topics { address, ill, .. }| {
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

fn run<M: Fn() -> Result<Latencies>>(
    broker: &Broker,
    prepare: impl FnOnce(Topics) -> Result<M>,
) -> Result<Vec<f64>> {
    let recipe = broker.recipe.as_ref().context("it was not started here")?;
    let (home, slow) = (tempfile::tempdir()?, Slow::mount()?);
    let fast = home.path().join("fast");
    let dirs = format!("log.dirs={},{}", fast.display(), slow.dir().display());
    let node = recipe.clone().with(&[dirs]).start(home.path())?;
    let address = node.address;
    TOPICS.iter().try_for_each(|topic| client::create_topic(address, topic))?;
    let (well, ill) = (lying_in(&fast)?, lying_in(&slow.dir())?);
    let measure = prepare(Topics { address, well, ill })?;
    // A broker that has just begun may compile its code meanwhile.
    measure()?;
    let values = beside::run(node.pid(), measure, |until| {
        thread::scope(|scope| {
            let writer = scope.spawn(|| write(address, ill, until));
            let stalls = slow.stall(until)?;
            writer.join().map_err(|_| anyhow!("the slow producer died"))??;
            Ok(stalls)
        })
    })?;
    // Before what it has its files on goes.
    node.stop()?;
    Ok(values)
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

fn write(address: SocketAddr, topic: &str, until: &Until) -> Result<()> {
    let mut connection = client::open(address)?;
    let (mut frame, _) = client::frame(topic, 1)?;
    while !until.is_over() {
        client::send(&mut connection, &mut frame, 1)?;
        thread::sleep(PACE);
    }
    Ok(())
}
