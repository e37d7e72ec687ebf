//! The tables: min, median and max of every column, and the ratio of the medians to the floor.

use std::collections::BTreeMap;

use pagewire_lab::{machine, spread::Spread};

/// A column: what it is, in which unit.
pub(crate) type Column = &'static str;

/// Samples by broker, in the order in which they were first seen.
pub(crate) struct Table {
    columns: &'static [Column],
    order: Vec<String>,
    samples: BTreeMap<String, Vec<Vec<f64>>>,
}

impl Table {
    pub(crate) fn new(columns: &'static [Column]) -> Self {
        Self { columns, order: Vec::new(), samples: BTreeMap::new() }
    }

    /// Keeps a round's values, and says them: who ends a long run early has what was measured until then.
    pub(crate) fn add(&mut self, broker: &str, values: Vec<f64>) {
        let said =
            self.columns.iter().zip(&values).map(|(column, value)| format!("{column} {}", short(*value)));
        eprintln!("  {}", said.collect::<Vec<_>>().join(", "));
        if !self.samples.contains_key(broker) {
            self.order.push(broker.to_owned());
        }
        self.samples.entry(broker.to_owned()).or_default().push(values);
    }

    /// Prints Markdown, and the raw samples below it.
    pub(crate) fn print(&self) {
        println!("| broker | {} |", self.columns.join(" | "));
        println!("|-|{}", "-|".repeat(self.columns.len()));
        for broker in &self.order {
            let cells = (0..self.columns.len()).map(|at| self.cell(broker, at));
            println!("| {broker} | {} |", cells.collect::<Vec<_>>().join(" | "));
        }
        println!("\nmin / median / max; in brackets the median's ratio to the first line. Samples:");
        for broker in &self.order {
            println!("{broker}: {:?}", self.samples[broker]);
        }
    }

    fn cell(&self, broker: &str, at: usize) -> String {
        let Some(found) = self.spread(broker, at) else { return String::new() };
        let floor = self.order.first().and_then(|first| self.spread(first, at));
        spread(found, floor.map(|floor| found.median / floor.median))
    }

    fn spread(&self, broker: &str, at: usize) -> Option<Spread> {
        Spread::of(&self.samples[broker].iter().map(|sample| sample[at]).collect::<Vec<_>>())
    }
}

/// Least, middle and largest, and how the middle stands to another broker's.
pub(crate) fn spread(Spread { min, median, max }: Spread, ratio: Option<f64>) -> String {
    let ratio = ratio.filter(|ratio| ratio.is_finite()).map(|ratio| format!(" ({ratio:.2})"));
    format!("{} / **{}** / {}{}", short(min), short(median), short(max), ratio.unwrap_or_default())
}

fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// One line on where this ran.
pub(crate) fn machine() {
    let here = machine::here(&std::env::temp_dir());
    println!(
        "{} x {}; Linux {}; congestion control {}; load {}",
        here.cpus, here.cpu, here.kernel, here.congestion_control_default, here.load
    );
}
