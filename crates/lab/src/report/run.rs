//! Where and when: the runs that the records come from.

use std::collections::BTreeMap;

use super::Records;
use super::setting::link;
use crate::record::Machine;

/// One run.
#[derive(Debug)]
pub(super) struct Run<'a> {
    /// The machine, as the first record of the run has it.
    pub(super) machine: &'a Machine,
    /// Which commands recorded something in it.
    pub(super) what: Vec<&'static str>,
    /// Offloads by link, in words.
    pub(super) offloads: BTreeMap<&'static str, String>,
}

/// The runs by their beginning.
pub(super) fn runs(records: &Records) -> Vec<Run<'_>> {
    let routes = records.routes.iter().map(|cell| ("lab routes", link(cell.link), &cell.machine));
    let drive = records.drive.iter().map(|cell| ("lab drive", "brokers", &cell.machine));
    let mut found: BTreeMap<&str, Run<'_>> = BTreeMap::new();
    for (what, link, machine) in routes.chain(drive) {
        let run = found.entry(&machine.began).or_insert_with(|| Run {
            machine,
            what: Vec::new(),
            offloads: BTreeMap::new(),
        });
        if !run.what.contains(&what) {
            run.what.push(what);
        }
        if !machine.offloads.is_empty() {
            run.offloads.entry(link).or_insert_with(|| offloads(machine));
        }
    }
    found.into_values().collect()
}

fn offloads(machine: &Machine) -> String {
    let words: Vec<String> = machine.offloads.iter().map(|(name, state)| format!("{name} {state}")).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Link;
    use crate::report::testing::route;

    #[test]
    fn a_run_has_the_offloads_of_each_of_its_links() {
        let mut other = route("copy", 1024, 0.1);
        other.link = Link::VethNosg;
        other.machine.offloads.insert("scatter-gather".into(), "off".into());
        let records = Records { routes: vec![route("copy", 1024, 0.1), other], ..Records::default() };
        let runs = runs(&records);
        assert_eq!(runs.len(), 1);
        assert_eq!(runs[0].what, ["lab routes"]);
        assert_eq!(runs[0].offloads.len(), 2);
        assert!(runs[0].offloads["veth pair without scatter-gather"].contains("scatter-gather off"));
    }
}
