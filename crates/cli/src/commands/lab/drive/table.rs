//! One case as a table: a row for each figure, a column for each broker, and its ratio to the first.

use anyhow::Result;
use pagewire_lab::drive::words;
use pagewire_lab::record::DriveCell;
use pagewire_lab::spread::Spread;

use crate::output::units::figure;
use crate::output::{Out, Table};

/// A figure: its key, and what it is divided by.
type Row = (&'static str, f64);

/// What moved many bytes is told by the byte. Cost stands before what it bought.
const BY_BYTES: &[Row] = &[("cpu_s_per_gb", 1.0), ("mb_per_s", 1.0), ("records_per_s", 1.0)];
/// What moved little, often, is told by the record.
const BY_RECORDS: &[Row] = &[("cpu_us_per_record", 1.0), ("records_per_s", 1.0)];
const FROM_DISK: Row = ("disk_bytes_per_byte", 1.0);
const OPENING: &[Row] =
    &[("cpu_us_per_connect", 1.0), ("connects_per_s", 1.0), ("idle_kib_per_connection", 1.0)];
/// The client's CPU, which stands below a broker's that is unknown: no rate without a cost.
const CLIENTS: &[(&str, Row)] = &[
    ("cpu_s_per_gb", ("client_cpu_s_per_gb", 1.0)),
    ("cpu_us_per_record", ("client_cpu_us_per_record", 1.0)),
    ("cpu_us_per_connect", ("client_cpu_us_per_connect", 1.0)),
];
const LATE: Row = ("behind_ms", 1.0);
/// The broker's process, and the client's, which should not be the one that is busy.
const PROCESSES: &[Row] = &[
    ("syscalls_per_request", 1.0),
    ("rss_mib", 1.0),
    ("peak_rss_mib", 1.0),
    ("cpu_cores", 1.0),
    ("client_cpu_cores", 1.0),
    ("machine_cpu_cores", 1.0),
];
/// Recorded in microseconds, told in milliseconds.
const LATENCIES: &[Row] = &[("p50", 1e3), ("p99", 1e3), ("p99.9", 1e3), ("max", 1e3)];

/// Prints a case; `cells` are its brokers, the first is what the others are compared with.
pub(super) fn print(out: &mut Out, cells: &[DriveCell]) -> Result<()> {
    let Some(first) = cells.first() else { return Ok(()) };
    out.line(format_args!("\n{}: {}, {} rounds", first.case, settings(first), first.rounds))?;
    let mut columns = vec![String::new()];
    for (at, cell) in cells.iter().enumerate() {
        columns.push(format!(">{}", cell.broker.to_uppercase()));
        if at > 0 {
            columns.push(">RATIO".to_owned());
        }
    }
    let mut table = Table::new(&columns.iter().map(String::as_str).collect::<Vec<_>>());
    for (at, row) in rows(&first.case, cells).into_iter().enumerate() {
        // A rate without its cost says nothing: that the cost is unknown is said.
        let absent = if at == 0 { "unknown" } else { "" };
        if at == 0 || cells.iter().any(|cell| of(cell, row.0).is_some()) {
            table.cells(line(cells, row, absent));
        }
    }
    table.print(out)?;
    for cell in cells {
        cell.notes.iter().try_for_each(|note| out.line(format_args!("{}: {note}", cell.broker)))?;
    }
    Ok(())
}

/// The rows of a case; the first is what it cost in CPU.
fn rows(case: &str, cells: &[DriveCell]) -> Vec<Row> {
    let own = match case {
        "fetch-cold" => [BY_BYTES, &[FROM_DISK]].concat(),
        "end-to-end" => [BY_RECORDS, &[LATE]].concat(),
        "connections" => [BY_RECORDS, &[LATE], OPENING].concat(),
        _ => BY_BYTES.to_vec(),
    };
    let own = own.into_iter().flat_map(|row| [Some(row), stand_in(row.0, cells)]).flatten();
    own.chain([PROCESSES, LATENCIES].concat()).collect()
}

/// What stands below a cost that some brokers do not have.
fn stand_in(cost: &str, cells: &[DriveCell]) -> Option<Row> {
    let (_, client) = CLIENTS.iter().find(|(of, _)| *of == cost)?;
    cells.iter().any(|cell| of(cell, cost).is_none()).then_some(*client)
}

/// A figure of a cell, or a latency.
fn of(cell: &DriveCell, key: &str) -> Option<Spread> {
    cell.figures.get(key).or_else(|| cell.latency_us.get(key)).copied()
}

/// What it is called, with its unit.
fn name(key: &str, cells: &[DriveCell]) -> String {
    let is_latency = cells.iter().any(|cell| cell.latency_us.contains_key(key));
    if is_latency { format!("{key} ms") } else { words::name(key).to_owned() }
}

fn line(cells: &[DriveCell], (key, unit): Row, absent: &str) -> Vec<String> {
    let mut line = vec![name(key, cells)];
    for (at, cell) in cells.iter().enumerate() {
        line.push(of(cell, key).map_or_else(|| absent.to_owned(), |found| spread(found, unit)));
        if at > 0 {
            let ratio =
                cell.ratio_to_first.get(key).or_else(|| cell.ratio_to_first.get(&format!("{key}_us")));
            line.push(ratio.map_or_else(String::new, |ratio| format!("x {:.2}", ratio.median)));
        }
    }
    line
}

/// The median, and what lies around it.
fn spread(found: Spread, unit: f64) -> String {
    let [least, middle, most] = [found.min, found.median, found.max].map(|value| figure(value / unit));
    if least == most { middle } else { format!("{middle} ({least}..{most})") }
}

fn settings(cell: &DriveCell) -> String {
    let pairs = cell.settings.iter().map(|(name, value)| format!("{} {value}", name.replace('_', " ")));
    pairs.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_stands_with_its_spread_unless_there_is_none() {
        assert_eq!(spread(Spread { min: 1000.0, median: 1500.0, max: 2000.0 }, 1e3), "1.50 (1.00..2.00)");
        assert_eq!(spread(Spread { min: 0.5, median: 0.5, max: 0.5 }, 1.0), "0.500");
    }

    /// A cell as the lab writes it, with these figures.
    fn cell(figures: &[&str]) -> DriveCell {
        let spread = serde_json::json!({"min": 1.0, "median": 1.0, "max": 1.0});
        let figures: serde_json::Map<_, _> =
            figures.iter().map(|name| ((*name).to_owned(), spread.clone())).collect();
        let machine = serde_json::json!({
            "kernel": "", "cpu": "", "cpus": 1, "memory_mib": 1, "congestion_control": "",
            "congestion_control_default": "", "offloads": {}, "file_system": "", "load": 0.0, "began": "",
        });
        serde_json::from_value(serde_json::json!({
            "broker": "b", "case": "produce", "settings": {}, "figures": figures, "latency_us": {},
            "distribution": [], "timeline": [], "rounds": 1, "machine": machine,
        }))
        .unwrap()
    }

    #[test]
    fn the_clients_cpu_stands_above_a_rate_whose_cost_to_the_broker_is_unknown() {
        let names = |case: &str, cells: &[DriveCell]| {
            rows(case, cells).into_iter().map(|row| row.0).take(3).collect::<Vec<_>>()
        };
        let (known, unknown) = (cell(&["cpu_s_per_gb"]), cell(&["client_cpu_s_per_gb"]));
        assert_eq!(
            names("produce", std::slice::from_ref(&known)),
            ["cpu_s_per_gb", "mb_per_s", "records_per_s"]
        );
        let mixed = ["cpu_s_per_gb", "client_cpu_s_per_gb", "mb_per_s"];
        assert_eq!(names("fetch-hot", &[known, unknown]), mixed);
        let opening = rows("connections", &[cell(&[])]).into_iter().map(|row| row.0).collect::<Vec<_>>();
        let at = |name| opening.iter().position(|row| *row == name).unwrap();
        assert!(at("client_cpu_us_per_connect") < at("connects_per_s"), "{opening:?}");
    }
}
