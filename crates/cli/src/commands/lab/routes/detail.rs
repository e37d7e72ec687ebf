//! Every cell of a setting, with all its figures: a table for each size, cheapest first.

use pagewire_lab::record::{ColdHow, RouteCell};
use pagewire_lab::routes::is_own;
use pagewire_lab::size;
use pagewire_lab::spread::Spread;

use super::setting::Setting;
use crate::output::units::figure;
use crate::output::{Out, Table};

const COLUMNS: [&str; 15] = [
    ">SIZE",
    "WAY",
    ">CPU s/GB",
    ">MIN",
    ">MAX",
    ">x BARE",
    ">BOTH ENDS",
    ">WHOLE CPU",
    ">MB/s",
    ">us/RESPONSE",
    ">CALLS/MiB",
    ">CROSSINGS/MiB",
    ">FAULTS/MiB",
    ">COPIES",
    ">DMA",
];

/// Prints them.
pub(super) fn print(setting: &Setting<'_>, out: &mut Out) -> anyhow::Result<()> {
    out.line(format_args!("{}: medians; CPU s/GB of the sender\n{}", setting.name, how(setting)))?;
    let mut cells = setting.cells.clone();
    cells.sort_by(|a, b| {
        (a.bytes, a.cpu_s_per_gb.median)
            .partial_cmp(&(b.bytes, b.cpu_s_per_gb.median))
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    let mut table = Table::new(&COLUMNS);
    for cell in cells {
        table.row(row(cell));
    }
    table.print(out)
}

/// Where the figures come from that can be had in several ways.
fn how(setting: &Setting<'_>) -> String {
    let first = setting.cells.first();
    let mut said = vec![
        "BOTH ENDS sender and receiver, WHOLE CPU all that their CPU did".to_owned(),
        format!("system calls {}", first.map_or("", |cell| cell.syscalls_how.as_str())),
        BRACKETS.to_owned(),
    ];
    let tested = setting
        .cells
        .iter()
        .filter(|cell| cell.measured)
        .filter_map(|cell| cell.measured_bytes.filter(|&bytes| bytes < cell.bytes));
    if let Some(bytes) = tested.max() {
        said.push(format!("those of larger responses were tested at {}", size::text(bytes)));
    }
    match first.and_then(|cell| cell.cold_how) {
        Some(ColdHow::Cachestat) => said.push("cold: the kernel counted no page of the file".to_owned()),
        Some(ColdHow::Looks) => said.push("cold: no page was there of those looked at".to_owned()),
        None => {}
    }
    said.join("; ")
}

/// The middle one, where there is one.
pub(super) fn median(spread: Option<Spread>) -> String {
    spread.map(|spread| figure(spread.median)).unwrap_or_default()
}

fn row(cell: &RouteCell) -> [String; 15] {
    let refused = if is_own(cell) { "" } else { " !" };
    [
        size::text(cell.bytes),
        format!("{}{refused}", cell.route),
        figure(cell.cpu_s_per_gb.median),
        figure(cell.cpu_s_per_gb.min),
        figure(cell.cpu_s_per_gb.max),
        cell.x_bare.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
        median(cell.both_ends()),
        median(cell.whole_cpu()),
        figure(cell.mb_per_s.median),
        figure(cell.cpu_us_per_response.median),
        figure(cell.syscalls_per_mib),
        figure(cell.crossings_per_mib),
        figure(cell.faults_per_mib),
        copies(cell),
        cell.dma_copies.to_string(),
    ]
}

/// What brackets around copies mean.
pub(super) const BRACKETS: &str = "COPIES in brackets follow from the path";

/// Copies by the CPU; those that follow from the path and were not measured in brackets.
pub(super) fn copies(cell: &RouteCell) -> String {
    if cell.measured { cell.cpu_copies.to_string() } else { format!("({})", cell.cpu_copies) }
}
