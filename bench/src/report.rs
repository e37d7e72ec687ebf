//! The tables: min, median and max of every column, and the ratio of the medians to the floor.

use std::{collections::BTreeMap, fs};

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

    pub(crate) fn add(&mut self, broker: &str, values: Vec<f64>) {
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
        let (min, median, max) = spread(&self.column(broker, at));
        let floor = self.order.first().map_or(f64::NAN, |first| spread(&self.column(first, at)).1);
        let ratio = median / floor;
        let ratio = if ratio.is_finite() { format!(" ({ratio:.2})") } else { String::new() };
        format!("{} / **{}** / {}{ratio}", short(min), short(median), short(max))
    }

    fn column(&self, broker: &str, at: usize) -> Vec<f64> {
        self.samples[broker].iter().map(|sample| sample[at]).collect()
    }
}

/// Least, middle and largest.
pub(crate) fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.as_slice() {
        [] => (f64::NAN, f64::NAN, f64::NAN),
        all => (all[0], all[all.len() / 2], all[all.len() - 1]),
    }
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
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu
        .lines()
        .find_map(|l| l.strip_prefix("model name"))
        .map_or("?", |l| l.trim_start_matches([' ', '\t', ':']));
    println!(
        "{} x {model}; Linux {}; congestion control {}; load {}",
        std::thread::available_parallelism().map_or(0, usize::from),
        read("/proc/sys/kernel/osrelease").trim(),
        read("/proc/sys/net/ipv4/tcp_congestion_control").trim(),
        read("/proc/loadavg").trim(),
    );
}
