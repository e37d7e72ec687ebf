//! Throughput beside what it costs, at one size: never one without the other.

use maud::{Markup, html};

use super::Page;
use super::table::{cell, scrolling};
use crate::record::RouteCell;
use crate::report::looks::{Look, PAIR};
use crate::report::number::{figure, size};
use crate::report::plot::{Axis, DotRow, Mark, Panel, Words, dots, key};
use crate::report::setting::{Setting, settings};
use crate::spread::Spread;

/// What the two marks of a row stand for.
const PAIR_NAMES: [&str; 2] = ["sender", "sender and receiver"];
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
    let panels = [rate(&cells, page), cost(&cells), crossings(&cells, page)];
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
    let key = key(PAIR.into_iter().zip(PAIR_NAMES))?;
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

fn cost(cells: &[&RouteCell]) -> Panel {
    let [sender, both] = PAIR;
    let rows = cells
        .iter()
        .map(|cell| row(cell, [(sender, cell.cpu_s_per_gb), (both, cell.system_cpu_s_per_gb)]))
        .collect();
    let largest = cells.iter().flat_map(|cell| [cell.cpu_s_per_gb.max, cell.system_cpu_s_per_gb.max]);
    Panel { axis: Axis::from_zero("CPU-s per GB", largest), rows }
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

fn row<const N: usize>(cell: &RouteCell, marks: [(Look, Spread); N]) -> DotRow {
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
                @for name in ["MB/s", "CPU-s/GB, sender", "CPU-s/GB, both", "Crossings/MiB", "Calls/MiB"] {
                    th.number scope="col" { (name) }
                }
            } }
            tbody { @for found in cells { tr {
                th scope="row" { (found.route) }
                td.number { (cell(found.mb_per_s)) }
                td.number { (cell(found.cpu_s_per_gb)) }
                td.number { (cell(found.system_cpu_s_per_gb)) }
                td.number { (figure(found.crossings_per_mib)) }
                td.number { (figure(found.syscalls_per_mib)) }
            } } }
        }
    }
}
