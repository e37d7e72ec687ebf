//! kill -9 under load, several times in a row, with a ledger of what was acknowledged.
//!
//! Each load writes numbered records to partitions of its own while the broker is killed and started again under it.
//! Afterwards every partition is read whole and held against the ledger: see [`Promise`].
//!
//! The page cache outlives a kill, so nothing here tells stable storage from it. What acks=all promises beyond that is
//! tested on a disk that forgets, in the broker's own tests of Produce.

mod insist;
mod keyed;
mod moves;
mod transactor;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use pagewire_wire::testing::Rng;

use super::ledger::{Ledger, Promise};
use super::load::{Kind, Load};
use super::{Cases, Context};
use crate::clients::python_with_clients;
use crate::harness::raw::Raw;
use crate::harness::{Broker, kill_group};

const KILLS: usize = 5;
const PARTITIONS: i32 = 3;
/// Small segments, so that rolling happens all the time.
const TOPIC_CONFIG: &[(&str, &str)] = &[("segment.bytes", "1048576")];

/// The part.
pub fn crash(context: &Context<'_>, cases: &Cases<'_>) {
    let loads = [
        ("acks_1_loses_nothing", Kind::Once { acks: 1 }, Promise::NoneLost),
        ("acks_all_loses_nothing", Kind::Once { acks: -1 }, Promise::NoneLost),
        ("idempotent_producer_is_exactly_once", Kind::Idempotent, Promise::ExactlyOnce),
    ];
    for (name, kind, promise) in loads {
        cases.run(name, || raw_load(&context.binary, kind, promise));
    }
    cases.run("moves_between_log_directories_lose_nothing_and_end", || moves::moves(&context.binary));
    let name = "librdkafka_idempotent_producer_is_exactly_once";
    match python_with_clients(context.workspace, context.printer) {
        Ok(python) => {
            let script = context.workspace.sources("python").join("crash_load.py");
            cases.run(name, || librdkafka_load(&context.binary, &python, &script));
        }
        Err(reason) => cases.skip(name, &format!("{reason:#}")),
    }
}

/// Lets the load run, kills and restarts the broker under it, several times; a load that failed stops it.
fn kills(broker: &mut Broker, rng: &mut Rng, stop: &AtomicBool) -> Result<()> {
    for _ in 0..KILLS {
        std::thread::sleep(Duration::from_millis(300 + rng.below(700) as u64));
        if stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        broker.kill();
        broker.start_again()?;
    }
    std::thread::sleep(Duration::from_millis(300));
    Ok(())
}

fn raw_load(binary: &Path, kind: Kind, promise: Promise) -> Result<()> {
    let mut rng = Rng::new(0x5eed);
    let mut broker = Broker::start(binary, &[])?;
    let topic = "ledger";
    Raw::connect(broker.address())?.create_topic(topic, PARTITIONS, TOPIC_CONFIG)?;
    let address = broker.address().to_owned();
    let stop = AtomicBool::new(false);
    let loads = std::thread::scope(|scope| {
        let running: Vec<_> = (0..PARTITIONS)
            .map(|partition| {
                let mut load = Load::new(&address, topic, partition, kind, rng.next_u64());
                let stop = &stop;
                scope.spawn(move || {
                    let ended = load.run_until(stop);
                    if ended.is_err() {
                        stop.store(true, Ordering::Relaxed);
                    }
                    (load.into_ledger(), ended)
                })
            })
            .collect();
        let killed = kills(&mut broker, &mut rng, &stop);
        stop.store(true, Ordering::Relaxed);
        let loads: Vec<_> = running.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        killed.map(|()| loads)
    })?;
    let mut ledgers = Vec::new();
    for (partition, load) in (0..).zip(loads) {
        let (ledger, ended) = load.map_err(|_| anyhow::anyhow!("a load panicked"))?;
        if let Err(error) = ended {
            // Was it only refused, or is something lost as well?
            let log = Raw::connect(broker.address())?.read_all(topic, partition)?;
            let lost = ledger.check(&log, Promise::NoneLost);
            let state =
                lost.err().map_or("nothing acknowledged is lost".to_owned(), |lost| format!("{lost:#}"));
            return Err(error.context(state));
        }
        ledgers.push(ledger);
    }
    check_twice(&mut broker, topic, &ledgers, promise)
}

/// Reads everything as it is, and once more after another kill.
fn check_twice(broker: &mut Broker, topic: &str, ledgers: &[Ledger], promise: Promise) -> Result<()> {
    for _ in 0..2 {
        let mut client = Raw::connect(broker.address())?;
        for (partition, ledger) in (0..).zip(ledgers) {
            ensure!(ledger.len() > 100, "only {} records were acknowledged: no load", ledger.len());
            let log = client.read_all(topic, partition)?;
            ledger.check(&log, promise).with_context(|| format!("partition {partition}"))?;
        }
        broker.kill();
        broker.start_again()?;
    }
    Ok(())
}

fn librdkafka_load(binary: &Path, python: &Path, script: &Path) -> Result<()> {
    use std::os::unix::process::CommandExt;

    let mut rng = Rng::new(0xc1a5);
    let mut broker = Broker::start(binary, &[])?;
    let topic = "ledger";
    Raw::connect(broker.address())?.create_topic(topic, PARTITIONS, TOPIC_CONFIG)?;
    let mut child = Command::new(python)
        .arg(script)
        .args([broker.address(), topic, &PARTITIONS.to_string()])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    let stdout = child.stdout.take().context("no standard output")?;
    let reading =
        std::thread::spawn(move || BufReader::new(stdout).lines().collect::<std::io::Result<Vec<String>>>());
    let killed = kills(&mut broker, &mut rng, &AtomicBool::new(false));
    // The load ends when its standard input does, after everything it sent was acknowledged.
    drop(child.stdin.take());
    let deadline = Instant::now() + Duration::from_mins(1);
    while child.try_wait()?.is_none() {
        if Instant::now() >= deadline {
            kill_group(&mut child);
            bail!("the load did not get everything acknowledged within 60 s");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    killed?;
    let lines = reading.join().map_err(|_| anyhow::anyhow!("the reader panicked"))??;
    let mut ledgers = vec![Ledger::default(); usize::try_from(PARTITIONS)?];
    for line in lines {
        let numbers: Vec<i64> =
            line.split(' ').map(str::parse).collect::<Result<_, _>>().with_context(|| line.clone())?;
        let [partition, number, offset] = numbers[..] else { bail!("not a line of a ledger: {line}") };
        let ledger = ledgers.get_mut(usize::try_from(partition)?).context("no such partition")?;
        let number = u64::try_from(number)?;
        ledger.sent(number + 1);
        ledger.acknowledge(number, offset)?;
    }
    check_twice(&mut broker, topic, &ledgers, Promise::ExactlyOnce)
}
