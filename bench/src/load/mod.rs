//! Load under the lab's drive: produce, fetch, tail and many connections, on the floor, on ours and on rivals in one
//! interleaved run.
//!
//! ```text
//!   case ─▶ Plan ─▶ drive: warm-up, rounds of all brokers in turn ─▶ a cell for each broker ─▶ table, goals, JSON
//! ```

mod cases;
mod goals;
mod table;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use pagewire_lab::drive::client::{Acks, Stop};
use pagewire_lab::drive::{self, Audience, Plan, Target, without_pacing};
use pagewire_lab::record::DriveCell;
use pagewire_lab::watch::Watch;
use pagewire_record::Codec;

pub(crate) use cases::{CASES, LoadCase};

/// How much is done in each case.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) rounds: usize,
    pub(crate) warm_up: usize,
    pub(crate) length: Duration,
    pub(crate) round_bytes: u64,
}

/// Runs a case on these brokers, the first of which is the floor where it is among them.
///
/// What the drive notes of the machine stands in `noted` and is told once.
pub(crate) fn run(
    case: &LoadCase,
    targets: &[Target],
    extent: Extent,
    json: Option<&Path>,
    noted: &mut BTreeSet<String>,
) -> Result<()> {
    println!("\n## {}: {}\n", case.name, case.what);
    let mut plan = plan(targets, extent);
    plan.cases = vec![case.load];
    (case.set)(&mut plan);
    let mut told = Told { name: case.name, noted, cells: Vec::new() };
    drive::run(&plan, &Stop::default(), &mut told)?;
    for cell in &mut told.cells {
        case.name.clone_into(&mut cell.case);
    }
    table::print(case, &told.cells);
    goals::print(case, &told.cells);
    if let Some(json) = json {
        append(json, &told.cells).with_context(|| json.display().to_string())?;
    }
    Ok(())
}

/// What every case begins with: 1 KiB records in batches of 64 KiB, acks=1, one connection.
fn plan(targets: &[Target], extent: Extent) -> Plan {
    Plan {
        targets: targets.to_vec(),
        cases: Vec::new(),
        rounds: extent.rounds,
        warm_up: extent.warm_up,
        length: extent.length,
        round_bytes: extent.round_bytes,
        record_bytes: 1 << 10,
        batch_bytes: 64 << 10,
        acks: Acks::Leader,
        codec: Codec::None,
        connections: 1,
        in_flight: 5,
        partitions: 1,
        replication_factor: 1,
        fetch_bytes: 1 << 20,
        hot_bytes: 256 << 20,
        cold_bytes: extent.round_bytes,
        drop_caches: false,
        rate: 1000.0,
        burst: 1,
        consumers: 1,
        busy: 200,
        idle: 0,
        congestion_control: without_pacing(),
    }
}

fn append(json: &Path, cells: &[DriveCell]) -> Result<()> {
    let mut file = File::options().create(true).append(true).open(json)?;
    for cell in cells {
        serde_json::to_writer(&mut file, cell)?;
        file.write_all(b"\n")?;
    }
    Ok(())
}

/// Says on standard error what is being done.
struct Told<'n> {
    name: &'static str,
    noted: &'n mut BTreeSet<String>,
    cells: Vec<DriveCell>,
}

impl Watch for Told<'_> {
    fn begin(&mut self, _steps: u64) {}

    fn step(&mut self, what: &str) {
        eprintln!("{}: {what}", self.name);
    }

    fn skip(&mut self, _steps: u64) {}

    fn note(&mut self, line: &str) {
        if self.noted.insert(line.to_owned()) {
            println!("{line}\n");
        }
    }

    fn is_stopped(&self) -> bool {
        false
    }
}

impl Audience for Told<'_> {
    fn take(&mut self, cells: &[DriveCell]) {
        self.cells.extend_from_slice(cells);
    }
}
