//! Samples of the cases that are measured here, round by round, until they are a table; and where this runs.

use std::time::Duration;

use pagewire_lab::{machine, spread::Spread};

use crate::table::{Cell, Column, Row, Table, short};

/// A figure: what it is, in which unit.
pub(crate) type Name = &'static str;

/// Samples by broker, in the order in which they were first seen.
pub(crate) struct Samples {
    columns: &'static [Name],
    brokers: Vec<(String, Vec<Vec<f64>>)>,
}

impl Samples {
    pub(crate) fn new(columns: &'static [Name]) -> Self {
        Self { columns, brokers: Vec::new() }
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
            cells: (0..self.columns.len()).map(|at| self.cell(rounds, at)).collect(),
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
            notes: Vec::new(),
            goals: Vec::new(),
        }
    }

    fn cell(&self, rounds: &[Vec<f64>], at: usize) -> Option<Cell> {
        let of = |rounds: &[Vec<f64>]| {
            rounds.iter().filter_map(|round| round.get(at).copied()).collect::<Vec<_>>()
        };
        let samples = of(rounds);
        let spread = Spread::of(&samples)?;
        let first = self.brokers.first().and_then(|(_, rounds)| Spread::of(&of(rounds)));
        let ratio = first.map(|first| spread.median / first.median).filter(|ratio| ratio.is_finite());
        Some(Cell { spread, ratio, samples })
    }
}

/// One line on where this ran.
pub(crate) fn machine() -> String {
    let here = machine::here(&tempfile::env::temp_dir());
    format!(
        "{} x {}, {} MiB; Linux {}; files on {}; congestion control {}; load {}",
        here.cpus,
        here.cpu,
        here.memory_mib,
        here.kernel,
        here.file_system,
        here.congestion_control_default,
        here.load
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
}
