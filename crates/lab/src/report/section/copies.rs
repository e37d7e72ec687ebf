//! Which route copies: what was measured, and what only follows from the path.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::table::scrolling;
use crate::record::{Link, ProofLine, Residency, RouteCell};
use crate::report::looks::{Look, PAIR};
use crate::report::number::{figure, percent};
use crate::report::plot::{Axis, DotRow, Mark, Panel, Words, dots, key};
use crate::report::setting::{is_own, link};

/// What the marks of the two plots stand for.
const TESTED: [&str; 2] = ["the route", "the copying control: must be 0"];
/// The link of the proof, whose lines name none.
const PROVED_OVER: Link = Link::Loopback;
const MEASURED: &str = "measured here";
const BY_PATH: &str = "follows from the path";

/// What is known of a route's copies over one link.
struct Known<'a> {
    route: &'a str,
    link: Link,
    /// Several where it depends on the size; none where nothing is known.
    copies: BTreeSet<u8>,
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
    let links: BTreeSet<Link> = known.iter().map(|known| known.link).collect();
    let counted = links.into_iter().map(|link| counts(&known, link)).collect::<anyhow::Result<Vec<_>>>()?;
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
                    @for panel in &counted { div { (panel) (of_copies) } }
                }
            }
            p.note { "DMA is what a disk moves into memory; what a network card moves is the same for every route." }
            (scrolling("Which route copies", &table(&known)))
        }
    })
}

fn known<'a>(proof: &'a [ProofLine], cells: &'a [RouteCell]) -> Vec<Known<'a>> {
    let mut found: BTreeMap<(&str, Link), Known<'a>> = BTreeMap::new();
    let unknown = |(route, link)| Known {
        route,
        link,
        copies: BTreeSet::new(),
        measured: false,
        proof: None,
        dma: [None; 2],
    };
    for cell in cells {
        let key = (&*cell.route, cell.link);
        let known = found.entry(key).or_insert_with(|| unknown(key));
        let own = is_own(cell);
        if own {
            known.learn(cell.cpu_copies, cell.measured);
        }
        let [hot, cold] = &mut known.dma;
        if own {
            *(if cell.residency == Residency::Hot { hot } else { cold }) = Some(cell.dma_copies);
        }
    }
    for line in proof {
        let key = (&*line.route, PROVED_OVER);
        let known = found.entry(key).or_insert_with(|| unknown(key));
        known.proof = Some(line);
        match line.cpu_copies {
            Some(copies) => known.learn(copies, line.is_measured()),
            None if !line.available => (known.copies, known.measured) = (BTreeSet::new(), true),
            None => {}
        }
    }
    found.into_values().collect()
}

impl Known<'_> {
    /// What was measured takes the place of what only follows from the path.
    fn learn(&mut self, copies: u8, measured: bool) {
        if measured && !self.measured {
            self.copies.clear();
            self.measured = true;
        }
        if measured == self.measured {
            self.copies.insert(copies);
        }
    }

    /// `1`, or `0 or 1` where it depends on the size.
    fn told(&self) -> String {
        let each: Vec<String> = self.copies.iter().map(u8::to_string).collect();
        if each.is_empty() { "-".to_owned() } else { each.join(" or ") }
    }
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

