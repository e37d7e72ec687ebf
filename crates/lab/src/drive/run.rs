//! A run: case after case over all brokers.
//!
//! ```text
//!   case:  meet whoever is not there | prepare a, b, c | rounds | remove topics | cells
//! ```
//!
//! A broker that fails is left out of the rest of its case, and met anew for the next one. A run ends when nobody is left in a case.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, anyhow};

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
use super::topic::{Topic, leftovers};

/// Looks on, and takes what was measured as soon as it is there: a drive may take an hour.
pub trait Audience: Watch {
    /// A case is over: one cell for each broker, in their order.
    fn take(&mut self, cells: &[DriveCell]);

    /// Nothing of a case was measured, because this machine does not let it be, or not the same for all brokers.
    fn skipped(&mut self, case: Case, why: &str) {
        self.note(&format!("{} is skipped: {why}", case.name()));
    }

    /// A broker could not be met or has failed, for this reason, and is left out of the rest of the case; others go on.
    fn failed(&mut self, why: &str) {
        self.note(&format!("{why}; it is left out of the rest of the case"));
    }

    /// A broker is measured from now on, in its round of this number (from 1), or in one to warm up or to count its calls: all
    /// that a round needs and does not measure is done.
    fn round(&mut self, _number: Option<usize>) {}

    /// What that round measures of the broker is done; what it came to is yet to be read.
    fn round_done(&mut self) {}
}

/// Runs the plan. What was measured before an error, or before it was stopped, is reported all the same, and the
/// topics are removed. Who fails keeps nobody else from being measured.
///
/// # Errors
/// The failures of brokers, all in one; [`Error::Stopped`] when `stop` was set.
pub fn run(plan: &Plan, stop: &Stop, audience: &mut dyn Audience) -> Result<()> {
    let dial =
        Dial { congestion_control: plan.congestion_control.clone(), stop: stop.clone(), ..Dial::default() };
    let total = plan.cases.len() * plan.targets.len() * steps(plan);
    audience.begin(total as u64);
    if let Some(note) = congestion::warning() {
        audience.note(&note);
    }
    let brokers = plan.targets.iter().map(|_| None).collect();
    let mut run = Run { plan, stop, dial, brokers, failures: Vec::new(), audience };
    for case in &plan.cases {
        run.case(*case)?;
        if run.is_deserted() {
            break;
        }
    }
    in_one(run.failures)
}

/// Those of a broker in a case: it is prepared, then come the rounds.
fn steps(plan: &Plan) -> usize {
    1 + plan.warm_up_max() + plan.rounds + plan.count_rounds
}

/// All failures there were as one, if there were any.
fn in_one(mut failures: Vec<anyhow::Error>) -> Result<()> {
    if failures.len() > 1 {
        let words: Vec<String> = failures.iter().map(|error| format!("{error:#}")).collect();
        return Err(anyhow!(words.join("; ")));
    }
    failures.pop().map_or(Ok(()), Err)
}

struct Run<'r> {
    plan: &'r Plan,
    stop: &'r Stop,
    dial: Dial,
    /// Of each target: the broker, unless it was not met yet or has failed since.
    brokers: Vec<Option<Broker>>,
    failures: Vec<anyhow::Error>,
    audience: &'r mut dyn Audience,
}

