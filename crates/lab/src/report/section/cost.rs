//! Cost by size, a line per route, once per setting: the sender's CPU per GB, with the ratio to the bare loop beside it.

use maud::{Markup, html};

use super::Page;
use super::table::{cell, folded, scrolling};
use crate::record::RouteCell;
use crate::report::number::{figure, moment, percent, size, times};
use crate::report::plot::{Axis, Line, Point, Words, key, lines};
use crate::report::say::routes as say;
use crate::report::setting::{Setting, settings};

/// There is room for so many labels beside the plot.
const LABELS_MAX: usize = 10;

/// A plot and its tables for every setting.
pub(in crate::report) fn section(cells: &[RouteCell], page: &Page) -> anyhow::Result<Markup> {
    let settings = settings(cells);
    if settings.is_empty() {
        return Ok(html! {});
    }
    let parts = settings
        .iter()
        .enumerate()
        .map(|(at, setting)| part(setting, at, page))
        .collect::<anyhow::Result<Vec<_>>>()?;
    Ok(html! {
        section #cost {
            h2 { "Cost by size" }
            p { "CPU seconds of the sending process for each GB (10" sup { "9" } " bytes) it sends, by the size of one \
                response. Less is better. Marks are medians of the rounds, bars reach from the least to the largest \
                round. Both axes are logarithmic. In the table, \u{d7} is the ratio to " code { "sendfile-bare" } ", a loop \
                around the system call with nothing else in it, in the same rounds." }
            @for part in &parts { (part) }
        }
    })
}

fn part(setting: &Setting<'_>, at: usize, page: &Page) -> anyhow::Result<Markup> {
    let routes = setting.routes();
    let name = setting.name();
    let words = Words {
        id: format!("cost-{at}"),
        title: format!("Cost by size: {name}"),
        description: format!(
            "CPU seconds of the sender per GB over the bytes of a response, both logarithmic, for {} routes. The table \
             below has the same figures.",
            routes.len()
        ),
    };
    let y = Axis::log(
        "CPU-s per GB",
        setting.cells().flat_map(|cell| [cell.cpu_s_per_gb.min, cell.cpu_s_per_gb.max]),
        LABELS_MAX,
    );
    let drawn: Vec<Line> = routes.iter().map(|route| line(setting, route, page)).collect();
    let plot =
        lines(&words, |labels| Axis::sizes("bytes of a response", &setting.sizes(), labels), &y, &drawn)?;
    let key = key(routes.iter().map(|route| (page.routes.of(route), *route)))?;
    Ok(html! {
        article {
            h3 { (name) }
            p.note { "Began " time { (moment(setting.began)) } "." }
            ul.says { @for sentence in say::sentences(setting) { li { (sentence) } } }
            figure { (plot) figcaption { (key) } }
            p.note { "CPU-s per GB of the sender: median, least\u{2013}largest, and the ratio to the bare loop. \u{25b8} marks \
                the least median of a size." }
            (scrolling(&format!("Cost by size: {name}"), &matrix(setting)))
            (folded("Everything measured in this setting", &everything(setting)))
        }
    })
}

fn line(setting: &Setting<'_>, route: &str, page: &Page) -> Line {
    let points = setting
        .cells()
        .filter(|cell| cell.route == route)
        .map(|cell| Point {
            x: cell.bytes as f64,
            y: cell.cpu_s_per_gb.median,
            bar: Some((cell.cpu_s_per_gb.min, cell.cpu_s_per_gb.max)),
        })
        .collect();
    Line { look: page.routes.of(route), points, bars: Vec::new() }
}

/// Routes down, sizes across; the cheapest of each size is marked.
fn matrix(setting: &Setting<'_>) -> Markup {
    let sizes = setting.sizes();
    let cheapest: Vec<Option<&str>> =
        sizes.iter().map(|bytes| setting.by_cost(*bytes).first().map(|cell| &*cell.route)).collect();
    html! {
        table.matrix {
            thead { tr { th scope="col" { "Route" } @for bytes in &sizes { th.number scope="col" { (size(*bytes)) } } } }
            tbody { @for route in setting.routes() { tr {
                th scope="row" { (route) }
                @for (bytes, best) in sizes.iter().zip(&cheapest) {
                    (place(setting, setting.cell(route, *bytes), *best == Some(route)))
                }
            } } }
        }
    }
}

fn place(setting: &Setting<'_>, found: Option<&RouteCell>, best: bool) -> Markup {
    let Some(found) = found else { return html! { td.number { "-" } } };
    let ratio = setting.to_bare(found);
    html! {
        td.number.best[best] {
            @if best { span.mark { "\u{25b8}" } }
            (cell(found.cpu_s_per_gb))
            @if let Some(ratio) = ratio { span.ratio { (times(ratio)) } }
        }
    }
}

fn everything(setting: &Setting<'_>) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "Size" }
                th scope="col" { "Route" }
                @for name in [
                    "CPU-s/GB, sender", "CPU-s/GB, both", "MB/s", "\u{b5}s of CPU/response", "Calls/MiB", "Crossings/MiB",
                    "Faults/MiB", "CPU copies", "DMA", "By route", "Header", "Rounds",
                ] { th.number scope="col" { (name) } }
            } }
            tbody { @for found in setting.cells().chain(setting.astray().iter().copied()) { tr {
                td { (size(found.bytes)) }
                th scope="row" { (found.route) }
                td.number { (cell(found.cpu_s_per_gb)) }
                td.number { (cell(found.system_cpu_s_per_gb)) }
                td.number { (cell(found.mb_per_s)) }
                td.number { (cell(found.cpu_us_per_response)) }
                td.number { (figure(found.syscalls_per_mib)) span.range { (found.syscalls_how) } }
                @for count in [found.crossings_per_mib, found.faults_per_mib] {
                    td.number { (figure(count)) }
                }
                td.number { (found.cpu_copies) span.range { (if found.measured { "measured" } else { "by its path" }) } }
                td.number { (found.dma_copies) }
                td.number {
                    (percent(found.by_route))
                    @if let Some(why) = &found.why { span.range.why { (why) } }
                }
                td.number { (size(found.header_bytes)) }
                td.number { (found.rounds) }
            } } }
        }
    }
}
