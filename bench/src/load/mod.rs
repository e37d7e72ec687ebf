//! Load under the lab's drive: produce, fetch, tail and many connections, on the floor, on ours and on rivals in one
//! interleaved run.
//!
//! ```text
//!   case ─▶ Plan ─▶ drive: warm-up, rounds of all brokers in turn ─▶ a cell for each broker ─▶ table
//! ```

mod cases;
mod flushed;
mod sustained;

use std::time::Duration;

use anyhow::{Result, ensure};
use pagewire_lab::drive::client::Stop;
use pagewire_lab::drive::{Audience, Case, Plan, Target, without_pacing};
use pagewire_lab::record::DriveCell;
use pagewire_lab::spread::Spread;
use pagewire_lab::watch::Watch;

use crate::broker::{FLOOR, OURS};
use crate::deliveries;
use crate::goals;
use crate::report;
use crate::table::{Cell, Column, Row, Table, short};

pub(crate) use cases::{CASES, DIRECT, LoadCase, raise_limit};
use flushed::Flushed;

/// How much is done in each case.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) rounds: usize,
    pub(crate) warm_up: usize,
    pub(crate) length: Duration,
    pub(crate) round_bytes: u64,
}

/// What came of a case.
pub(crate) struct Ran {
    /// Of the rounds that counted.
    pub(crate) cells: Vec<DriveCell>,
    /// What the drive says of the machine and of the brokers.
    pub(crate) notes: Vec<String>,
    /// What kept it from being measured, or from being measured whole.
    pub(crate) ended: Result<(), Kept>,
    /// What was measured and is not what goals are of.
    pub(crate) unjudged: Vec<Unjudged>,
}

/// What was measured of this broker is not what goals are of, for this reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unjudged {
    pub(crate) broker: String,
    pub(crate) why: String,
}

impl Ran {
    /// Nothing came of it.
    pub(crate) fn broke(why: String) -> Self {
        Self { cells: Vec::new(), notes: Vec::new(), ended: Err(Kept::Broke(why)), unjudged: Vec::new() }
    }
}

/// What kept a case from being measured.
pub(crate) enum Kept {
    /// This machine does not let it be.
    Skipped(String),
    /// A broker failed.
    Broke(String),
}

/// Runs a case on these brokers, the first of which is the floor where it is among them.
pub(crate) fn run(case: &LoadCase, targets: &[Target], extent: Extent) -> Ran {
    let mut told = Told::of(case.name);
    let ended = drive(case, targets, extent, &mut told);
    for cell in &mut told.cells {
        case.name.clone_into(&mut cell.case);
    }
    let ended = match (ended, told.skipped) {
        (Err(error), _) => Err(Kept::Broke(format!("{error:#}"))),
        (Ok(()), Some(why)) => Err(Kept::Skipped(why)),
        (Ok(()), None) => Ok(()),
    };
    let unjudged = unjudged(&told.cells);
    Ran { cells: told.cells, notes: told.notes, ended, unjudged }
}

/// Where the case was not the case: too few connections, records that were not where they should be, a machine that was
/// another's.
fn unjudged(cells: &[DriveCell]) -> Vec<Unjudged> {
    let few = idle_connections(cells).and_then(cases::too_few);
    let whys = cells.iter().flat_map(|cell| cell.unlike.iter().chain(&few).map(move |why| (cell, why)));
    whys.map(|(cell, why)| Unjudged { broker: cell.broker.clone(), why: why.clone() }).collect()
}

/// How many are held to a broker, where there are any.
pub(crate) fn idle_connections(cells: &[DriveCell]) -> Option<usize> {
    cells.first()?.settings.get("idle_connections")?.parse().ok()
}

/// How much a round writes at most, and when that is written back, where a round is as long as that takes.
fn written(cells: &[DriveCell]) -> Option<String> {
    let first = cells.first()?;
    let dirty = first.machine.dirty.as_ref().map(report::dirty)?;
    Some(format!("a round writes {}; {dirty}", first.settings.get("round_bytes")?))
}

