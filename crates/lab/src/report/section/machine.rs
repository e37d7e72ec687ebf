//! Where and when: no figure means anything without it.

use maud::{Markup, html};

use super::table::scrolling;
use crate::report::Records;
use crate::report::number::{figure, moment, range};
use crate::report::place::{Place, places};
use crate::spread::Spread;

/// So many machines are shown beside each other.
const PLACES_MAX: usize = 8;

/// A column for each machine.
pub(in crate::report) fn section(records: &Records) -> Markup {
    let places = places(records);
    if places.is_empty() {
        return html! {};
    }
    let (shown, left_out) = places.split_at(places.len().min(PLACES_MAX));
    let table = html! {
        table.fit.facts {
            tbody { @for (name, fact) in FACTS { (row(name, shown, fact)) } @for link in links(shown) {
                (row(&format!("Offloads, {link}"), shown, |place| place.offloads.get(link).cloned().unwrap_or_default()))
            } }
        }
    };
    html! {
        section #machine {
            h2 { "Where and when" }
            (scrolling("The machine", &table))
            @if shown.len() > 1 {
                p.note { "These records come from several machines or set-ups. Compare figures within one; between them only ratios." }
            }
            @if !left_out.is_empty() { p.note { (left_out.len()) " more machines are not shown here." } }
            @if records.proof.iter().any(|line| line.machine.is_none()) || records.claims.iter().any(|claim| claim.machine.is_none()) {
                p.note { "Some records of the proof do not say where they were made." }
            }
        }
    }
}

type Fact = fn(&Place<'_>) -> String;

const FACTS: [(&str, Fact); 10] = [
    ("Began", began),
    ("By", |place| place.what.join(", ")),
    ("Kernel", |place| place.machine.kernel.clone()),
    ("CPU", |place| place.machine.cpu.clone()),
    ("CPUs", |place| place.machine.cpus.to_string()),
    ("Memory", |place| format!("{} MiB", place.machine.memory_mib)),
    ("Congestion control", |place| place.machine.congestion_control.clone()),
    ("Congestion control, the system's", |place| place.machine.congestion_control_default.clone()),
    ("File system", |place| place.machine.file_system.clone()),
    ("Load at the beginning", |place| place.load().map_or_else(String::new, load)),
];

/// When it was, from the first run to the last.
fn began(place: &Place<'_>) -> String {
    match place.began.as_slice() {
        [] => String::new(),
        [only] => moment(only),
        [first, .., last] => format!("{} to {}, {} runs", moment(first), moment(last), place.began.len()),
    }
}

fn load(load: Spread) -> String {
    if load.min < load.max { range(load) } else { figure(load.median) }
}

fn row(name: &str, places: &[Place<'_>], fact: impl Fn(&Place<'_>) -> String) -> Markup {
    html! { tr { th scope="row" { (name) } @for place in places { td { (fact(place)) } } } }
}

fn links(places: &[Place<'_>]) -> Vec<&'static str> {
    let mut links: Vec<&str> = places.iter().flat_map(|place| place.offloads.keys().copied()).collect();
    links.sort_unstable();
    links.dedup();
    links
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn a_proof_says_where_it_was_made_and_one_of_an_older_lab_that_it_does_not() {
        let mut records = Records { proof: vec![testing::proof("copy", 0.0)], ..Records::default() };
        let page = section(&records).into_string();
        assert!(page.contains("lab proof") && page.contains("A CPU"), "{page}");
        assert!(!page.contains("do not say where"), "{page}");
        records.claims.push(testing::claim("one", None));
        records.claims[0].machine = None;
        assert!(section(&records).into_string().contains("do not say where"));
    }
}
