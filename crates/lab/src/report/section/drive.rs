//! Brokers under the same load: what it cost and what that bought, how late they answered, how steady they were.

mod timeline;

use maud::{Markup, html};

use super::Page;
use super::table::{cell_or_none, folded, scrolling};
use crate::drive::words;
use crate::record::DriveCell;
use crate::report::group::{Group, groups, percentile};
use crate::report::number::{figure, moment, row, times};
use crate::report::plot::{Axis, DotRow, Line, Mark, Panel, Point, Words, dots, key, lines};
use crate::report::rate::stand_ins;
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
                the median of the rounds. CPU and memory are the broker's where they are not said to be the client's." }
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
    let timeline = timeline::over_time(group, at, page, &key)?;
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
                p.note { "A broker's CPU is unknown: rates stand beside the client's." }
            }
            @let unpriced: Vec<&str> = group.unpriced().into_iter().map(words::name).collect();
            @if !unpriced.is_empty() {
                p.note { "Left out, because no CPU is known that could stand beside it: " (row(&unpriced)) "." }
            }
            @if !panels.is_empty() {
                figure { div.panels { @for panel in &panels { (panel) } } }
                (scrolling(&format!("Figures: {}", group.case), &table(group, &group.figures(), |cell, name| cell.figures.get(name))))
            }
            @if let Some(latency) = &latency {
                h4 { "Latency, \u{b5}s" }
                figure { (latency) figcaption { (key) } }
                (scrolling(
                    &format!("Latency: {}", group.case),
                    &table(group, &group.latencies(), |cell, name| cell.latency_us.get(name)),
                ))
                (folded("The distribution, as drawn", &distribution(group)))
            }
            (timeline)
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
        title: format!("{}: {}", group.case, words::name(name)),
        description: "A row per broker. The table below has the same figures.".to_owned(),
    };
    dots(&words, &Panel { axis: Axis::from_zero(words::name(name), largest), rows })
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
                    th scope="row" { (words::name(name)) }
                    @for (at, cell) in group.cells.iter().enumerate() { td.number {
                        @let figure = of(cell, name);
                        (cell_or_none(figure))
                        @if let (Some(_), Some(ratio)) = (figure.filter(|_| at > 0), group.to_first(cell, name)) {
                            span.ratio { (times(ratio.median)) }
                        }
                    } }
                } }
                tr { th scope="row" { "rounds" } @for cell in &group.cells { td.number { (cell.rounds) } } }
            }
        }
    }
}

/// The points of the distributions that are drawn.
fn distribution(group: &Group<'_>) -> Markup {
    let points = |cell: &DriveCell| thin(&cell.distribution, POINTS_MAX);
    by_broker(group, ["percentile", "\u{b5}s"], |cell| {
        let row = |(percentile, us)| html! { td.number { (percentile) } td.number { (figure(us)) } };
        points(cell).into_iter().map(row).collect()
    })
}

/// Rows broker by broker; each is two cells.
fn by_broker(group: &Group<'_>, heads: [&str; 2], rows: impl Fn(&DriveCell) -> Vec<Markup>) -> Markup {
    html! {
        table.fit.brokers {
            thead { tr { th scope="col" { "Broker" } @for head in heads { th.number scope="col" { (head) } } } }
            tbody { @for cell in &group.cells { @for row in rows(cell) { tr {
                th scope="row" { (cell.broker) }
                (row)
            } } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::looks::Looks;
    use crate::report::testing::drive;

    pub(super) fn drawn(cells: &[DriveCell]) -> String {
        let names = || cells.iter().map(|cell| &*cell.broker);
        let page = Page { routes: Looks::new(names(), None), brokers: Looks::new(names(), None) };
        section(cells, &page).unwrap().0
    }

    #[test]
    fn only_the_others_have_a_ratio_to_the_first_broker() {
        let ratios = |cells: &[DriveCell]| drawn(cells).matches("class=\"ratio\"").count();
        let (one, other) = (drive("one", "produce", 0.5), drive("other", "produce", 0.5));
        let rows = one.figures.len() + one.latency_us.len();
        assert_eq!((ratios(std::slice::from_ref(&one)), ratios(&[one, other])), (0, rows));
    }

    #[test]
    fn figures_are_named_in_words() {
        let page = drawn(&[drive("one", "produce", 0.5)]);
        assert!(page.contains(">CPU s/GB</th>") && page.contains(">p99</th>"), "{page}");
        assert!(!page.contains("cpu_s_per_gb"), "{page}");
    }

    #[test]
    fn a_figure_that_a_broker_lacks_has_no_ratio() {
        let mut other = drive("other", "produce", 0.5);
        let spread = other.figures.remove("cpu_s_per_gb").unwrap();
        other.ratio_to_first.insert("cpu_s_per_gb".into(), spread);
        let page = drawn(&[drive("one", "produce", 0.5), other]);
        assert!(!page.contains("-<span"), "{page}");
    }
}