/// How long each broker's rounds were: one that ends after so many bytes is short for who is fast, and has few latencies.
fn lasted(cells: &[DriveCell]) -> Option<String> {
    let of = |cell: &DriveCell| {
        let [seconds, requests] = ["round_s", "round_requests"].map(|key| cell.figures.get(key));
        let (seconds, requests) = (short(seconds?.median), short(requests?.median));
        Some(format!("{} {seconds} s and {requests} requests", cell.broker))
    };
    let all: Vec<_> = cells.iter().filter_map(of).collect();
    (!all.is_empty()).then(|| format!("a round, the middle one: {}", all.join(", ")))
}

/// The same, told to whom that concerns.
pub(crate) fn drive(
    case: &LoadCase,
    targets: &[Target],
    extent: Extent,
    audience: &mut dyn Audience,
) -> Result<()> {
    let mut plan = plan(targets, extent);
    plan.cases = vec![case.load];
    (case.set)(&mut plan);
    if let Err(why) = (case.fit)(&mut plan) {
        audience.skipped(case.load, &why);
        return Ok(());
    }
    let mut flushed = Flushed::default();
    let mut broke = if case.is_flushed { flushed.tell(&mut plan.targets) } else { Vec::new() };
    for why in &broke {
        audience.failed(why);
    }
    let driven = pagewire_lab::drive::run(&plan, &Stop::default(), audience);
    broke.extend(driven.err().map(|error| format!("{error:#}")));
    ensure!(broke.is_empty(), "{}", broke.join("; "));
    Ok(())
}

/// The figures that are looked at.
pub(crate) fn table(case: &LoadCase, cells: &[DriveCell]) -> Table {
    let measured = |key: &&&str| cells.iter().any(|cell| figure(cell, key).is_some());
    let keys: Vec<&str> = case.figures.iter().filter(measured).copied().collect();
    let notes = cells.iter().flat_map(|cell| cell.notes.iter().map(move |note| (cell, note)));
    let notes = notes.map(|(cell, note)| format!("{}: {note}", cell.broker));
    Table {
        case: case.name.to_owned(),
        what: case.what.to_owned(),
        columns: keys.iter().map(|key| Column { key: (*key).into(), name: goals::name(key) }).collect(),
        rows: cells
            .iter()
            .map(|cell| Row {
                broker: cell.broker.clone(),
                cells: keys.iter().map(|key| figure(cell, key)).collect(),
            })
            .collect(),
        load: cells.first().map(|cell| cell.machine.load),
        notes: written(cells).into_iter().chain(lasted(cells)).chain(notes).collect(),
        goals: Vec::new(),
    }
    .compared()
}

/// A figure of a cell, or a latency in milliseconds.
fn figure(cell: &DriveCell, key: &str) -> Option<Cell> {
    let key = deliveries::drives(key);
    let ms = |Spread { min, median, max }: &Spread| Spread {
        min: min / 1e3,
        median: median / 1e3,
        max: max / 1e3,
    };
    if let Some(spread) = cell.figures.get(key) {
        let samples = cell.samples.get(key).cloned().unwrap_or_default();
        return Some(Cell { spread: *spread, ratio: None, to_kafka: None, samples });
    }
    let us = cell.samples.get(&format!("{key}_us"));
    let samples = us.into_iter().flatten().map(|us| us / 1e3).collect();
    Some(Cell { spread: ms(cell.latency_us.get(key)?), ratio: None, to_kafka: None, samples })
}

/// A virtual machine has so many times as many rounds more to warm up. Kafka's CPU for a produced GB fell from 2.68 s after two rounds
/// of three seconds to 2.31 after twelve.
const MORE: usize = 3;

/// Those that are neither the floor nor ours, and may run on a virtual machine.
fn rivals(targets: &[Target]) -> impl Iterator<Item = &Target> {
    targets.iter().filter(|target| ![FLOOR, OURS].contains(&target.name.as_str()))
}

/// What every case begins with: 1 KiB records in batches of 64 KiB, acks=1, one connection.
fn plan(targets: &[Target], extent: Extent) -> Plan {
    Plan {
        targets: targets.to_vec(),
        rounds: extent.rounds,
        warm_up: extent.warm_up,
        warm_up_more: rivals(targets).map(|rival| (rival.name.clone(), extent.warm_up * MORE)).collect(),
        length: extent.length,
        round_bytes: extent.round_bytes,
        cold_bytes: extent.round_bytes,
        congestion_control: without_pacing(),
        ..Plan::default()
    }
}