fn counts(known: &[Known<'_>], over: Link) -> anyhow::Result<Markup> {
    let [measured, by_path] = PAIR;
    let row = |known: &Known<'_>| {
        let look = if known.measured { measured } else { by_path };
        let mark = |copies: &u8| Mark { look, at: f64::from(*copies), bar: None };
        let marks = known.copies.iter().map(mark).collect();
        DotRow { name: known.route.to_owned(), marks }
    };
    let counted = known.iter().filter(|known| known.link == over && !known.copies.is_empty());
    let rows: Vec<DotRow> = counted.map(row).collect();
    let largest = known.iter().filter_map(|known| known.copies.last().copied()).max().unwrap_or(0).max(2);
    let over = link(over);
    let words = Words {
        id: format!("copies-counted-{}", over.replace(' ', "-")),
        title: format!("How often the CPU copies each byte on the sending side: {over}"),
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
                th scope="col" { "Link" }
                th.number scope="col" { "CPU copies" }
                th scope="col" { "Known by" }
                @for name in ["Changed", "Control", "Allocated per byte", "Said to be copied", "DMA, hot", "DMA, cold"] {
                    th.number scope="col" { (name) }
                }
            } }
            tbody { @for known in known { tr {
                @let line = known.proof;
                th scope="row" { (known.route) }
                td { (link(known.link)) }
                td.number { (known.told()) }
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
    let by_cells = || (if known.measured { MEASURED } else { BY_PATH }).to_owned();
    let (how, why) = known.proof.map_or((None, None), |line| (line.how.as_deref(), line.why.as_deref()));
    match (how, why) {
        (Some(how), None) => how.to_owned(),
        (Some(how), Some(why)) => format!("{how}; {why}"),
        (None, why) if known.proof.is_some_and(|line| !line.available) => {
            format!("not to be had here: {}", why.unwrap_or("no reason recorded"))
        }
        (None, Some(why)) if known.copies.is_empty() => why.to_owned(),
        (None, Some(why)) => format!("{}; the proof {why}", by_cells()),
        (None, None) if known.copies.is_empty() => "its bytes went another way here".to_owned(),
        (None, None) => by_cells(),
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
        let counted: Vec<_> = known.iter().map(|known| (known.route, known.told(), known.measured)).collect();
        let told = |route, copies: &str, measured| (route, copies.to_owned(), measured);
        assert_eq!(counted, [told("ktls", "-", true), told("mmap", "1", false), told("zerocopy", "1", true)]);
        assert_eq!(how(&known[0]), "not to be had here: no module");
        assert_eq!(how(&known[1]), BY_PATH);
    }

    #[test]
    fn what_could_not_be_tried_or_is_in_doubt_says_why_and_is_not_called_missing() {
        let why = |why: &str| Some(why.to_owned());
        let untried = ProofLine { available: true, ..missing("splice", "could not be tried: disk full") };
        let doubted = ProofLine { why: why("the witnesses contradict each other"), ..proof("sendfile", 1.0) };
        let lines = [doubted, untried];
        let known = known(&lines, &[]);
        assert_eq!(how(&known[0]), "aliasing; the witnesses contradict each other");
        assert_eq!((known[1].told(), how(&known[1])), ("-".into(), "could not be tried: disk full".into()));
        let cells = [cell(Link::Loopback, 1024, 0)];
        let lines = [ProofLine { route: "sendfile".into(), ..lines[1].clone() }];
        let known = super::known(&lines, &cells);
        assert_eq!(how(&known[0]), "measured here; the proof could not be tried: disk full");
    }

    #[test]
    fn a_proof_without_any_test_by_aliasing_has_no_panel_of_it() {
        let page = section(&[missing("ktls", "no module")], &[]).unwrap().0;
        assert!(!page.contains("copies-aliased") && page.contains("no module"));
    }

    /// A measured cell of one size over one link.
    fn cell(over: Link, bytes: u64, cpu_copies: u8) -> RouteCell {
        RouteCell { link: over, cpu_copies, measured: true, ..route("sendfile", bytes, 1.0) }
    }

    #[test]
    fn a_route_that_copies_over_one_link_only_has_a_row_for_each() {
        let cells = [cell(Link::Loopback, 1024, 0), cell(Link::VethNosg, 1024, 1)];
        let lines = [proof("sendfile", 1.0)];
        let known = known(&lines, &cells);
        let rows: Vec<_> =
            known.iter().map(|known| (known.link, known.told(), known.proof.is_some())).collect();
        let expected = [(Link::Loopback, "0".to_owned(), true), (Link::VethNosg, "1".to_owned(), false)];
        assert_eq!(rows, expected);
        let page = section(&lines, &cells).unwrap().0;
        assert!(page.contains("side: loopback") && page.contains("side: veth pair without scatter-gather"));
    }

    #[test]
    fn copies_that_depend_on_the_size_are_all_told() {
        let cells = [cell(Link::Loopback, 1024, 1), cell(Link::Loopback, 1 << 20, 0)];
        assert_eq!(known(&[], &cells)[0].told(), "0 or 1");
    }
}
