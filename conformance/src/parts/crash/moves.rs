//! Partitions that move between two log directories all the time, the internal ones among them, while the broker is killed: plain
//! records, those of transactions, and such as are cleaned.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use pagewire_wire::messages::alter_replica_log_dirs_request::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic, AlterReplicaLogDirsRequest,
};
use pagewire_wire::testing::Rng;

use super::transactor::{self, Transactor, Txn};
use super::{KILLS, TOPIC_CONFIG, keyed, kills};
use crate::harness::raw::{Raw, text};
use crate::harness::{Broker, until_right};
use crate::parts::ledger::{Ledger, Promise};
use crate::parts::load::{Kind, Load};

const LOADS: [(Kind, Promise); 3] = [
    (Kind::Once { acks: 1 }, Promise::NoneLost),
    (Kind::Once { acks: -1 }, Promise::NoneLost),
    (Kind::Idempotent, Promise::ExactlyOnce),
];
const PLAIN: &str = "ledger";
const TRANSACTIONAL: &str = "transactions";
const CLEANED: &str = "cleaned";
/// What moves, with partitions: of the coordinators' topics as the settings say.
const TOPICS: [(&str, i32); 4] =
    [(PLAIN, LOADS.len() as i32), (TRANSACTIONAL, 2), (CLEANED, 1), ("__transaction_state", 2)];
const CLEANED_CONFIG: [(&str, &str); 4] = [
    ("segment.bytes", "1048576"),
    ("segment.ms", "1500"),
    ("cleanup.policy", "compact"),
    ("min.cleanable.dirty.ratio", "0.01"),
];
const SETTINGS: [&str; 3] =
    ["log.dirs=one,two", "log.cleaner.backoff.ms=200", "transaction.state.log.num.partitions=2"];
/// Between two wishes.
const PAUSE: Duration = Duration::from_millis(30);
const ALTER_REPLICA_LOG_DIRS: i16 = 2;
/// What the broker says of a partition that has moved.
const MOVED: &str = "is served from another log directory now";

/// What was written.
struct Written {
    plain: Vec<Ledger>,
    txns: Vec<Txn>,
    cleaned: u64,
}

/// The case.
pub(super) fn moves(binary: &Path) -> Result<()> {
    let mut rng = Rng::new(0x30_7e5);
    let mut broker = Broker::start(binary, &SETTINGS)?;
    let dirs = ["one", "two"].map(|name| broker.data_dir().with_file_name(name));
    let mut client = Raw::connect(broker.address())?;
    client.create_topic(PLAIN, LOADS.len() as i32, TOPIC_CONFIG)?;
    client.create_topic(TRANSACTIONAL, 2, TOPIC_CONFIG)?;
    client.create_topic(CLEANED, 1, &CLEANED_CONFIG)?;
    let written = write(&mut broker, &dirs, &mut rng)?;
    let moved = broker.log()?.matches(MOVED).count();
    ensure!(moved > KILLS, "only {moved} partitions have moved");
    for _ in 0..2 {
        until_right("all moves have ended", || each_is_in_one(&dirs))?;
        check(&mut broker, &written).with_context(|| format!("after {moved} moves"))?;
        broker.kill();
        broker.start_again()?;
    }
    Ok(())
}

/// All write, while partitions move and the broker is killed.
fn write(broker: &mut Broker, dirs: &[PathBuf], rng: &mut Rng) -> Result<Written> {
    let (address, stop) = (broker.address().to_owned(), AtomicBool::new(false));
    let (address, stop) = (&*address, &stop);
    let mut seed = || rng.next_u64();
    let (for_txns, for_keys, for_moves) = (seed(), seed(), seed());
    let loads: Vec<_> = (0..)
        .zip(LOADS)
        .map(|(partition, (kind, _))| Load::new(address, PLAIN, partition, kind, seed()))
        .collect();
    thread::scope(|scope| {
        let plain = loads.into_iter().map(|mut load| {
            let run = move || load.run_until(stop).map(|()| load.into_ledger());
            scope.spawn(move || or_stop(stop, run))
        });
        let plain: Vec<_> = plain.collect();
        let transactor = Transactor::new(address, (TRANSACTIONAL, 2), for_txns);
        let txns = scope.spawn(move || or_stop(stop, || transactor.run_until(stop)));
        let cleaned =
            scope.spawn(move || or_stop(stop, || keyed::run_until(address, CLEANED, for_keys, stop)));
        let mover = scope.spawn(move || move_about(address, dirs, for_moves, stop));
        let killed = kills(broker, rng, stop);
        stop.store(true, Ordering::Relaxed);
        mover.join().map_err(|_| anyhow!("the mover panicked"))?;
        let plain: Result<Vec<_>> = plain.into_iter().map(ended).collect();
        let written = Written { plain: plain?, txns: ended(txns)?, cleaned: ended(cleaned)? };
        killed.map(|()| written)
    })
}

