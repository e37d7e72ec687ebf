//! What was measured, for people. Of several settings the answer for all of them first, in one table; then, for each,
//! every way's CPU by size and the cheapest with its figures. Of one setting, which fits on a screen, the answer comes
//! last because that is where eyes are when a command ends.

use pagewire_lab::measure::way::Way;
use pagewire_lab::record::{Machine, RouteCell};
use pagewire_lab::routes::{cheapest, is_own};
use pagewire_lab::size;

use super::setting::{Setting, settings};
use super::{detail, links, overview};
use crate::output::units::{figure, list_of};
use crate::output::{Out, Table};

/// Prints all of it.
pub(super) fn all(cells: &[RouteCell], details: bool, out: &mut Out) -> anyhow::Result<()> {
    let settings = settings(cells);
    if let Some(first) = cells.first() {
        out.line(machine(&first.machine))?;
        links::of(cells).iter().try_for_each(|line| out.line(line))?;
        out.line("")?;
    }
    if settings.len() > 1 {
        overview::print(&settings, out)?;
        out.line("")?;
    }
    for setting in &settings {
        if details {
            detail::print(setting, out)?;
        } else {
            by_size(setting, out)?;
        }
        out.line("")?;
        answer(setting, out)?;
    }
    Ok(())
}

fn machine(machine: &Machine) -> String {
    format!(
        "Linux {}, {} x {}, {} MiB, file on {}, load {:.2}",
        machine.kernel, machine.cpus, machine.cpu, machine.memory_mib, machine.file_system, machine.load,
    )
}

/// Ways down, sizes across: CPU seconds per GB, the first route of each size marked, and how sure that is.
fn by_size(setting: &Setting<'_>, out: &mut Out) -> anyhow::Result<()> {
    let sizes = setting.sizes();
    out.line(format_args!(
        "{}: sender's CPU s/GB by response size, median (* cheapest route, ~ least median but \
         open, ! went another way)",
        setting.name
    ))?;
    let names: Vec<String> = sizes.iter().map(|&bytes| format!(">{}", size::text(bytes))).collect();
    let columns: Vec<&str> = std::iter::once("WAY").chain(names.iter().map(String::as_str)).collect();
    let mut table = Table::new(&columns);
    for way in Way::all() {
        let of_way = |bytes: u64| {
            setting.cells.iter().find(|cell| cell.bytes == bytes && cell.route == way.name()).copied()
        };
        if sizes.iter().all(|&bytes| of_way(bytes).is_none()) {
            continue;
        }
        let figures = sizes.iter().map(|&bytes| marked(setting, of_way(bytes)));
        table.cells(std::iter::once(way.name().to_owned()).chain(figures));
    }
    table.print(out)
}

fn marked(setting: &Setting<'_>, cell: Option<&RouteCell>) -> String {
    let Some(cell) = cell else { return String::new() };
    let of_size = setting.of_size(cell.bytes);
    let first = cheapest(&of_size).filter(|first| first.cell.route == cell.route);
    let mark = match first {
        Some(first) if first.is_settled() => "*",
        Some(_) => "~",
        None if !is_own(cell) => "!",
        None => " ",
    };
    format!("{}{mark}", figure(cell.cpu_s_per_gb.median))
}

/// The cheapest route by size, with what it costs and what it gives, and what the rounds do not tell from it.
fn answer(setting: &Setting<'_>, out: &mut Out) -> anyhow::Result<()> {
    out.line(format_args!("Cheapest, here: {} ({})", setting.name, detail::BRACKETS))?;
    let columns = [
        ">SIZE",
        "ROUTE",
        ">CPU s/GB",
        ">MIN",
        ">MAX",
        ">x BARE",
        ">BOTH ENDS",
        ">WHOLE CPU",
        ">MB/s",
        ">CALLS/MiB",
        ">COPIES",
        "OPEN WITH",
    ];
    let mut table = Table::new(&columns);
    for bytes in setting.sizes() {
        let Some(first) = cheapest(&setting.of_size(bytes)) else { continue };
        let best = first.cell;
        table.row([
            size::text(bytes),
            format!("{}{}", best.route, if first.is_settled() { "" } else { " ~" }),
            figure(best.cpu_s_per_gb.median),
            figure(best.cpu_s_per_gb.min),
            figure(best.cpu_s_per_gb.max),
            best.x_bare.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
            detail::median(best.both_ends()),
            detail::median(best.whole_cpu()),
            figure(best.mb_per_s.median),
            figure(best.syscalls_per_mib),
            detail::copies(best),
            list_of(first.rivals.iter().map(|cell| cell.route.as_str())),
        ]);
    }
    table.print(out)?;
    out.line("")
}
