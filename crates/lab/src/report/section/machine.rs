//! Where and when: no figure means anything without it.

use maud::{Markup, html};

use super::table::scrolling;
use crate::report::Records;
use crate::report::number::figure;
use crate::report::run::{Run, runs};

/// So many runs are shown beside each other.
const RUNS_MAX: usize = 8;

/// The machine of each run, a column for each.
pub(in crate::report) fn section(records: &Records) -> Markup {
    let runs = runs(records);
    if runs.is_empty() {
        return html! {};
    }
    let (shown, left_out) = runs.split_at(runs.len().min(RUNS_MAX));
    let table = html! {
        table.facts {
            tbody { @for (name, fact) in FACTS { (row(name, shown, fact)) } @for link in links(shown) {
                (row(&format!("Offloads, {link}"), shown, |run| run.offloads.get(link).cloned().unwrap_or_default()))
            } }
        }
    };
    html! {
        section #machine {
            h2 { "Where and when" }
            (scrolling("The machine", &table))
            @if shown.len() > 1 {
                p.note { "These records come from several runs. Compare figures within a run; between runs only ratios." }
            }
            @if !left_out.is_empty() { p.note { (left_out.len()) " more runs are not shown here." } }
            @if !records.proof.is_empty() || !records.claims.is_empty() {
                p.note { "The records of the proof do not say where they were made." }
            }
        }
    }
}

type Fact = fn(&Run<'_>) -> String;

const FACTS: [(&str, Fact); 10] = [
    ("Began", |run| run.machine.began.clone()),
    ("By", |run| run.what.join(", ")),
    ("Kernel", |run| run.machine.kernel.clone()),
    ("CPU", |run| run.machine.cpu.clone()),
    ("CPUs", |run| run.machine.cpus.to_string()),
    ("Memory", |run| format!("{} MiB", run.machine.memory_mib)),
    ("Congestion control", |run| run.machine.congestion_control.clone()),
    ("Congestion control, the system's", |run| run.machine.congestion_control_default.clone()),
    ("File system", |run| run.machine.file_system.clone()),
    ("Load at the beginning", |run| figure(run.machine.load)),
];

fn row(name: &str, runs: &[Run<'_>], fact: impl Fn(&Run<'_>) -> String) -> Markup {
    html! { tr { th scope="row" { (name) } @for run in runs { td { (fact(run)) } } } }
}

fn links(runs: &[Run<'_>]) -> Vec<&'static str> {
    let mut links: Vec<&str> = runs.iter().flat_map(|run| run.offloads.keys().copied()).collect();
    links.sort_unstable();
    links.dedup();
    links
}