fn or_stop<T>(stop: &AtomicBool, run: impl FnOnce() -> Result<T>) -> Result<T> {
    run().inspect_err(|_| stop.store(true, Ordering::Relaxed))
}

fn ended<T>(load: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    load.join().map_err(|_| anyhow!("a load panicked"))?
}

/// Wishes partitions in one directory or the other, whatever is answered: the broker may be away.
fn move_about(address: &str, dirs: &[PathBuf], seed: u64, stop: &AtomicBool) {
    let (mut rng, mut connected) = (Rng::new(seed), None::<Raw>);
    while !stop.load(Ordering::Relaxed) {
        let request = wish(&mut rng, dirs);
        connected = connected.or_else(|| Raw::connect(address).ok());
        if connected.as_mut().is_some_and(|client| client.call(&request, ALTER_REPLICA_LOG_DIRS).is_err()) {
            connected = None;
        }
        thread::sleep(PAUSE);
    }
}

/// One partition of each topic.
fn wish(rng: &mut Rng, dirs: &[PathBuf]) -> AlterReplicaLogDirsRequest {
    let to = &dirs[rng.below(dirs.len())];
    let topic = |(name, partitions): (&str, i32)| AlterReplicaLogDirTopic {
        name: text(name),
        partitions: vec![rng.below(partitions as usize) as i32],
        ..AlterReplicaLogDirTopic::default()
    };
    let topics = TOPICS.map(topic).into();
    let path = text(&to.display().to_string());
    let dirs = vec![AlterReplicaLogDir { path, topics, ..AlterReplicaLogDir::default() }];
    AlterReplicaLogDirsRequest { dirs, ..AlterReplicaLogDirsRequest::default() }
}

/// Every partition has one directory, and nothing is left of those that it had.
fn each_is_in_one(dirs: &[PathBuf]) -> Result<()> {
    let mut names = Vec::new();
    for dir in dirs {
        for entry in fs::read_dir(dir)? {
            names.extend(entry?.file_name().into_string().ok());
        }
    }
    for wrong in ["-future", "-stray"] {
        let left = names.iter().find(|name| name.ends_with(wrong));
        ensure!(left.is_none(), "{left:?} is there");
    }
    for (topic, partitions) in TOPICS {
        for partition in 0..partitions {
            let partition = format!("{topic}-{partition}");
            let there = names.iter().filter(|name| **name == partition).count();
            ensure!(there == 1, "{partition} is in {there} directories");
        }
    }
    Ok(())
}

fn check(broker: &mut Broker, written: &Written) -> Result<()> {
    let mut client = Raw::connect(broker.address())?;
    for ((partition, ledger), (_, promise)) in (0..).zip(&written.plain).zip(LOADS) {
        ensure!(ledger.len() > 100, "only {} records were acknowledged: no load", ledger.len());
        let log = client.read_all(PLAIN, partition)?;
        ledger.check(&log, promise).with_context(|| format!("{PLAIN}-{partition}"))?;
    }
    ensure!(written.txns.len() > 20, "only {} transactions", written.txns.len());
    for partition in 0..2 {
        let checked = transactor::check(&mut client, TRANSACTIONAL, partition, &written.txns);
        checked.with_context(|| format!("{TRANSACTIONAL}-{partition}"))?;
    }
    keyed::check(&mut client, CLEANED, written.cleaned).context(CLEANED)
}
