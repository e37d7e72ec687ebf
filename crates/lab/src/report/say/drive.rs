//! Which broker does a case at the least cost, and which answers soonest.

use super::Said;
use crate::record::DriveCell;
use crate::report::group::{Group, groups};
use crate::report::number::{figure, row, times};
use crate::spread::Spread;

/// Less of it is better: the broker's CPU.
const COST: &str = "cpu_s_per_gb";
/// More of it is better, unless the rate was given.
const RATE: &str = "mb_per_s";
const GIVEN_RATE: &str = "rate_per_s";
/// The latency that is compared.
const TAIL: &str = "p99";

/// What the cells say, case by case; nothing of a broker alone.
pub(in crate::report) fn sentences(cells: &[DriveCell]) -> Vec<Said> {
    groups(cells).iter().filter(|group| group.cells.len() > 1).flat_map(of).collect()
}

fn of(group: &Group<'_>) -> Vec<Said> {
    let figure = |name: &'static str| move |cell: &DriveCell| cell.figures.get(name).copied();
    let tail = |cell: &DriveCell| cell.latency_us.get(TAIL).copied();
    let given = group.cells.iter().any(|cell| cell.settings.contains_key(GIVEN_RATE));
    let said = [
        if given { None } else { ranking(group, RATE, true, figure(RATE)) },
        ranking(group, COST, false, figure(COST)),
        ranking(group, &format!("{TAIL} latency in \u{b5}s"), false, tail),
    ];
    said.into_iter().flatten().collect()
}

/// All brokers by one figure, the best first, the others beside it.
fn ranking(
    group: &Group<'_>,
    name: &str,
    most_first: bool,
    of: impl Fn(&DriveCell) -> Option<Spread>,
) -> Option<Said> {
    let mut ranked: Vec<(&str, Spread)> =
        group.cells.iter().filter_map(|cell| Some((&*cell.broker, of(cell)?))).collect();
    ranked.sort_by(|one, other| one.1.median.total_cmp(&other.1.median));
    if most_first {
        ranked.reverse();
    }
    let ((best, first), others) = ranked.split_first()?;
    let value = first.median;
    if others.is_empty() || value <= 0.0 {
        return None;
    }
    let others: Vec<String> = others
        .iter()
        .map(|(broker, other)| {
            let open = if overlap(*first, *other) { " (their spreads overlap)" } else { "" };
            format!("{broker} {} of that{open}", times(other.median / value))
        })
        .collect();
    let words = format!("{name} {} with {best}; {}.", figure(value), row(&others));
    Some(Said { about: Some(group.case.to_owned()), words })
}

fn overlap(one: Spread, other: Spread) -> bool {
    one.min <= other.max && other.min <= one.max
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::drive;

    #[test]
    fn brokers_are_ranked_by_what_is_better() {
        let cells = [drive("slow", "produce", 1.5), drive("fast", "produce", 0.5)];
        let said = sentences(&cells);
        assert!(said.iter().all(|said| said.about.as_deref() == Some("produce")));
        assert_eq!(
            said.into_iter().map(|said| said.words).collect::<Vec<_>>(),
            [
                "mb_per_s 180 with fast; slow 0.33\u{d7} of that.",
                "cpu_s_per_gb 0.500 with fast; slow 3.00\u{d7} of that.",
                "p99 latency in \u{b5}s 450 with fast; slow 3.00\u{d7} of that.",
            ]
        );
    }

    #[test]
    fn what_the_spread_leaves_open_is_said() {
        let cells = [drive("one", "produce", 1.0), drive("other", "produce", 1.1)];
        assert!(
            sentences(&cells).iter().all(|said| said.words.ends_with("of that (their spreads overlap)."))
        );
    }

    #[test]
    fn a_rate_that_was_given_is_nobodys_merit() {
        let mut cells = [drive("one", "end-to-end", 1.0), drive("other", "end-to-end", 1.5)];
        for cell in &mut cells {
            cell.settings.insert(GIVEN_RATE.into(), "1000".into());
        }
        assert!(sentences(&cells).iter().all(|said| !said.words.contains(RATE)));
    }

    #[test]
    fn one_broker_is_compared_with_none() {
        assert!(sentences(&[drive("alone", "produce", 1.0)]).is_empty());
    }
}