impl Run<'_> {
    /// Whether nobody is there to be measured.
    fn is_deserted(&self) -> bool {
        self.brokers.iter().all(Option::is_none)
    }

    /// Meets whoever is not there: everybody at first, later those who failed in the case before.
    fn meet(&mut self) -> Result<()> {
        let mut failed = Vec::new();
        for (target, broker) in self.plan.targets.iter().zip(&mut self.brokers) {
            if broker.is_some() {
                continue;
            }
            match Broker::meet(target, &self.dial).with_context(|| format!("broker {target}")) {
                Ok(met) => {
                    for note in found(&met) {
                        self.audience.note(&note);
                    }
                    *broker = Some(met);
                }
                Err(error) if was_stopped(&error) => return Err(error),
                Err(error) => failed.push(error),
            }
        }
        self.audience.skip((failed.len() * steps(self.plan)) as u64);
        self.keep(failed);
        Ok(())
    }

    /// Keeps failures; tells them where others go on. Of the last one the error tells.
    fn keep(&mut self, failed: Vec<anyhow::Error>) {
        if !self.is_deserted() {
            for error in &failed {
                self.audience.failed(&format!("{error:#}"));
            }
        }
        self.failures.extend(failed);
    }

    /// A broker has failed: it has to be met anew.
    fn lose(&mut self, at: usize) {
        if let Some(broker) = self.brokers.get_mut(at) {
            *broker = None;
        }
    }

    /// One case over all brokers. Reports what it measured and removes its topics, however it ends. An error is that of a run that
    /// was stopped.
    fn case(&mut self, case: Case) -> Result<()> {
        self.meet()?;
        if self.is_deserted() {
            return Ok(());
        }
        if self.skip(case) {
            let steps = self.brokers.iter().flatten().count() * steps(self.plan);
            self.audience.skip(steps as u64);
            return Ok(());
        }
        let began = self.machine();
        let mut entrants = Vec::new();
        let ended = self.enter(case, &mut entrants).and_then(|()| {
            let rounds = Rounds { case, plan: self.plan, stop: self.stop };
            rounds.run(&mut entrants, self.audience)
        });
        let counted = entrants.iter().map(|entrant| entrant.tally.rounds()).max();
        if let (Some(0), Ok(Ended::Short(why))) = (counted, &ended) {
            self.audience.skipped(case, why);
        }
        // A broker without topics holds no log whose place could be seen before.
        let machine = Machine { file_system: file_system(&entrants), ..began };
        for entrant in &mut entrants {
            if let Err(error) = entrant.load.topic().remove() {
                self.audience.note(&format!("{}: {error}", entrant.broker.name));
            }
        }
        let cells = cells((case, self.plan), &entrants, &ended, &machine);
        self.audience.take(&cells);
        for Entrant { at, failed, .. } in entrants {
            if let Some(error) = failed {
                self.lose(at);
                self.failures.push(error);
            }
        }
        ended.map(|_| ())
    }

    /// This machine, and the network as the drive has it.
    fn machine(&self) -> Machine {
        let here = machine::here(Path::new("/proc/self"));
        let default = here.congestion_control_default.clone();
        let first = self.brokers.iter().flatten().next();
        let ours = first.map_or(default.as_str(), |broker| &broker.congestion_control);
        here.with_network(ours, &default, &BTreeMap::new())
    }

    /// Whether a case cannot be measured the same for all brokers; says so.
    fn skip(&mut self, case: Case) -> bool {
        if case != Case::FetchCold {
            return false;
        }
        let chill = |broker: &Broker| cold::can_chill(&broker.process, self.plan.drop_caches);
        let refused = self
            .brokers
            .iter()
            .flatten()
            .find_map(|broker| Some((broker.name.clone(), chill(broker).err()?)));
        let Some((name, why)) = refused else { return false };
        self.audience.skipped(case, &format!("{name}: {why}"));
        true
    }

    /// Prepares the case on everybody who is there.
    fn enter(&mut self, case: Case, entrants: &mut Vec<Entrant>) -> Result<()> {
        let mut failed = Vec::new();
        for (at, broker) in self.brokers.clone().into_iter().enumerate() {
            let Some(broker) = broker else { continue };
            self.audience.step(&format!("{} {}: preparing", case.name(), broker.name));
            let prepared = prepare(case, self.plan, &broker);
            match prepared.with_context(|| format!("{} of broker {}", case.name(), broker.name)) {
                Ok(mut load) => {
                    for note in known(&broker, self.plan, load.topic()) {
                        self.audience.note(&note);
                    }
                    let tally = Tally::with(load.once());
                    entrants.push(Entrant { at, broker, load, tally, failed: None });
                }
                Err(error) if self.stop.is_set() || was_stopped(&error) => return Err(error),
                Err(error) => {
                    self.lose(at);
                    failed.push(error);
                }
            }
        }
        self.audience.skip((failed.len() * (steps(self.plan) - 1)) as u64);
        self.keep(failed);
        Ok(())
    }
}

/// What is unknown of a broker, and what is there that should not be.
fn found(broker: &Broker) -> Vec<String> {
    let unknown = broker.process.as_ref().err();
    let unknown = unknown.map(|why| format!("{}: CPU and memory unknown: {why}", broker.name));
    unknown.into_iter().chain(leftovers(broker)).collect()
}

/// What of a case cannot be seen of this broker, or is another thing there.
fn known(broker: &Broker, plan: &Plan, topic: &Topic) -> Vec<String> {
    let name = &broker.name;
    let spread = (broker.pid().is_some() && topic.is_spread())
        .then(|| format!("{name}: other brokers of its cluster lead some partitions; their CPU is not seen"));
    let bare = (plan.committed && !broker.has_transactions)
        .then(|| format!("{name}: it has no transactions: the same records lie there without them"));
    spread.into_iter().chain(bare).collect()
}

