//! A run: the chosen cases one after the other, on all brokers.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use pagewire_lab::drive::into_network_without_pacing;
use pagewire_lab::report::Records;
use pagewire_lab::{machine, report as lab_report};

use crate::Args;
use crate::broker::{self, Broker, FLOOR};
use crate::cases::{self, Case};
use crate::goals::Goal;
use crate::kafka;
use crate::load::{self, Extent, LoadCase};
use crate::output::{Output, Run};
use crate::report::{self, Samples};
use crate::table::Table;

/// Runs the cases that were named, or all.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.list {
        known().for_each(|(name, what)| println!("{name:<20} {what}"));
        return Ok(());
    }
    if let Some(unknown) = args.cases.iter().find(|name| known().all(|(one, _)| one != name.as_str())) {
        bail!("there is no case {unknown:?}; --list names them");
    }
    if args.rival.is_empty()
        && let Err(error) = into_network_without_pacing()
    {
        eprintln!("whoever does not choose a congestion control is paced here: {error:#}");
    }
    let is_chosen = |name: &str| args.cases.is_empty() || args.cases.iter().any(|one| one == name);
    let mut output = Output::begin(about(args), args.json.as_deref())?;
    let brokers = start_all(args)?;
    let (mut noted, mut drive) = (BTreeSet::new(), Vec::new());
    for case in load::CASES.iter().filter(|case| is_chosen(case.name)) {
        let (table, cells) = loaded(case, &brokers, args, &mut noted)?;
        output.table(judged(table, case.goals))?;
        drive.extend(cells);
    }
    for case in cases::CASES.iter().filter(|case| is_chosen(case.name)) {
        output.table(judged(measured(case, &brokers, args)?, case.goals))?;
    }
    if let Some(dir) = args.report.as_deref().filter(|_| !drive.is_empty()) {
        let page = lab_report::write(dir, &Records { drive, ..Records::default() })?;
        println!("plots: {}", page.display());
    }
    Ok(())
}

/// All cases, by name.
fn known() -> impl Iterator<Item = (&'static str, &'static str)> {
    let loads = load::CASES.iter().map(|case| (case.name, case.what));
    loads.chain(cases::CASES.iter().map(|case| (case.name, case.what)))
}

/// What will be measured, where and when.
fn about(args: &Args) -> Run {
    Run {
        began: machine::here(&std::env::temp_dir()).began,
        commit: commit().unwrap_or_else(|| "unknown".to_owned()),
        machine: report::machine(),
        own_network: report::in_own_network(),
        arguments: std::env::args().skip(1).collect(),
        versions: if args.kafka { report::versions() } else { BTreeMap::new() },
        rounds: args.rounds,
        warm_up: args.warm_up,
        seconds: args.seconds,
        mib: args.mib,
    }
}

/// The checkout that this was built from, as `git` tells it; marked where it was changed since.
fn commit() -> Option<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let told = Command::new("git").args(["-C", folder, "describe", "--always", "--dirty"]).output().ok()?;
    let text = String::from_utf8(told.stdout).ok()?;
    told.status.success().then(|| text.trim().to_owned())
}

/// The floor, ours, Kafka, and whoever was named.
fn start_all(args: &Args) -> Result<Vec<Broker>> {
    let mut recipes = vec![broker::the_floor()?, broker::ours(&args.set)?];
    if args.kafka {
        recipes.push(kafka::recipe(&args.kafka_set)?);
    }
    recipes.extend(args.start.iter().cloned());
    let mut brokers = recipes.iter().map(Broker::start).collect::<Result<Vec<_>>>()?;
    debug_assert_eq!(brokers.first().map(|first| first.name.as_str()), Some(FLOOR));
    brokers.extend(args.rival.iter().map(Broker::from));
    Ok(brokers)
}

/// A case under the drive, and by which route ours sent in it.
fn loaded(
    case: &LoadCase,
    brokers: &[Broker],
    args: &Args,
    noted: &mut BTreeSet<String>,
) -> Result<(Table, Vec<pagewire_lab::record::DriveCell>)> {
    let extent = Extent {
        rounds: args.rounds,
        warm_up: args.warm_up,
        length: Duration::from_secs(args.seconds),
        round_bytes: args.mib << 20,
    };
    let targets: Vec<_> = brokers.iter().map(Broker::target).collect();
    let before: Vec<_> = brokers.iter().map(Broker::routes).collect();
    let cells = load::run(case, &targets, extent, noted)?;
    let mut table = load::table(case, &cells);
    for (broker, before) in brokers.iter().zip(before) {
        let sent = before.zip(broker.routes()).and_then(|(before, after)| after.since(&before));
        table.notes.extend(sent.map(|words| format!("{}: bytes by route: {words}", broker.name)));
    }
    Ok((table, cells))
}

/// A case that is measured here.
fn measured(case: &Case, brokers: &[Broker], args: &Args) -> Result<Table> {
    let mut samples = Samples::new(case.columns);
    if let Err(why) = (case.can_be_had)() {
        let mut table = samples.table(case.name, case.what);
        table.notes.push(format!("not measured: {why:#}"));
        return Ok(table);
    }
    let rounds = args.rounds.min(case.rounds_max);
    for round in 0..rounds {
        for broker in brokers.iter().filter(|broker| case.fits(broker)) {
            eprintln!("{} round {}/{rounds}: {}", case.name, round + 1, broker.name);
            let values = (case.run)(broker, args.mib);
            samples.add(&broker.name, values.with_context(|| format!("{} of {}", case.name, broker.name))?);
        }
    }
    let mut table = samples.table(case.name, case.what);
    if rounds < args.rounds {
        table.notes.push(format!("{rounds} of {} rounds: each takes minutes", args.rounds));
    }
    Ok(table)
}

/// With its goals.
fn judged(mut table: Table, goals: &[Goal]) -> Table {
    let verdicts: Vec<_> = goals.iter().filter_map(|goal| goal.verdict(&table)).collect();
    table.goals = verdicts;
    table
}
