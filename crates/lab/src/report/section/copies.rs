//! Which route copies: what was measured, and what only follows from the path.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::table::scrolling;
use crate::record::{ProofLine, Residency, RouteCell};
use crate::report::looks::{Look, PAIR};
use crate::report::number::{figure, percent};
use crate::report::plot::{Axis, DotRow, Mark, Panel, Words, dots, key};
use crate::report::setting::is_own;

/// What the marks of the two plots stand for.
const TESTED: [&str; 2] = ["the route", "the copying control: must be 0"];
const MEASURED: &str = "measured here";
const BY_PATH: &str = "follows from the path";

/// What is known of a route's copies.
struct Known<'a> {
    route: &'a str,
    copies: Option<u8>,
    measured: bool,
    proof: Option<&'a ProofLine>,
    /// Transfers by a device, hot and cold.
    dma: [Option<u8>; 2],
}

/// From the proof; where it is silent, from the cells of `lab routes`.
pub(in crate::report) fn section(proof: &[ProofLine], cells: &[RouteCell]) -> anyhow::Result<Markup> {
    let known = known(proof, cells);
    if known.is_empty() {
        return Ok(html! {});
    }
    let aliased = aliasing(&known)?;
    let counted = counts(&known)?;
    let of_tests = key(PAIR.into_iter().zip(TESTED))?;
    let of_copies = key(PAIR.into_iter().zip([MEASURED, BY_PATH]))?;
    Ok(html! {
        section #copies {
            h2 { "Which route copies" }
            p { "The test by aliasing: queue a response, overwrite the file in place, then let the peer read. What arrives \
                changed was still the file's own page, so nobody had copied it. A control that copies goes through the same \
                test and must arrive unchanged, or the test proves nothing. Where the kernel itself reports a copy, or its \
                page allocations can be counted, that is evidence as well." }
            figure {
                div.panels {
                    @if let Some(aliased) = &aliased { div { (aliased) (of_tests) } }
                    div { (counted) (of_copies) }
                }
            }
            p.note { "DMA is what a disk moves into memory; what a network card moves is the same for every route." }
            (scrolling("Which route copies", &table(&known)))
        }
    })
}

fn known<'a>(proof: &'a [ProofLine], cells: &'a [RouteCell]) -> Vec<Known<'a>> {
    let mut found: BTreeMap<&str, Known<'a>> = BTreeMap::new();
    let unknown = |route| Known { route, copies: None, measured: false, proof: None, dma: [None; 2] };
    for cell in cells {
        let known = found.entry(&cell.route).or_insert_with(|| unknown(&cell.route));
        let own = is_own(cell);
        if own && (known.copies.is_none() || (cell.measured && !known.measured)) {
            (known.copies, known.measured) = (Some(cell.cpu_copies), cell.measured);
        }
        let [hot, cold] = &mut known.dma;
        if own {
            *(if cell.residency == Residency::Hot { hot } else { cold }) = Some(cell.dma_copies);
        }
    }
    for line in proof {
        let known = found.entry(&line.route).or_insert_with(|| unknown(&line.route));
        known.proof = Some(line);
        if line.cpu_copies.is_some() || !line.available {
            (known.copies, known.measured) = (line.cpu_copies, true);
        }
    }
    found.into_values().collect()
}

fn aliasing(known: &[Known<'_>]) -> anyhow::Result<Option<Markup>> {
    let rows: Vec<DotRow> = known
        .iter()
        .filter_map(|known| {
            let (aliased, control) = (known.proof?.aliased?, known.proof?.control);
            let dot = |look: Look, at: f64| Mark { look, at, bar: None };
            let [route, held_against] = PAIR;
            let marks =
                std::iter::once(dot(route, aliased)).chain(control.map(|share| dot(held_against, share)));
            Some(DotRow { name: known.route.to_owned(), marks: marks.collect() })
        })
        .collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let words = Words {
        id: "copies-aliased".to_owned(),
        title: "Bytes that changed with the file after they had been sent".to_owned(),
        description: "A row per route, with the copying control. The table below has the same figures."
            .to_owned(),
    };
    dots(&words, &Panel { axis: Axis::shares("bytes that changed"), rows }).map(Some)
}

fn counts(known: &[Known<'_>]) -> anyhow::Result<Markup> {
    let rows: Vec<DotRow> = known
        .iter()
        .filter_map(|known| {
            let [measured, by_path] = PAIR;
            let look = if known.measured { measured } else { by_path };
            let marks = vec![Mark { look, at: f64::from(known.copies?), bar: None }];
            Some(DotRow { name: known.route.to_owned(), marks })
        })
        .collect();
    let largest = known.iter().filter_map(|known| known.copies).max().unwrap_or(0).max(2);
    let words = Words {
        id: "copies-counted".to_owned(),
        title: "How often the CPU copies each byte on the sending side".to_owned(),
        description: "A row per route. The table below has the same figures.".to_owned(),
    };
    dots(&words, &Panel { axis: Axis::counts("copies by the CPU", largest), rows })
}

fn table(known: &[Known<'_>]) -> Markup {
    let share = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), percent);
    html! {
        table {
            thead { tr {
                th scope="col" { "Route" }
                th.number scope="col" { "CPU copies" }
                th scope="col" { "Known by" }
                @for name in ["Changed", "Control", "Allocated per byte", "Said to be copied", "DMA, hot", "DMA, cold"] {
                    th.number scope="col" { (name) }
                }
            } }
            tbody { @for known in known { tr {
                @let line = known.proof;
                th scope="row" { (known.route) }
                td.number { (known.copies.map_or_else(|| "-".to_owned(), |copies| copies.to_string())) }
                td.words { (how(known)) }
                td.number { (share(line.and_then(|line| line.aliased))) }
                td.number { (share(line.and_then(|line| line.control))) }
                td.number { (line.and_then(|line| line.allocated).map_or_else(|| "-".to_owned(), figure)) }
                td.number { (share(line.and_then(|line| line.reported_copied))) }
                @for dma in known.dma { td.number { (dma.map_or_else(|| "-".to_owned(), |dma| dma.to_string())) } }
            } } }
        }
    }
}

fn how(known: &Known<'_>) -> String {
    match known.proof {
        Some(line) if !line.available => {
            format!("not to be had here: {}", line.why.as_deref().unwrap_or("no reason recorded"))
        }
        Some(ProofLine { how: Some(how), .. }) => how.clone(),
        _ if known.copies.is_none() => "its bytes went another way here".to_owned(),
        _ => (if known.measured { MEASURED } else { BY_PATH }).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{missing, proof, route};

    #[test]
    fn the_proof_goes_before_the_path_and_what_is_missing_has_no_count() {
        let lines = [proof("zerocopy", 0.0), missing("ktls", "no module")];
        let mut cell = route("zerocopy", 1024, 1.0);
        cell.cpu_copies = 0;
        let cells = [cell, route("mmap", 1024, 1.0)];
        let known = known(&lines, &cells);
        let counted: Vec<_> = known.iter().map(|known| (known.route, known.copies, known.measured)).collect();
        assert_eq!(counted, [("ktls", None, true), ("mmap", Some(1), false), ("zerocopy", Some(1), true)]);
        assert_eq!(how(&known[0]), "not to be had here: no module");
        assert_eq!(how(&known[1]), BY_PATH);
    }

    #[test]
    fn a_proof_without_any_test_by_aliasing_has_no_panel_of_it() {
        let page = section(&[missing("ktls", "no module")], &[]).unwrap().0;
        assert!(!page.contains("copies-aliased") && page.contains("no module"));
    }
}
