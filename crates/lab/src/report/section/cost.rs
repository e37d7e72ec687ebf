//! Cost by size, a line per route, once per setting: the sender's CPU per GB, with the ratio to the bare loop beside
//! it.

use maud::{Markup, html};

use super::Page;
use super::table::{cell, cell_or_none, folded, scrolling};
use crate::record::RouteCell;
use crate::report::number::{figure, moment, percent, size, times};
use crate::report::plot::{Axis, Line, Point, Words, key, lines};
use crate::report::say::routes as say;
use crate::report::setting::{Setting, settings};
use crate::routes::First;

/// There is room for so many labels beside the plot.
const LABELS_MAX: usize = 10;
/// Marks of the first place: a certain one, and one that is not.
const SETTLED: &str = "\u{25b8}";
const OPEN: &str = "\u{25b9}";

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
            p.note { "CPU-s per GB of the sender: median, least\u{2013}largest, and the ratio to the bare loop. " (SETTLED) " marks \
                the cheapest route of a size, " (OPEN) " the route with the least median where the spread of the rounds \
                does not tell it from another. The bare loops and " code { "auto" } " are there to compare with." }
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

/// Routes down, sizes across; the first of each size is marked, and how sure that is.
fn matrix(setting: &Setting<'_>) -> Markup {
    let sizes = setting.sizes();
    let firsts: Vec<Option<First<'_>>> = sizes.iter().map(|bytes| setting.first(*bytes)).collect();
    html! {
        table.matrix {
            thead { tr { th scope="col" { "Route" } @for bytes in &sizes { th.number scope="col" { (size(*bytes)) } } } }
            tbody { @for route in setting.routes() { tr {
                th scope="row" { (route) }
                @for (bytes, first) in sizes.iter().zip(&firsts) {
                    (place(setting, setting.cell(route, *bytes), first.as_ref().filter(|first| first.cell.route == route)))
                }
            } } }
        }
    }
}

/// `first`: it has the first place.
fn place(setting: &Setting<'_>, found: Option<&RouteCell>, first: Option<&First<'_>>) -> Markup {
    let Some(found) = found else { return html! { td.number { "-" } } };
    let ratio = setting.to_bare(found);
    let is_settled = first.is_some_and(First::is_settled);
    html! {
        td.number.best[is_settled] {
            @if first.is_some_and(|first| !first.is_alone) { span.mark { (if is_settled { SETTLED } else { OPEN }) } }
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
                    "CPU-s/GB, sender", "CPU-s/GB, both ends", "CPU-s/GB, whole CPU", "MB/s", "\u{b5}s of CPU/response", "Calls/MiB", "Crossings/MiB",
                    "Faults/MiB", "CPU copies", "DMA", "By route", "Header", "Responses/round",
                    "Rounds",
                ] { th.number scope="col" { (name) } }
            } }
            tbody { @for found in setting.cells().chain(setting.astray().iter().copied()) { tr {
                td { (size(found.bytes)) }
                th scope="row" { (found.route) }
                td.number { (cell(found.cpu_s_per_gb)) }
                td.number { (cell_or_none(found.both_ends().as_ref())) }
                td.number { (cell_or_none(found.whole_cpu().as_ref())) }
                td.number { (cell(found.mb_per_s)) }
                td.number { (cell(found.cpu_us_per_response)) }
                td.number { (figure(found.syscalls_per_mib)) span.range { (found.syscalls_how) } }
                @for count in [found.crossings_per_mib, found.faults_per_mib] {
                    td.number { (figure(count)) }
                }
                td.number { (found.cpu_copies) span.range { (known(found)) } }
                td.number { (found.dma_copies) }
                td.number {
                    (percent(found.by_route))
                    @if let Some(why) = &found.why { span.range.why { (why) } }
                }
                td.number { (size(found.header_bytes)) }
                td.number { (found.responses_per_round) }
                td.number { (found.rounds) }
            } } }
        }
    }
}

/// How its copies are known.
fn known(cell: &RouteCell) -> String {
    match cell.measured_bytes {
        _ if !cell.measured => "by its path".to_owned(),
        Some(bytes) if bytes < cell.bytes => format!("measured at {}", size(bytes)),
        _ => "measured".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::route;
    use crate::spread::Spread;

    #[test]
    fn a_test_of_a_shorter_response_is_said_to_be_one() {
        let cell =
            |measured, measured_bytes| RouteCell { measured, measured_bytes, ..route("copy", 1 << 20, 1.0) };
        let said =
            [cell(false, None), cell(true, None), cell(true, Some(1 << 20)), cell(true, Some(1 << 16))];
        let said: Vec<String> = said.iter().map(known).collect();
        assert_eq!(said, ["by its path", "measured", "measured", "measured at 64\u{a0}KiB"]);
    }

    #[test]
    fn only_a_settled_first_place_wears_the_full_mark() {
        let cells = [
            route("copy", 1024, 1.0),
            route("mmap", 1024, 3.0),
            route("copy", 4096, 1.0),
            route("mmap", 4096, 1.1),
        ];
        let table = matrix(&settings(&cells)[0]).0;
        assert_eq!((table.matches(SETTLED).count(), table.matches(OPEN).count()), (1, 1), "{table}");
    }

    #[test]
    fn both_ends_and_the_whole_cpu_have_columns_of_their_own() {
        let (of_both, of_all) =
            (Spread { min: 7.5, median: 7.5, max: 7.5 }, Spread { min: 8.5, median: 8.5, max: 8.5 });
        let mut found = route("copy", 1024, 1.0);
        found.processes_cpu_s_per_gb = Some(of_both);
        found.system_cpu_s_per_gb = of_all;
        found.system_how = "cpu-busy".into();
        let cells = [found];
        let table = everything(&settings(&cells)[0]).0;
        let both = table.find("7.50").unwrap();
        assert!(
            both < table.find("8.50").unwrap() && table.contains("both ends") && table.contains("whole CPU")
        );
    }
}
