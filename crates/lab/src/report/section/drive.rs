//! Brokers under the same load: what it cost and what that bought, how late they answered, how steady they were.

use maud::{Markup, html};

use super::Page;
use super::table::{breaking, cell_or_none, folded, scrolling};
use crate::record::DriveCell;
use crate::report::group::{Group, groups, percentile};
use crate::report::number::{figure, moment, row, times};
use crate::report::plot::{Axis, DotRow, Line, Mark, Panel, Point, Words, dots, key, lines};
use crate::report::rate::{BYTES, CLIENT, cost_beside, stand_ins};
use crate::report::thin::{POINTS_MAX, thin};
use crate::spread::Spread;

/// So many figures are drawn, the first ones; the table has all.
const PANELS_MAX: usize = 6;
/// There is room for so many labels beside a plot.
const LABELS_MAX: usize = 10;

/// A part for every case.
pub(in crate::report) fn section(cells: &[DriveCell], page: &Page) -> anyhow::Result<Markup> {
    let parts = groups(cells)
        .iter()
        .enumerate()
        .map(|(at, group)| part(group, at, page))
        .collect::<anyhow::Result<Vec<_>>>()?;
    if parts.is_empty() {
        return Ok(html! {});
    }
    Ok(html! {
        section #drive {
            h2 { "Brokers under load" }
            p { "Each broker in turn, round by round, under the same load. Marks are medians of the rounds, bars reach from \
                the least to the largest; \u{d7} is the ratio to the first broker, \
                the median of the rounds." }
            @for part in &parts { (part) }
        }
    })
}

fn part(group: &Group<'_>, at: usize, page: &Page) -> anyhow::Result<Markup> {
    let panels = group
        .figures()
        .into_iter()
        .take(PANELS_MAX)
        .enumerate()
        .map(|(panel, name)| figures(group, name, &format!("drive-{at}-{panel}"), page))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let key = key(group.cells.iter().map(|cell| (page.brokers.of(&cell.broker), &*cell.broker)))?;
    let latency = latency(group, at, page)?;
    let timeline = timeline(group, at, page)?;
    Ok(html! {
        article {
            h3 { (group.case) }
            p.note {
                @if !group.settings.is_empty() { (group.settings) ". " }
                "Began " time { (moment(group.began)) } "."
            }
            @for cell in &group.cells { @for note in &cell.notes {
                p.note { strong { (cell.broker) } ": " (note) }
            } }
            @if !stand_ins(&group.cells).is_empty() {
                p.note { "A broker's CPU is unknown: rates stand beside the client's, whose figures begin with " (CLIENT) "." }
            }
            @let unpriced = group.unpriced();
            @if !unpriced.is_empty() {
                p.note { "Left out, because no CPU is known that could stand beside it: " (row(&unpriced)) "." }
            }
            @if !panels.is_empty() {
                figure { div.panels { @for panel in &panels { (panel) } } }
                (scrolling(&format!("Figures: {}", group.case), &table(group, &group.figures(), |cell, name| cell.figures.get(name))))
            }
            @if let Some(latency) = &latency {
                h4 { "Latency" }
                figure { (latency) figcaption { (key) } }
                (scrolling(
                    &format!("Latency: {}", group.case),
                    &table(group, &group.latencies(), |cell, name| cell.latency_us.get(name)),
                ))
                (folded("The distribution, as drawn", &points(group, ["percentile", "\u{b5}s"], |cell| &cell.distribution)))
            }
            @if let Some(timeline) = &timeline {
                h4 { "Over time" }
                @if let Some(price) = price(group) { p.note { (price) } }
                figure { (timeline) figcaption { (key) } }
                (folded("The timeline, as drawn", &points(group, ["s", "MB/s"], |cell| &cell.timeline)))
            }
        }
    })
}

fn figures(group: &Group<'_>, name: &str, id: &str, page: &Page) -> anyhow::Result<Markup> {
    let rows: Vec<DotRow> = group
        .cells
        .iter()
        .filter_map(|cell| {
            let spread = cell.figures.get(name)?;
            let look = page.brokers.of(&cell.broker);
            let bar = (spread.min < spread.max).then_some((spread.min, spread.max));
            let mark = Mark { look, at: spread.median, bar };
            Some(DotRow { name: cell.broker.clone(), marks: vec![mark] })
        })
        .collect();
    let largest = group.cells.iter().filter_map(|cell| Some(cell.figures.get(name)?.max));
    let words = Words {
        id: id.to_owned(),
        title: format!("{}: {name}", group.case),
        description: "A row per broker. The table below has the same figures.".to_owned(),
    };
    dots(&words, &Panel { axis: Axis::from_zero(name, largest), rows })
}