/// Says on standard error what is being done.
struct Told {
    name: &'static str,
    notes: Vec<String>,
    cells: Vec<DriveCell>,
    /// Why the case is not measured, where the machine is why.
    skipped: Option<String>,
}

impl Told {
    fn of(name: &'static str) -> Self {
        Self { name, notes: Vec::new(), cells: Vec::new(), skipped: None }
    }
}

impl Watch for Told {
    fn step(&mut self, what: &str) {
        eprintln!("{}: {what}", self.name);
    }

    fn note(&mut self, line: &str) {
        self.notes.push(line.to_owned());
    }
}

impl Audience for Told {
    fn take(&mut self, cells: &[DriveCell]) {
        self.cells.extend_from_slice(cells);
    }

    fn skipped(&mut self, _case: Case, why: &str) {
        self.skipped = Some(why.to_owned());
    }

    /// Its table says so: the drive ends with that.
    fn failed(&mut self, why: &str) {
        eprintln!("{}: {why}; the others go on", self.name);
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::path::Path;

    use super::*;
    use crate::{client, floor};

    /// Over at once.
    const EXTENT: Extent =
        Extent { rounds: 2, warm_up: 1, length: Duration::from_mins(1), round_bytes: 128 << 10 };

    fn target(name: &str, port: u16) -> Target {
        Target { name: name.to_owned(), host: "127.0.0.1".to_owned(), port, pid: None }
    }

    /// Where nothing listens.
    fn nobody(name: &str) -> Target {
        target(name, 1)
    }

    /// A floor in this process, which serves as long as that lives, with its files in this directory.
    fn a_floor(dir: &Path) -> Target {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let floor = target(FLOOR, free.port());
        let words = [floor.port.to_string(), dir.display().to_string()];
        let serving = std::thread::spawn(move || floor::run(words.into_iter()));
        while client::dial().resolve(&floor.host, floor.port).is_err() {
            assert!(!serving.is_finished(), "it does not serve");
            std::thread::yield_now();
        }
        floor
    }

    /// What came of a case.
    fn ran(name: &str, targets: &[Target]) -> Ran {
        let case = CASES.iter().find(|case| case.name == name).unwrap();
        run(case, targets, EXTENT)
    }

    #[test]
    fn a_broker_that_is_gone_keeps_nobody_else_from_being_measured() {
        let dir = tempfile::tempdir().unwrap();
        let ran = ran("produce", &[nobody("gone"), a_floor(dir.path())]);
        let [cell] = &ran.cells[..] else { panic!("{:?}", ran.cells) };
        assert_eq!((cell.broker.as_str(), cell.rounds), (FLOOR, 2));
        assert!(cell.ratio_to_first.is_empty(), "the first is not there");
        let Err(Kept::Broke(why)) = ran.ended else { panic!("nobody broke") };
        assert!(why.starts_with("broker gone: ") && why.contains("nothing listens there"), "{why}");
        assert!(ran.notes.iter().all(|note| !note.contains("gone")), "its table says so: {:?}", ran.notes);
    }

    #[test]
    fn who_cannot_be_told_to_sync_keeps_nobody_else_from_being_measured() {
        let dir = tempfile::tempdir().unwrap();
        let ran = ran("produce-flushed", &[a_floor(dir.path()), nobody("gone")]);
        let [cell] = &ran.cells[..] else { panic!("{:?}", ran.cells) };
        assert_eq!((cell.broker.as_str(), cell.rounds), (FLOOR, 2));
        let Err(Kept::Broke(why)) = ran.ended else { panic!("nobody broke") };
        assert!(why.starts_with("broker gone: "), "{why}");
    }

    #[test]
    fn a_case_that_does_not_fit_the_machine_is_left_out_and_says_why() {
        let case = CASES.iter().find(|case| case.name == "produce-sustained").unwrap();
        let unfit = LoadCase { fit: |_| Err("nobody tells".to_owned()), ..*case };
        let ran = run(&unfit, &[nobody("unasked")], EXTENT);
        assert!(matches!(&ran.ended, Err(Kept::Skipped(why)) if why == "nobody tells"));
        assert!(ran.cells.is_empty());
    }

    /// Looks into a directory whenever a round begins.
    struct Looks<'d>(&'d Path, Vec<Vec<String>>, Vec<DriveCell>);

