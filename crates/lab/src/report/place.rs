//! Where and when: the machines that the records come from.
//!
//! Records of one machine may come from several runs, `lab drive` even begins anew with every case; what they share is
//! shown once.

use std::collections::BTreeMap;

use super::Records;
use super::setting::link;
use crate::record::{Link, Machine};
use crate::spread::Spread;

/// One machine, in one set-up.
#[derive(Debug)]
pub(super) struct Place<'a> {
    /// As the first record has it.
    pub(super) machine: &'a Machine,
    /// Which commands recorded something there.
    pub(super) what: Vec<&'static str>,
    /// Offloads by link, in words.
    pub(super) offloads: BTreeMap<&'static str, String>,
    /// The beginnings of its runs, ascending, each once.
    pub(super) began: Vec<&'a str>,
    loads: Vec<f64>,
}

impl<'a> Place<'a> {
    fn of(machine: &'a Machine) -> Self {
        Self { machine, what: Vec::new(), offloads: BTreeMap::new(), began: Vec::new(), loads: Vec::new() }
    }

    /// The load at the beginnings.
    pub(super) fn load(&self) -> Option<Spread> {
        Spread::of(&self.loads)
    }
}

/// The places, in the order in which they were recorded.
pub(super) fn places(records: &Records) -> Vec<Place<'_>> {
    let routes = records.routes.iter().map(|cell| ("lab routes", link(cell.link), &cell.machine));
    let lines = records
        .proof
        .iter()
        .map(|line| &line.machine)
        .chain(records.claims.iter().map(|claim| &claim.machine));
    let proof = lines.flatten().map(|machine| ("lab proof", link(Link::Loopback), machine));
    let drive = records.drive.iter().map(|cell| ("lab drive", "brokers", &cell.machine));
    let mut found: Vec<Place<'_>> = Vec::new();
    for (what, link, machine) in routes.chain(proof).chain(drive) {
        if let Some(place) = found.iter_mut().find(|place| same(place.machine, machine)) {
            add(place, what, link, machine);
        } else {
            let mut place = Place::of(machine);
            add(&mut place, what, link, machine);
            found.push(place);
        }
    }
    found
}

fn add<'a>(place: &mut Place<'a>, what: &'static str, link: &'static str, machine: &'a Machine) {
    if !place.what.contains(&what) {
        place.what.push(what);
    }
    if let Err(at) = place.began.binary_search(&machine.began.as_str()) {
        place.began.insert(at, &machine.began);
        place.loads.push(machine.load);
    }
    if !machine.offloads.is_empty() {
        place.offloads.entry(link).or_insert_with(|| offloads(machine));
    }
}

/// Whether they differ in nothing but the moment and the link.
fn same(one: &Machine, other: &Machine) -> bool {
    fn fixed(machine: &Machine) -> ([&str; 5], usize, u64) {
        let Machine { kernel, cpu, congestion_control, congestion_control_default, file_system, .. } =
            machine;
        let words = [kernel, cpu, congestion_control, congestion_control_default, file_system];
        (words.map(String::as_str), machine.cpus, machine.memory_mib)
    }
    fixed(one) == fixed(other)
}

fn offloads(machine: &Machine) -> String {
    let words: Vec<String> = machine.offloads.iter().map(|(name, state)| format!("{name} {state}")).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{drive, route};

    #[test]
    fn a_machine_stands_once_with_all_its_runs_and_links() {
        let mut other = route("copy", 1024, 0.1);
        other.link = Link::VethNosg;
        other.machine.offloads.insert("scatter-gather".into(), "off".into());
        let mut later = drive("one", "produce", 1.0);
        later.machine.began = "2026-01-02T04:00:00Z".into();
        later.machine.load = 2.5;
        let records = Records {
            routes: vec![route("copy", 1024, 0.1), other],
            drive: vec![later],
            ..Records::default()
        };
        let places = places(&records);
        assert_eq!(places.len(), 1);
        assert_eq!(places[0].what, ["lab routes", "lab drive"]);
        assert_eq!(places[0].began, ["2026-01-02T03:04:05Z", "2026-01-02T04:00:00Z"]);
        assert_eq!(places[0].load().map(|load| (load.min, load.max)), Some((0.5, 2.5)));
        assert!(places[0].offloads["veth pair without scatter-gather"].contains("scatter-gather off"));
    }

    #[test]
    fn another_congestion_control_is_another_place() {
        let mut other = route("copy", 1024, 0.1);
        other.machine.congestion_control = "bbr".into();
        let records = Records { routes: vec![route("copy", 1024, 0.1), other], ..Records::default() };
        assert_eq!(places(&records).len(), 2);
    }
}