/// The distribution as a line, the spread of the named percentiles as bars.
fn latency(group: &Group<'_>, at: usize, page: &Page) -> anyhow::Result<Option<Markup>> {
    if group.cells.iter().all(|cell| cell.distribution.is_empty()) {
        return Ok(None);
    }
    let drawn: Vec<Line> = group
        .cells
        .iter()
        .map(|cell| Line {
            look: page.brokers.of(&cell.broker),
            points: plain(&cell.distribution),
            bars: cell.latency_us.iter().map(|(name, spread)| bar(percentile(name), *spread)).collect(),
        })
        .collect();
    let all = || group.cells.iter().flat_map(|cell| &cell.distribution);
    let bars = group
        .cells
        .iter()
        .flat_map(|cell| cell.latency_us.values())
        .flat_map(|spread| [spread.min, spread.max]);
    let words = Words {
        id: format!("drive-{at}-latency"),
        title: format!("Latency by percentile: {}", group.case),
        description:
            "Microseconds, logarithmic, over percentiles spaced by their nines; bars are the spread of the \
                      rounds. The table below has the same figures."
                .to_owned(),
    };
    let x = |_| Axis::percentiles("percentile, by its nines", all().map(|point| point.0));
    lines(&words, x, &Axis::log("\u{b5}s", all().map(|point| point.1).chain(bars), LABELS_MAX), &drawn)
        .map(Some)
}

/// What the throughput over time cost, broker by broker.
fn price(group: &Group<'_>) -> Option<String> {
    let cost = cost_beside(&group.cells, BYTES)?;
    let each = group
        .cells
        .iter()
        .filter_map(|cell| Some(format!("{} with {}", figure(cell.figures.get(&cost)?.median), cell.broker)));
    Some(format!("At {cost} {}.", row(&each.collect::<Vec<_>>())))
}

/// Throughput over time; not without what it cost.
fn timeline(group: &Group<'_>, at: usize, page: &Page) -> anyhow::Result<Option<Markup>> {
    if price(group).is_none() || group.cells.iter().all(|cell| cell.timeline.is_empty()) {
        return Ok(None);
    }
    let drawn: Vec<Line> = group
        .cells
        .iter()
        .map(|cell| Line {
            look: page.brokers.of(&cell.broker),
            points: plain(&cell.timeline),
            bars: Vec::new(),
        })
        .collect();
    let all = || group.cells.iter().flat_map(|cell| &cell.timeline);
    let words = Words {
        id: format!("drive-{at}-timeline"),
        title: format!("Throughput over time: {}", group.case),
        description:
            "MB a second, all rounds one after another; of a long run evenly spaced points. The figures can be unfolded \
                      below."
                .to_owned(),
    };
    let x = |_| Axis::from_zero("seconds", all().map(|point| point.0));
    lines(&words, x, &Axis::from_zero("MB/s", all().map(|point| point.1)), &drawn).map(Some)
}

fn plain(points: &[(f64, f64)]) -> Vec<Point> {
    thin(points, POINTS_MAX).into_iter().map(|(x, y)| Point { x, y, bar: None }).collect()
}

fn bar(x: f64, spread: Spread) -> Point {
    Point { x, y: spread.median, bar: Some((spread.min, spread.max)) }
}

/// Figures down, brokers across, each with its ratio to the first broker.
fn table<'a>(
    group: &Group<'a>,
    names: &[&str],
    of: impl Fn(&'a DriveCell, &str) -> Option<&'a Spread>,
) -> Markup {
    html! {
        table.fit.figures {
            thead { tr {
                th scope="col" { "Figure" }
                @for cell in &group.cells { th.number scope="col" { (cell.broker) } }
            } }
            tbody {
                @for name in names { tr {
                    th scope="row" { (breaking(name)) }
                    @for cell in &group.cells { td.number {
                        (cell_or_none(of(cell, name)))
                        @if let Some(ratio) = group.to_first(cell, name) { span.ratio { (times(ratio.median)) } }
                    } }
                } }
                tr { th scope="row" { "rounds" } @for cell in &group.cells { td.number { (cell.rounds) } } }
            }
        }
    }
}

fn points<'a>(
    group: &Group<'a>,
    heads: [&str; 2],
    of: impl Fn(&'a DriveCell) -> &'a Vec<(f64, f64)>,
) -> Markup {
    html! {
        table.fit.brokers {
            thead { tr { th scope="col" { "Broker" } @for head in heads { th.number scope="col" { (head) } } } }
            tbody { @for cell in &group.cells { @for (x, y) in thin(of(cell), POINTS_MAX) { tr {
                th scope="row" { (cell.broker) }
                td.number { (x) }
                td.number { (figure(y)) }
            } } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::looks::Looks;
    use crate::report::rate::tests::unknown;
    use crate::report::testing::drive;

    fn drawn(cells: &[DriveCell]) -> String {
        let names = || cells.iter().map(|cell| &*cell.broker);
        let page = Page { routes: Looks::new(names(), None), brokers: Looks::new(names(), None) };
        section(cells, &page).unwrap().0
    }

    #[test]
    fn throughput_over_time_says_what_it_cost() {
        let page = drawn(&[drive("one", "produce", 0.5), drive("other", "produce", 1.5)]);
        assert!(page.contains("At cpu_s_per_gb 0.500 with one and 1.50 with other."), "{page}");
        assert!(!page.contains("CPU is unknown"));
    }

    #[test]
    fn where_the_brokers_cpu_is_unknown_the_clients_stands_beside_it_or_there_is_no_plot() {
        let mut cell = unknown("one");
        let page = drawn(std::slice::from_ref(&cell));
        assert!(page.contains("At client_cpu_s_per_gb 0.500 with one.") && page.contains("CPU is unknown"));
        cell.figures.remove("client_cpu_s_per_gb");
        let page = drawn(&[cell]);
        assert!(!page.contains("Over time") && page.contains("Left out"), "{page}");
    }
}
