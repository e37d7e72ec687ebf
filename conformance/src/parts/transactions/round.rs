//! One seed: clients carry out their scripts while the broker is killed and started again; then everything is read and
//! checked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use anyhow::{Result, anyhow, bail, ensure};

use super::cast::{Cast, Done, LIVELY};
use super::check::{Found, check};
use super::history::{History, Known};
use super::ledger::Ledger;
use super::model::{PARTITIONS, Place, SOURCE, TARGET};
use super::plan::{Plan, Role};
use super::reader::Reader;
use super::state;
use super::worker::Worker;
use crate::harness::raw::Raw;
use crate::harness::{Broker, commands, until_right};
use crate::parts::programs::{Node, SETTINGS, Stage, create};

/// Coordinators look for transactions whose time is up this often.
const LOOKS: &str = "transaction.abort.timed.out.transaction.cleanup.interval.ms=500";
/// Between two looks at how far clients are.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Anomalies that a failure tells of; the ledger has them all.
const TOLD: usize = 5;
/// Of the internal topics in both brokers' settings.
const INTERNAL_PARTITIONS: i32 = 5;
const OFFSETS: &str = "__consumer_offsets";

/// What all rounds need.
pub(super) struct Ground<'g> {
    pub(super) stage: Stage<'g>,
    pub(super) binary: &'g Path,
    pub(super) python: PathBuf,
    pub(super) script: PathBuf,
    /// Where the ledger of a round that failed is left.
    pub(super) logs: PathBuf,
}

/// Lives through one seed. Says what happened in it.
pub(super) fn live(ground: &Ground<'_>, seed: u64) -> Result<String> {
    let plan = Plan::of(seed);
    let mut node = ground.stage.node_with(&[&SETTINGS[..], &LIVELY, &[LOOKS]].concat())?;
    for topic in [SOURCE, TARGET] {
        create(&node, topic, PARTITIONS)?;
    }
    let directory = Broker::directory()?;
    let ledger = directory.path().join("ledger.txt");
    let cast = Cast {
        stage: &ground.stage,
        python: &ground.python,
        script: ground.script.clone(),
        directory: directory.path(),
        address: node.address().to_owned(),
        ledger: Ledger::new(&ledger)?,
        done: Done::default(),
        writers: plan.scripts.iter().filter(|script| script.role == Role::Writer).count().into(),
        gives_up: false.into(),
        is_over: false.into(),
    };
    through(&cast, &plan, &mut node, ground.binary).map_err(|error| {
        let kept = ground.logs.join(format!("transactions-{seed}.ledger"));
        let kept = match fs::copy(&ledger, &kept) {
            Ok(_) => kept.display().to_string(),
            Err(error) => error.to_string(),
        };
        anyhow!("{error:#} (seed {seed}, ledger {kept}, the broker says: {})", node.said())
    })
}

fn through(cast: &Cast<'_>, plan: &Plan, node: &mut Node<'_>, binary: &Path) -> Result<String> {
    let readers = act(cast, plan, node)?;
    // What was decided before this has to be done by whoever comes after.
    node.kill_and_start_again()?;
    comes_to_rest(&cast.address, binary)?;
    let found = found(&cast.address, plan)?;
    let visible = found.visible().count();
    let clients: Vec<usize> = (plan.scripts.len()..).take(readers.len()).collect();
    readers.into_iter().try_for_each(|reader| reader.read_all(visible))?;
    let group =
        |client: usize| plan.scripts.get(client).map_or_else(String::new, |script| script.group(client));
    let history = History::of(&cast.ledger.ops(), &clients, &group);
    let anomalies = check(&history, &found);
    for anomaly in &anomalies {
        cast.ledger.remark(&anomaly.to_string())?;
    }
    if !anomalies.is_empty() {
        let told: Vec<String> = anomalies.iter().take(TOLD).map(ToString::to_string).collect();
        bail!("{} anomalies: {}", anomalies.len(), told.join("; "));
    }
    said(cast, plan, &history, visible)
}

/// Everybody does what the plan says. Answers the readers, who are not done yet.
fn act<'c>(cast: &'c Cast<'c>, plan: &'c Plan, node: &mut Node<'_>) -> Result<Vec<Reader<'c>>> {
    thread::scope(|scope| {
        let workers: Vec<_> = (0..)
            .zip(&plan.scripts)
            .map(|(client, script)| {
                scope.spawn(move || or_give_up(cast, || Worker::carry_out(cast, client, script)))
            })
            .collect();
        let readers: Vec<_> = (plan.scripts.len()..)
            .zip(&plan.readings)
            .map(|(client, (flow, readings))| {
                let read = move || Reader::new(cast, client, *flow)?.read_along(readings);
                scope.spawn(move || or_give_up(cast, read))
            })
            .collect();
        let killed = or_give_up(cast, || kill_broker(cast, plan, node, &workers));
        let worked: Result<Vec<()>> = workers.into_iter().map(ended).collect();
        cast.is_over.store(true, Ordering::Relaxed);
        let readers: Result<Vec<_>> = readers.into_iter().map(ended).collect();
        killed.and(worked).and(readers)
    })
}

