//! A case as Markdown: a row for each broker, each figure with its spread and the ratio of the rounds to the first broker's.

use pagewire_lab::drive::words;
use pagewire_lab::record::DriveCell;
use pagewire_lab::spread::Spread;

use super::LoadCase;
use crate::report::spread;

/// A figure of a cell, or a latency in milliseconds.
pub(super) fn figure(cell: &DriveCell, key: &str) -> Option<Spread> {
    let ms = |Spread { min, median, max }: &Spread| Spread {
        min: min / 1e3,
        median: median / 1e3,
        max: max / 1e3,
    };
    cell.figures.get(key).copied().or_else(|| cell.latency_us.get(key).map(ms))
}

/// Prints it.
pub(super) fn print(case: &LoadCase, cells: &[DriveCell]) {
    let Some(first) = cells.first() else { return };
    let name = |key: &&str| {
        if first.latency_us.contains_key(*key) { format!("{key} ms") } else { words::name(key).to_owned() }
    };
    println!("| broker | {} |", case.figures.iter().map(name).collect::<Vec<_>>().join(" | "));
    println!("|-|{}", "-|".repeat(case.figures.len()));
    for cell in cells {
        let one = |key: &&str| {
            let ratio = cell.ratio_to_first.get(*key);
            let ratio = ratio.or_else(|| cell.ratio_to_first.get(&format!("{key}_us")));
            figure(cell, key).map_or_else(String::new, |found| spread(found, ratio.map(|ratio| ratio.median)))
        };
        println!("| {} | {} |", cell.broker, case.figures.iter().map(one).collect::<Vec<_>>().join(" | "));
    }
    println!("\nmin / median / max; in brackets the median of the rounds' ratios to the first line.");
    for note in cells.iter().flat_map(|cell| cell.notes.iter().map(move |note| (cell, note))) {
        println!("{}: {}", note.0.broker, note.1);
    }
}
