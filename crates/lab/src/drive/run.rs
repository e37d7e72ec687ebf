//! A run: case after case over all brokers.
//!
//! ```text
//!   case:  prepare a, b, c | rounds | remove topics | cells
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

use crate::machine;
use crate::record::{DriveCell, Machine};
use crate::watch::Watch;

use super::broker::Broker;
use super::client::{Dial, Error, Stop};
use super::congestion;
use super::load::{cold, prepare};
use super::plan::{Case, Plan};
use super::process;
use super::rounds::{Ended, Entrant, Rounds, short};
use super::tally::Tally;
use super::topic::leftovers;

/// Looks on, and takes what was measured as soon as it is there: a drive may take an hour.
pub trait Audience: Watch {
    /// A case is over: one cell for each broker, in their order.
    fn take(&mut self, cells: &[DriveCell]);

    /// Nothing of a case was measured, because this machine does not let it be, or not the same for all brokers.
    fn skipped(&mut self, case: Case, why: &str) {
        self.note(&format!("{} is skipped: {why}", case.name()));
    }

    /// A broker is measured from now on, in its round of this number (from 1), or in none that counts: all that a round needs and
    /// does not measure is done.
    fn round(&mut self, _number: Option<usize>) {}

    /// What that round measures of the broker is done; what it came to is yet to be read.
    fn round_done(&mut self) {}
}

/// Runs the plan. What was measured before an error, or before it was stopped, is reported all the same, and the
/// topics are removed.
///
/// # Errors
/// The first failure of a broker; [`Error::Stopped`] when `stop` was set.
pub fn run(plan: &Plan, stop: &Stop, audience: &mut dyn Audience) -> Result<()> {
    let dial =
        Dial { congestion_control: plan.congestion_control.clone(), stop: stop.clone(), ..Dial::default() };
    let meet = |target| Broker::meet(target, &dial).with_context(|| format!("broker {target}"));
    let brokers = plan.targets.iter().map(meet).collect::<Result<Vec<_>>>()?;
    let total = plan.cases.len() * brokers.len() * (1 + plan.warm_up + plan.rounds);
    audience.begin(total as u64);
    let mut run = Run { plan, stop, brokers, audience };
    run.say_what_is_found();
    plan.cases.iter().try_for_each(|case| run.case(*case))
}

struct Run<'r> {
    plan: &'r Plan,
    stop: &'r Stop,
    brokers: Vec<Broker>,
    audience: &'r mut dyn Audience,
}