fn or_give_up<T>(cast: &Cast<'_>, act: impl FnOnce() -> Result<T>) -> Result<T> {
    let acted = act();
    if acted.is_err() {
        cast.gives_up.store(true, Ordering::Relaxed);
    }
    acted
}

fn ended<T>(handle: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    handle.join().map_err(|_| anyhow!("a client's thread panicked"))?
}

/// Kills the broker as often as planned, each time when clients have come so far.
fn kill_broker(
    cast: &Cast<'_>,
    plan: &Plan,
    node: &mut Node<'_>,
    workers: &[ScopedJoinHandle<'_, Result<()>>],
) -> Result<()> {
    for at in &plan.broker_dies_at {
        while cast.done.ended.load(Ordering::Relaxed) < *at {
            if workers.iter().all(ScopedJoinHandle::is_finished) {
                return Ok(());
            }
            thread::sleep(LOOK_AGAIN);
        }
        cast.ledger.remark("the broker is killed")?;
        node.kill_and_start_again()?;
        cast.ledger.remark("the broker is back")?;
    }
    Ok(())
}

/// Clients are gone: whatever they left open ends by its time, everywhere, and nobody coordinates anything any more.
fn comes_to_rest(address: &str, binary: &Path) -> Result<()> {
    let partitions = Place::all().map(|place| (place.topic, place.partition));
    for (topic, partition) in partitions.chain((0..INTERNAL_PARTITIONS).map(|partition| (OFFSETS, partition)))
    {
        until_right("the end of every transaction", || {
            let (stable, end) = state::ends(&mut Raw::connect(address)?, topic, partition)?;
            ensure!(stable == end, "{topic}-{partition} is read to {stable} of {end}");
            Ok(())
        })?;
    }
    until_right("no open transaction in the coordinator's list", || {
        let mut list = Command::new(binary);
        let states = "Ongoing,PrepareCommit,PrepareAbort,PrepareEpochFence";
        list.args(["txn", "list", "--state", states, "-o", "json"]).env("PAGEWIRE_BOOTSTRAP", address);
        let listed = commands::run(&mut list, "")?.succeeded()?;
        ensure!(listed.out.trim() == "[]", "{}", listed.out.trim());
        Ok(())
    })
}

fn found(address: &str, plan: &Plan) -> Result<Found> {
    let mut connection = Raw::connect(address)?;
    let mut found = Found::default();
    for place in Place::all() {
        found.logs.insert(place, state::log(&mut connection, place)?);
    }
    for (client, script) in plan.scripts.iter().enumerate() {
        if script.role == Role::Transformer {
            let group = script.group(client);
            until_right("a group's offsets", || {
                found.groups.insert(group.clone(), state::group(&mut connection, &group)?);
                Ok(())
            })?;
        }
    }
    Ok(found)
}

/// What happened, if it was enough to tell something.
fn said(cast: &Cast<'_>, plan: &Plan, history: &History, visible: usize) -> Result<String> {
    let known = |what| history.transactions.values().filter(|one| one.known() == what).count();
    let (committed, aborted) = (known(Known::Committed), known(Known::Aborted));
    let done = &cast.done;
    let count = |counter: &std::sync::atomic::AtomicUsize| counter.load(Ordering::Relaxed);
    let planned: usize = plan.scripts.iter().map(|script| script.rounds.len()).sum();
    ensure!(committed > planned / 4 && aborted > 0, "of {planned} transactions {committed} were committed");
    let transformed =
        history.transactions.values().filter(|one| one.committed_at.is_some() && !one.next.is_empty());
    let transformed = transformed.count();
    ensure!(transformed > 0, "nothing was transformed");
    Ok(format!(
        "{} transactions: {committed} committed ({transformed} with offsets), {aborted} aborted, {} either; {visible} \
         records visible, {} polled in {} sessions; {} clients killed, {} zombies asked for a commit, {} of {} sleepers \
         were refused, {} calls failed, \
         {} of librdkafka were stuck, the broker killed {} times",
        history.transactions.len(),
        known(Known::Nothing),
        history.sessions.iter().map(|session| session.polled.len()).sum::<usize>(),
        history.sessions.len(),
        count(&done.clients_killed),
        count(&done.zombies),
        count(&done.sleepers_refused),
        count(&done.sleepers),
        count(&done.failed_calls),
        count(&done.stuck_calls),
        plan.broker_dies_at.len() + 1,
    ))
}
