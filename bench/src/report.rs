//! Samples of the cases that are measured here, round by round, until they are a table; and where this runs.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

use pagewire_lab::record::{DirtyLimits, Machine};
use pagewire_lab::{machine, spread::Spread};

use crate::broker::KAFKA;
use crate::kafka;
use crate::table::{Cell, Column, Row, Table, short};

/// A figure: what it is, in which unit.
pub(crate) type Name = &'static str;

/// Samples by broker, in the order in which they were first seen.
pub(crate) struct Samples {
    columns: &'static [Name],
    /// When the first was awaited.
    load: f64,
    brokers: Vec<(String, Vec<Vec<f64>>)>,
}

impl Samples {
    pub(crate) fn new(columns: &'static [Name]) -> Self {
        Self { columns, load: machine().load, brokers: Vec::new() }
    }

    /// Keeps a round's values, and says them: who ends a long run early has what was measured until then.
    pub(crate) fn add(&mut self, broker: &str, values: Vec<f64>) {
        let said =
            self.columns.iter().zip(&values).map(|(column, value)| format!("{column} {}", short(*value)));
        eprintln!("  {}", said.collect::<Vec<_>>().join(", "));
        match self.brokers.iter_mut().find(|(name, _)| name == broker) {
            Some((_, rounds)) => rounds.push(values),
            None => self.brokers.push((broker.to_owned(), vec![values])),
        }
    }

    /// All rounds as a table.
    pub(crate) fn table(&self, case: &str, what: &str) -> Table {
        let row = |(broker, rounds): &(String, Vec<Vec<f64>>)| Row {
            broker: broker.clone(),
            cells: (0..self.columns.len()).map(|at| cell(rounds, at)).collect(),
        };
        Table {
            case: case.to_owned(),
            what: what.to_owned(),
            columns: self
                .columns
                .iter()
                .map(|name| Column { key: (*name).into(), name: (*name).into() })
                .collect(),
            rows: self.brokers.iter().map(row).collect(),
            load: Some(self.load),
            notes: Vec::new(),
            goals: Vec::new(),
        }
        .compared()
    }
}

/// What a column came to in those rounds in which it could be measured.
fn cell(rounds: &[Vec<f64>], at: usize) -> Option<Cell> {
    let samples: Vec<_> =
        rounds.iter().filter_map(|round| round.get(at).copied().filter(|value| value.is_finite())).collect();
    let spread = Spread::of(&samples)?;
    Some(Cell { spread, ratio: None, to_kafka: None, samples })
}

/// Where this runs, now.
pub(crate) fn machine() -> Machine {
    machine::here(&tempfile::env::temp_dir())
}

/// The versions of Kafka and of the virtual machine that it runs on.
pub(crate) fn versions() -> BTreeMap<String, String> {
    let kafka = kafka::version().map(|version| (KAFKA.to_owned(), version));
    let java = Command::new("java").arg("-version").stdin(Stdio::null()).output().ok();
    // It tells that on standard error: a line of the name and the version, then more.
    let line = java.and_then(|told| Some(String::from_utf8_lossy(&told.stderr).lines().next()?.to_owned()));
    kafka.into_iter().chain(line.map(|line| ("java".to_owned(), line))).collect()
}

/// One line on where a run was.
pub(crate) fn on(here: &Machine) -> String {
    let dirty = here.dirty.as_ref().map(|limits| format!("; {}", dirty(limits))).unwrap_or_default();
    format!(
        "{} x {}, {} MiB; Linux {}; files on {}{dirty}; congestion control {}; load {}",
        here.cpus,
        here.cpu,
        here.memory_mib,
        here.kernel,
        here.file_system,
        here.congestion_control_default,
        here.load
    )
}

/// From when on what was written costs whoever writes on.
pub(crate) fn dirty(limits: &DirtyLimits) -> String {
    let DirtyLimits { background_mib, foreground_mib } = limits;
    format!(
        "the kernel writes back from {background_mib} MiB dirty on, and holds who writes at {foreground_mib}"
    )
}

/// Milliseconds.
pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_after_the_other_comes_to_a_spread_and_a_ratio_to_the_first_broker() {
        let mut samples = Samples::new(&["ms"]);
        for (broker, value) in
            [("floor", 1.0), ("pagewire", 4.0), ("floor", 3.0), ("pagewire", 2.0), ("floor", 2.0)]
        {
            samples.add(broker, vec![value]);
        }
        let table = samples.table("start", "from exec to serving");
        let cell = |row: usize| table.rows[row].cells[0].as_ref().unwrap();
        assert_eq!(cell(0).spread, Spread { min: 1.0, median: 2.0, max: 3.0 });
        assert_eq!((cell(1).spread.median, cell(1).ratio), (3.0, Some(1.5)));
        assert_eq!(cell(1).samples, [4.0, 2.0]);
    }

    #[test]
    fn a_machine_tells_how_much_may_be_dirty_where_that_is_known() {
        let limits = DirtyLimits { background_mib: 2208, foreground_mib: 4422 };
        let told = on(&Machine { dirty: Some(limits), ..machine() });
        let both = "; the kernel writes back from 2208 MiB dirty on, and holds who writes at 4422; ";
        assert!(told.contains(both), "{told}");
        assert!(!on(&Machine { dirty: None, ..machine() }).contains("dirty"));
    }

    #[test]
    fn what_could_not_be_measured_is_no_figure() {
        let mut samples = Samples::new(&["ms", "calls"]);
        samples.add("floor", vec![1.0, f64::NAN]);
        let table = samples.table("start", "from exec to serving");
        assert!(table.rows[0].cells[0].is_some());
        assert_eq!(table.rows[0].cells[1], None);
    }
}