/// Where the log of the first that is there lies, if that can be seen.
fn file_system(entrants: &[Entrant]) -> String {
    let first = entrants.iter().find(|entrant| entrant.failed.is_none());
    let folder = first.and_then(|first| process::log_folder(first.broker.pid()?));
    folder.map_or_else(|| "unknown".to_owned(), |folder| machine::here(&folder).file_system)
}

/// What the rounds that counted came to; compared with the first target where that is among them.
fn cells(
    of: (Case, &Plan),
    entrants: &[Entrant],
    ended: &Result<Ended>,
    machine: &Machine,
) -> Vec<DriveCell> {
    let first = entrants.first().filter(|first| first.at == 0);
    let cell = |entrant: &Entrant| {
        let Entrant { at, broker, tally, failed, .. } = entrant;
        let short = short(failed.as_ref(), ended, tally.rounds(), of.1.rounds);
        let first = first.filter(|_| *at > 0).map(|first| &first.tally);
        tally.cell(of, (broker, first), short.as_deref(), machine)
    };
    entrants.iter().filter(|entrant| entrant.tally.rounds() > 0).map(cell).collect()
}

/// Whether a run ended because it was told to.
pub fn was_stopped(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Error>().is_some_and(|error| matches!(error, Error::Stopped))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::Target;
    use crate::drive::testing::{broker, plan};

    /// What it was told.
    #[derive(Default)]
    struct Told {
        skipped: Vec<(Case, String)>,
        notes: Vec<String>,
        failed: Vec<String>,
        steps: u64,
    }

    impl Watch for Told {
        fn skip(&mut self, steps: u64) {
            self.steps += steps;
        }

        fn note(&mut self, line: &str) {
            self.notes.push(line.to_owned());
        }
    }

    impl Audience for Told {
        fn take(&mut self, _cells: &[DriveCell]) {}

        fn skipped(&mut self, case: Case, why: &str) {
            self.skipped.push((case, why.to_owned()));
        }

        fn failed(&mut self, why: &str) {
            self.failed.push(why.to_owned());
        }
    }

    /// Where nothing listens.
    fn nobody(name: &str) -> Target {
        Target { name: name.to_owned(), host: "127.0.0.1".to_owned(), port: 1, pid: None }
    }

    #[test]
    fn a_case_that_this_machine_does_not_let_be_measured_is_told_as_that_and_is_no_note() {
        let (plan, stop, mut told) = (plan(Case::FetchCold), Stop::default(), Told::default());
        let brokers = vec![Some(broker("far"))];
        let (dial, failures) = (Dial::default(), Vec::new());
        let mut run = Run { plan: &plan, stop: &stop, dial, brokers, failures, audience: &mut told };
        run.case(Case::FetchCold).unwrap();
        let [(Case::FetchCold, why)] = &told.skipped[..] else { panic!("{:?}", told.skipped) };
        assert!(why.starts_with("far: "), "{why}");
        assert!(told.notes.is_empty(), "{:?}", told.notes);
    }
    #[test]
    fn a_broker_that_is_alone_fails_with_its_own_error_and_is_left_out_of_nothing() {
        let (targets, mut told) = (vec![nobody("alone")], Told::default());
        let alone = Plan { targets, cases: Case::ALL.to_vec(), ..plan(Case::Produce) };
        let error = run(&alone, &Stop::default(), &mut told).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(Error::NoBroker { .. })), "{error:?}");
        assert!(format!("{error:#}").starts_with("broker alone: no broker at "), "{error:#}");
        assert!(told.failed.is_empty() && told.notes.iter().all(|note| !note.contains("alone")));
        assert_eq!(told.steps, 3, "no second case is tried");
    }

    #[test]
    fn who_cannot_be_met_is_told_with_all_others() {
        let (targets, mut told) = (vec![nobody("one"), nobody("other")], Told::default());
        let both = Plan { targets, ..plan(Case::Produce) };
        let error = format!("{:#}", run(&both, &Stop::default(), &mut told).unwrap_err());
        assert!(error.starts_with("broker one: ") && error.contains("; broker other: "), "{error}");
        assert!(told.failed.is_empty(), "nobody goes on: {:?}", told.failed);
    }
}