    impl Looks<'_> {
        fn files(&self) -> Vec<String> {
            let entries = std::fs::read_dir(self.0).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        }
    }

    impl Watch for Looks<'_> {}

    impl Audience for Looks<'_> {
        fn take(&mut self, cells: &[DriveCell]) {
            self.2.extend_from_slice(cells);
        }

        fn round(&mut self, _number: Option<usize>) {
            let files = self.files();
            self.1.push(files);
        }
    }

    #[test]
    fn each_sustained_round_has_a_topic_of_its_own_and_is_off_the_disk_when_the_next_begins() {
        let case = CASES.iter().find(|case| case.name == "produce-sustained").unwrap();
        let small = LoadCase {
            fit: |plan| {
                plan.warm_up_more.clear();
                Ok(())
            },
            ..*case
        };
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let targets = [a_floor(dir.path()), Target { name: "other".to_owned(), ..a_floor(other.path()) }];
        let mut looks = Looks(dir.path(), Vec::new(), Vec::new());
        drive(&small, &targets, EXTENT, &mut looks).unwrap();
        let Looks(_, seen, cells) = &looks;
        // Three rounds of each, in which another of the two is first each time.
        let of_the_first: Vec<&str> = [0, 3, 4].iter().map(|at: &usize| seen[*at][0].as_str()).collect();
        assert!(seen.iter().all(|files| files.len() <= 1), "one topic at a time: {seen:?}");
        let mut topics = of_the_first.clone();
        topics.dedup();
        assert_eq!(topics, of_the_first, "another one each time: {seen:?}");
        assert!(looks.files().is_empty(), "{:?}", looks.files());
        assert_eq!(cells.iter().map(|cell| cell.rounds).collect::<Vec<_>>(), [2, 2]);
        let told = table(case, cells);
        assert!(
            told.notes[0].starts_with("a round writes 128 KiB; the kernel writes back from "),
            "{:?}",
            told.notes
        );
        let round = &told.notes[1];
        assert!(round.starts_with("a round, the middle one: floor "), "{round}");
        assert!(round.contains(" s and ") && round.contains(" requests, other "), "{round}");
    }

    #[test]
    fn a_broker_whose_records_were_not_hot_is_not_judged_and_nobody_else_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut cells = ran("produce", &[a_floor(dir.path())]).cells;
        assert_eq!(unjudged(&cells), []);
        cells.push(DriveCell {
            broker: "cool".to_owned(),
            unlike: vec!["not hot".to_owned()],
            ..cells[0].clone()
        });
        assert_eq!(unjudged(&cells), [Unjudged { broker: "cool".to_owned(), why: "not hot".to_owned() }]);
        for cell in &mut cells {
            cell.settings.insert("idle_connections".to_owned(), "1".to_owned());
        }
        assert_eq!(unjudged(&cells).len(), 3, "too few connections are of both");
    }

    #[test]
    fn who_may_run_on_a_virtual_machine_has_longer_to_warm_up() {
        let targets = [FLOOR, OURS, "kafka"].map(nobody);
        let plan = plan(&targets, Extent { warm_up: 2, ..EXTENT });
        assert_eq!((plan.warm_up, plan.warm_up_more), (2, [("kafka".to_owned(), 6)].into()));
    }

    #[test]
    fn what_a_note_says_keeps_no_case_from_being_measured() {
        let mut told = Told::of("fetch-cold");
        told.note("a topic is skipped: it is another's");
        assert_eq!(told.skipped, None);
        told.skipped(Case::FetchCold, "no disk");
        assert_eq!(told.skipped.as_deref(), Some("no disk"));
        assert_eq!(told.notes, ["a topic is skipped: it is another's"]);
    }
}
