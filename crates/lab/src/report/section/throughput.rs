//! Throughput beside what it costs, at one size: never one without the other.

use maud::{Markup, html};

use super::Page;
use super::table::{cell, cell_or_none, scrolling};
use crate::record::RouteCell;
use crate::report::looks::{Look, PAIR};
use crate::report::number::{figure, size};
use crate::report::plot::{Axis, DotRow, Mark, Panel, Words, dots, key};
use crate::report::setting::{Setting, settings};
use crate::spread::Spread;

/// What the cost of the sender is held against: what all cells have.
struct Beside {
    name: &'static str,
    of: fn(&RouteCell) -> Option<Spread>,
}

/// All that the CPU did says most; where some cell has it not, sender and receiver. One is never shown as the other.
const BESIDE: [Beside; 2] = [
    Beside { name: "all that the CPU did", of: RouteCell::whole_cpu },
    Beside { name: "sender and receiver", of: RouteCell::both_ends },
];

/// The first that all cells have.
fn beside(cells: &[&RouteCell]) -> Option<&'static Beside> {
    BESIDE.iter().find(|beside| cells.iter().all(|cell| (beside.of)(cell).is_some()))
}
/// There is room for so many labels under a panel.
const LABELS_MAX: usize = 4;

/// Panels and a table for every setting.
pub(in crate::report) fn section(cells: &[RouteCell], page: &Page) -> anyhow::Result<Markup> {
    let settings = settings(cells);
    let parts = settings
        .iter()
        .enumerate()
        .filter_map(|(at, setting)| Some((at, setting, setting.typical_size()?)))
        .map(|(at, setting, bytes)| part(setting, bytes, at, page))
        .collect::<anyhow::Result<Vec<_>>>()?;
    if parts.is_empty() {
        return Ok(html! {});
    }
    Ok(html! {
        section #throughput {
            h2 { "Throughput beside its cost" }
            p { "A route can be as fast as another and take twice the CPU, which others then miss. So the two stand \
                together, and beside them how often each route crosses the border between program and kernel. \
                Cheapest first." }
            @for part in &parts { (part) }
        }
    })
}

fn part(setting: &Setting<'_>, bytes: u64, at: usize, page: &Page) -> anyhow::Result<Markup> {
    let cells = setting.by_cost(bytes);
    let name = format!("{}, {}", setting.name(), size(bytes));
    let beside = beside(&cells);
    let panels = [rate(&cells, page), cost(&cells, beside), crossings(&cells, page)];
    let drawn = panels
        .iter()
        .enumerate()
        .map(|(panel_at, panel)| {
            dots(
                &Words {
                    id: format!("throughput-{at}-{panel_at}"),
                    title: format!("{}: {name}", panel.axis.name),
                    description: "A row per route, cheapest first. The table below has the same figures."
                        .to_owned(),
                },
                panel,
            )
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let names = std::iter::once("sender").chain(beside.map(|beside| beside.name));
    let key = key(PAIR.into_iter().zip(names))?;
    Ok(html! {
        article {
            h3 { (name) }
            figure {
                div.panels { @for panel in &drawn { (panel) } }
                figcaption { p { "In the panel of the CPU:" } (key) }
            }
            (scrolling(&format!("Throughput and cost: {name}"), &table(&cells)))
        }
    })
}

fn rate(cells: &[&RouteCell], page: &Page) -> Panel {
    let rows = cells.iter().map(|cell| row(cell, [(page.routes.of(&cell.route), cell.mb_per_s)])).collect();
    Panel { axis: Axis::from_zero("MB/s", cells.iter().map(|cell| cell.mb_per_s.max)), rows }
}

fn cost(cells: &[&RouteCell], beside: Option<&Beside>) -> Panel {
    let [of_sender, of_beside] = PAIR;
    let marks = |cell: &RouteCell| {
        let other = beside.and_then(|beside| (beside.of)(cell)).map(|spread| (of_beside, spread));
        std::iter::once((of_sender, cell.cpu_s_per_gb)).chain(other).collect::<Vec<_>>()
    };
    let largest = cells.iter().flat_map(|cell| marks(cell)).map(|(_, spread)| spread.max);
    let axis = Axis::from_zero("CPU-s per GB", largest);
    Panel { axis, rows: cells.iter().map(|cell| row(cell, marks(cell))).collect() }
}

fn crossings(cells: &[&RouteCell], page: &Page) -> Panel {
    let rows = cells
        .iter()
        .map(|cell| {
            let look = page.routes.of(&cell.route);
            let marks = vec![Mark { look, at: cell.crossings_per_mib, bar: None }];
            DotRow { name: cell.route.clone(), marks }
        })
        .collect();
    Panel {
        axis: Axis::log("Crossings per MiB", cells.iter().map(|cell| cell.crossings_per_mib), LABELS_MAX),
        rows,
    }
}

fn row(cell: &RouteCell, marks: impl IntoIterator<Item = (Look, Spread)>) -> DotRow {
    let mark = |(look, spread): (Look, Spread)| Mark {
        look,
        at: spread.median,
        bar: Some((spread.min, spread.max)),
    };
    DotRow { name: cell.route.clone(), marks: marks.into_iter().map(mark).collect() }
}

fn table(cells: &[&RouteCell]) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "Route" }
                @for name in ["MB/s", "CPU-s/GB, sender", "CPU-s/GB, both ends", "CPU-s/GB, whole CPU", "Crossings/MiB", "Calls/MiB"] {
                    th.number scope="col" { (name) }
                }
            } }
            tbody { @for found in cells { tr {
                th scope="row" { (found.route) }
                td.number { (cell(found.mb_per_s)) }
                td.number { (cell(found.cpu_s_per_gb)) }
                td.number { (cell_or_none(found.both_ends().as_ref())) }
                td.number { (cell_or_none(found.whole_cpu().as_ref())) }
                td.number { (figure(found.crossings_per_mib)) }
                td.number { (figure(found.syscalls_per_mib)) }
            } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::route;

    #[test]
    fn what_the_sender_is_held_against_is_what_all_cells_have() {
        let processes = route("copy", 1024, 1.0);
        let busy = RouteCell {
            system_how: "cpu-busy".into(),
            processes_cpu_s_per_gb: Some(processes.system_cpu_s_per_gb),
            ..processes.clone()
        };
        let unknown = RouteCell { system_how: String::new(), ..processes.clone() };
        let name = |cells: &[&RouteCell]| beside(cells).map(|beside| beside.name);
        assert_eq!(name(&[&busy, &busy]), Some("all that the CPU did"));
        assert_eq!(name(&[&busy, &processes]), Some("sender and receiver"));
        assert_eq!(name(&[&busy, &unknown]), None);
    }
}
