//! Throughput over time: how steady a broker was.

use maud::{Markup, html};

use super::by_broker;
use crate::drive::words;
use crate::report::group::Group;
use crate::report::number::{figure, row};
use crate::report::plot::{Axis, Step, Steps, Words, steps};
use crate::report::rate::{BYTES, cost_beside};
use crate::report::section::Page;
use crate::report::section::table::{cell_or_none, folded};
use crate::report::thin::{POINTS_MAX, Stretch, stretches};

/// The part of a case that shows it; nothing where there is nothing to show, or where nobody knows what it cost.
pub(super) fn over_time(group: &Group<'_>, at: usize, page: &Page, key: &Markup) -> anyhow::Result<Markup> {
    let Some(price) = price(group).filter(|_| group.cells.iter().any(|cell| !cell.timeline.is_empty()))
    else {
        return Ok(html! {});
    };
    let drawing = drawing(group, at, page)?;
    let in_steps = group.cells.iter().any(|cell| cell.timeline.len() > POINTS_MAX);
    Ok(html! {
        h4 { "Over time" }
        p.note {
            (price)
            @if in_steps { " The line is the mean of a step; the ground behind it reaches from the least to the largest." }
        }
        figure { (drawing) figcaption { (key) } }
        (folded("The timeline, as drawn", &rates(group)))
    })
}

/// What the throughput over time cost, broker by broker.
fn price(group: &Group<'_>) -> Option<String> {
    let cost = cost_beside(&group.cells, BYTES)?;
    let each = group
        .cells
        .iter()
        .filter_map(|cell| Some(format!("{} with {}", figure(cell.figures.get(&cost)?.median), cell.broker)));
    Some(format!("At {} {}.", words::name(&cost), row(&each.collect::<Vec<_>>())))
}

fn drawing(group: &Group<'_>, at: usize, page: &Page) -> anyhow::Result<Markup> {
    let step = |stretch: Stretch| Step { reach: (stretch.begin, stretch.end), value: stretch.rate };
    let drawn: Vec<Steps> = group
        .cells
        .iter()
        .map(|cell| Steps {
            look: page.brokers.of(&cell.broker),
            steps: stretches(&cell.timeline, POINTS_MAX).into_iter().map(step).collect(),
        })
        .collect();
    let all = || group.cells.iter().flat_map(|cell| &cell.timeline);
    let words = Words {
        id: format!("drive-{at}-timeline"),
        title: format!("Throughput over time: {}", group.case),
        description:
            "MB a second, all rounds one after another. The line is the mean of a step; the ground behind it reaches from its \
                      least to its largest value. The figures can be unfolded below."
                .to_owned(),
    };
    let x = |_| Axis::from_zero("seconds", all().map(|point| point.0));
    steps(&words, x, &Axis::from_zero("MB/s", all().map(|point| point.1)), &drawn)
}

/// The steps of the timelines that are drawn.
fn rates(group: &Group<'_>) -> Markup {
    by_broker(group, ["until s", "MB/s"], |cell| {
        let row = |stretch: Stretch| {
            html! { td.number { (figure(stretch.end)) } td.number { (cell_or_none(Some(&stretch.rate))) } }
        };
        stretches(&cell.timeline, POINTS_MAX).into_iter().map(row).collect()
    })
}

#[cfg(test)]
mod tests {
    use crate::report::rate::tests::unknown;
    use crate::report::section::drive::tests::drawn;
    use crate::report::testing::drive;

    #[test]
    fn throughput_over_time_says_what_it_cost() {
        let page = drawn(&[drive("one", "produce", 0.5), drive("other", "produce", 1.5)]);
        assert!(page.contains("At CPU s/GB 0.500 with one and 1.50 with other."), "{page}");
        assert!(!page.contains("CPU is unknown"));
    }

    #[test]
    fn a_stall_of_a_long_run_is_drawn_and_stands_in_the_table() {
        let mut cell = drive("one", "produce", 0.5);
        cell.timeline = (1..=360).map(|at| (f64::from(at) / 4.0, 400.0)).collect();
        let steady = drawn(std::slice::from_ref(&cell));
        cell.timeline[201].1 = 0.0;
        let stalled = drawn(&[cell]);
        let shown = |page: &str| page.contains(">0\u{2013}400<");
        assert!(shown(&stalled) && !shown(&steady), "{stalled}");
        let grounds = |page: &str| page.matches("<polygon").count();
        assert!(grounds(&stalled) > grounds(&steady), "{stalled}");
    }

    #[test]
    fn where_the_brokers_cpu_is_unknown_the_clients_stands_beside_it_or_there_is_no_plot() {
        let mut cell = unknown("one");
        let page = drawn(std::slice::from_ref(&cell));
        assert!(page.contains("At client's CPU s/GB 0.500 with one.") && page.contains("CPU is unknown"));
        cell.figures.remove("client_cpu_s_per_gb");
        let page = drawn(&[cell]);
        assert!(!page.contains("Over time") && page.contains("Left out"), "{page}");
    }
}
