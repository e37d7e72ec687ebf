//! How the brokers compare, case by case: each with the first one, round by round.

use super::Said;
use crate::drive::words::name;
use crate::record::DriveCell;
use crate::report::group::{Group, Ratio, groups};
use crate::report::number::{figure, range, row, times};
use crate::report::rate::{BYTES as RATE, cost_beside};

/// The broker's CPU.
const COST: &str = "cpu_s_per_gb";
/// Throughput is nobody's merit where the rate was given.
const GIVEN_RATE: &str = "rate_per_s";
/// The latency that is compared.
const TAIL: &str = "p99";

/// What the cells say; nothing of a broker alone.
pub(in crate::report) fn sentences(cells: &[DriveCell]) -> Vec<Said> {
    groups(cells).iter().filter(|group| group.cells.len() > 1).flat_map(of).collect()
}

fn of(group: &Group<'_>) -> Vec<Said> {
    let given = group.cells.iter().any(|cell| cell.settings.contains_key(GIVEN_RATE));
    let beside = cost_beside(&group.cells, RATE).filter(|_| !given);
    let client = beside.as_deref().filter(|cost| *cost != COST);
    let client = client.map(|cost| (cost, format!("{} (a broker's is unknown)", name(cost))));
    let rate = beside.is_some().then(|| (RATE, name(RATE).to_owned()));
    let cost = (COST, name(COST).to_owned());
    let tail = (TAIL, format!("{TAIL} latency in \u{b5}s"));
    let compared = [Some(cost), client, rate, Some(tail)];
    compared.into_iter().flatten().filter_map(|(key, words)| comparison(group, key, &words)).collect()
}

/// The first broker's figure, and the others in relation to it.
fn comparison(group: &Group<'_>, key: &str, words: &str) -> Option<Said> {
    let (first, others) = group.cells.split_first()?;
    let value = first.figures.get(key).or_else(|| first.latency_us.get(key))?.median;
    let others: Vec<String> = others
        .iter()
        .filter_map(|cell| Some(format!("{} {}", cell.broker, ratio(group.to_first(cell, key)?))))
        .collect();
    let words = format!("{words} {} with {}; {}.", figure(value), first.broker, row(&others));
    (!others.is_empty()).then(|| Said { about: Some(group.case.to_owned()), words })
}

fn ratio(ratio: Ratio) -> String {
    let rounds =
        ratio.spread.map(|spread| format!(", {} over the rounds", range(spread))).unwrap_or_default();
    let open = if ratio.open { ", not told apart" } else { "" };
    format!("{} of that{rounds}{open}", times(ratio.median))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::rate::tests::unknown;
    use crate::report::testing::drive;
    use crate::spread::Spread;

    fn words(cells: &[DriveCell]) -> Vec<String> {
        sentences(cells).into_iter().map(|said| said.words).collect()
    }

    #[test]
    fn every_broker_is_held_against_the_first() {
        let cells = [drive("slow", "produce", 1.5), drive("fast", "produce", 0.5)];
        assert_eq!(
            words(&cells),
            [
                "CPU s/GB 1.50 with slow; fast 0.33\u{d7} of that.",
                "MB/s 60.0 with slow; fast 3.00\u{d7} of that.",
                "p99 latency in \u{b5}s 1350 with slow; fast 0.33\u{d7} of that.",
            ]
        );
        assert!(sentences(&cells).iter().all(|said| said.about.as_deref() == Some("produce")));
    }

    #[test]
    fn a_rate_is_said_beside_the_clients_cpu_where_the_brokers_is_unknown_and_not_alone() {
        let mut cells = [unknown("one"), unknown("other")];
        let said = words(&cells);
        assert!(said[0].starts_with("client's CPU s/GB (a broker's is unknown) 0.5"));
        assert!(said[1].starts_with(name(RATE)), "{said:?}");
        for cell in &mut cells {
            cell.figures.remove("client_cpu_s_per_gb");
        }
        assert!(words(&cells).iter().all(|words| !words.contains(RATE)), "{:?}", words(&cells));
    }

    #[test]
    fn what_the_rounds_leave_open_is_said() {
        let mut other = drive("other", "produce", 1.1);
        let rounds = Spread { min: 0.9, median: 1.1, max: 1.3 };
        other.ratio_to_first.insert(COST.into(), rounds);
        let cells = [drive("one", "produce", 1.0), other];
        let expected = "CPU s/GB 1.00 with one; other 1.10\u{d7} of that, 0.900\u{2013}1.30 over the rounds, not told apart.";
        assert_eq!(words(&cells)[0], expected);
    }

    #[test]
    fn a_rate_that_was_given_is_nobodys_merit() {
        let mut cells = [drive("one", "end-to-end", 1.0), drive("other", "end-to-end", 1.5)];
        for cell in &mut cells {
            cell.settings.insert(GIVEN_RATE.into(), "1000".into());
        }
        assert!(words(&cells).iter().all(|words| !words.contains(RATE)));
    }

    #[test]
    fn one_broker_is_compared_with_none() {
        assert!(words(&[drive("alone", "produce", 1.0)]).is_empty());
    }
}
