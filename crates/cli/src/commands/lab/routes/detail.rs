//! Every cell of a setting, with all its figures: a table for each size, cheapest first.

use pagewire_lab::record::RouteCell;
use pagewire_lab::size;

use super::cheapest;
use super::show::Setting;
use crate::output::units::figure;
use crate::output::{Out, Table};

const COLUMNS: [&str; 14] = [
    ">SIZE",
    "WAY",
    ">CPU s/GB",
    ">MIN",
    ">MAX",
    ">x BARE",
    ">SYSTEM",
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
    out.line(format_args!("{}: CPU of the sender; medians; {}", setting.name, how(setting)))?;
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

/// Where the figures come from that can be had in two ways.
fn how(setting: &Setting<'_>) -> String {
    let syscalls = setting.cells.first().map_or("", |cell| cell.syscalls_how.as_str());
    let mut ways: Vec<&str> = setting.cells.iter().map(|cell| cell.system_how.as_str()).collect();
    ways.sort_unstable();
    ways.dedup();
    let system = ways.iter().map(|way| match *way {
        "cpu-busy" => "all that the CPU did",
        "processes" => "sender and receiver",
        other => other,
    });
    format!(
        "SYSTEM is {}; system calls {syscalls}",
        system.collect::<Vec<_>>().join(" or, in short rounds, ")
    )
}

fn row(cell: &RouteCell) -> [String; 14] {
    let refused = if cheapest::counts(cell) { "" } else { " !" };
    [
        size::text(cell.bytes),
        format!("{}{refused}", cell.route),
        figure(cell.cpu_s_per_gb.median),
        figure(cell.cpu_s_per_gb.min),
        figure(cell.cpu_s_per_gb.max),
        cell.x_bare.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
        figure(cell.system_cpu_s_per_gb.median),
        figure(cell.mb_per_s.median),
        figure(cell.cpu_us_per_response.median),
        figure(cell.syscalls_per_mib),
        figure(cell.crossings_per_mib),
        figure(cell.faults_per_mib),
        copies(cell),
        cell.dma_copies.to_string(),
    ]
}

/// Copies by the CPU; those that follow from the path and were not measured in brackets.
pub(super) fn copies(cell: &RouteCell) -> String {
    if cell.measured { cell.cpu_copies.to_string() } else { format!("({})", cell.cpu_copies) }
}