impl Run<'_> {
    /// What is unknown, and what is there that should not be.
    fn say_what_is_found(&mut self) {
        let unknown = |broker: &Broker| {
            let why = broker.process.as_ref().err()?;
            Some(format!("{}: CPU and memory unknown: {why}", broker.name))
        };
        let unknown = self.brokers.iter().filter_map(unknown);
        let notes: Vec<String> = unknown.chain(self.brokers.iter().filter_map(leftovers)).collect();
        notes.into_iter().chain(congestion::warning()).for_each(|note| self.audience.note(&note));
    }

    /// One case over all brokers. Reports what it measured and removes its topics, however it ends.
    fn case(&mut self, case: Case) -> Result<()> {
        if self.skip(case) {
            let steps = self.brokers.len() * (1 + self.plan.warm_up + self.plan.rounds);
            self.audience.skip(steps as u64);
            return Ok(());
        }
        let began = self.machine();
        let mut entrants = Vec::new();
        let ended = self.enter(case, &mut entrants).and_then(|()| {
            let rounds = Rounds { case, plan: self.plan, stop: self.stop };
            rounds.run(&mut entrants, self.audience)
        });
        let counted = entrants.first().map_or(0, |first| first.tally.rounds());
        let short = short(&ended, counted, self.plan.rounds);
        if let (0, Ok(Ended::Short(why))) = (counted, &ended) {
            self.audience.skipped(case, why);
        }
        // A broker without topics holds no log whose place could be seen before.
        let machine = Machine { file_system: self.file_system(), ..began };
        for entrant in &mut entrants {
            if let Err(error) = entrant.load.topic().remove() {
                self.audience.note(&format!("{}: {error}", entrant.broker.name));
            }
        }
        let (first, plan) = (entrants.first(), self.plan);
        let measured = entrants.iter().enumerate().filter(|(_, entrant)| entrant.tally.rounds() > 0);
        let cells = measured.map(|(at, entrant)| {
            let first = first.filter(|_| at > 0).map(|first| &first.tally);
            entrant.tally.cell((case, plan), (&entrant.broker, first), short.as_deref(), &machine)
        });
        self.audience.take(&cells.collect::<Vec<_>>());
        ended.map(|_| ())
    }

    /// This machine, and the network as the drive has it.
    fn machine(&self) -> Machine {
        let here = machine::here(Path::new("/proc/self"));
        let default = here.congestion_control_default.clone();
        let ours = self.brokers.first().map_or(default.as_str(), |broker| &broker.congestion_control);
        here.with_network(ours, &default, &BTreeMap::new())
    }

    /// Where the first broker's log lies, if that can be seen.
    fn file_system(&self) -> String {
        let folder = self.brokers.first().and_then(|broker| process::log_folder(broker.pid()?));
        folder.map_or_else(|| "unknown".to_owned(), |folder| machine::here(&folder).file_system)
    }

    /// Whether a case cannot be measured the same for all brokers; says so.
    fn skip(&mut self, case: Case) -> bool {
        if case != Case::FetchCold {
            return false;
        }
        let chill = |broker: &Broker| cold::can_chill(&broker.process, self.plan.drop_caches);
        let refused =
            self.brokers.iter().find_map(|broker| Some((broker.name.clone(), chill(broker).err()?)));
        let Some((name, why)) = refused else { return false };
        self.audience.skipped(case, &format!("{name}: {why}"));
        true
    }

    fn enter(&mut self, case: Case, entrants: &mut Vec<Entrant>) -> Result<()> {
        for broker in self.brokers.clone() {
            self.audience.step(&format!("{} {}: preparing", case.name(), broker.name));
            let prepared = prepare(case, self.plan, &broker);
            let mut load = prepared.with_context(|| format!("{} of broker {}", case.name(), broker.name))?;
            if broker.pid().is_some() && load.topic().is_spread() {
                let note = format!(
                    "{}: other brokers of its cluster lead some partitions; their CPU is not seen",
                    broker.name
                );
                self.audience.note(&note);
            }
            if self.plan.committed && !broker.has_transactions {
                let note = format!(
                    "{}: it has no transactions: the same records lie there without them",
                    broker.name
                );
                self.audience.note(&note);
            }
            let tally = Tally::with(load.once());
            entrants.push(Entrant { broker, load, tally });
        }
        Ok(())
    }
}

/// Whether a run ended because it was told to.
pub fn was_stopped(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Error>().is_some_and(|error| matches!(error, Error::Stopped))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::testing::{broker, plan};

    /// What it was told.
    #[derive(Default)]
    struct Told {
        skipped: Vec<(Case, String)>,
        notes: Vec<String>,
    }

    impl Watch for Told {
        fn begin(&mut self, _steps: u64) {}

        fn step(&mut self, _what: &str) {}

        fn skip(&mut self, _steps: u64) {}

        fn note(&mut self, line: &str) {
            self.notes.push(line.to_owned());
        }

        fn is_stopped(&self) -> bool {
            false
        }
    }

    impl Audience for Told {
        fn take(&mut self, _cells: &[DriveCell]) {}

        fn skipped(&mut self, case: Case, why: &str) {
            self.skipped.push((case, why.to_owned()));
        }
    }

    #[test]
    fn a_case_that_this_machine_does_not_let_be_measured_is_told_as_that_and_is_no_note() {
        let (plan, stop, mut told) = (plan(Case::FetchCold), Stop::default(), Told::default());
        let mut run = Run { plan: &plan, stop: &stop, brokers: vec![broker("far")], audience: &mut told };
        run.case(Case::FetchCold).unwrap();
        let [(Case::FetchCold, why)] = &told.skipped[..] else { panic!("{:?}", told.skipped) };
        assert!(why.starts_with("far: "), "{why}");
        assert!(told.notes.is_empty(), "{:?}", told.notes);
    }
}
