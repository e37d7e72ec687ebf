//! The rounds of a case, over all brokers.
//!
//! ```text
//!   warm-up: a b c | round 1: a b c | round 2: b c a | round 3: c a b
//! ```
//!
//! Each round begins with another broker, so that none always comes after the same one. A round counts when every
//! broker has run it: all have as many, and each ratio is of two figures of one round.

use std::collections::BTreeSet;

use anyhow::{Context, Result};

use super::broker::Broker;
use super::client::Stop;
use super::load::race::{self, Lap};
use super::load::{Load, Ready};
use super::meter::{Figures, Meter};
use super::plan::{Case, Plan};
use super::process;
use super::run::Audience;
use super::tally::Tally;

/// A broker in a case.
pub(super) struct Entrant {
    pub(super) broker: Broker,
    pub(super) load: Box<dyn Load>,
    pub(super) tally: Tally,
}

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rounds<'r> {
    pub(super) case: Case,
    pub(super) plan: &'r Plan,
    pub(super) stop: &'r Stop,
}

/// How the rounds ended that met with no error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// After the last.
    Whole,
    /// Before it, for this reason.
    Short(String),
}

/// How many rounds counted and why not all, if that is so.
pub(super) fn short(ended: &Result<Ended>, counted: usize, asked: usize) -> Option<String> {
    let why = match ended {
        Ok(Ended::Whole) => return None,
        Ok(Ended::Short(why)) => why.clone(),
        Err(error) => format!("{error:#}"),
    };
    Some(format!("{counted} of {asked} rounds, those that every broker has run: {why}"))
}

/// One round.
enum Round {
    /// Each broker's part of it, with the broker's place.
    Run(Vec<(usize, Part)>),
    /// The broker that cannot run it and why.
    Refused(String),
}

/// A broker's part of a round.
type Part = (Lap, Figures);

impl Rounds<'_> {
    /// Runs them all, and adds up those that count.
    pub(super) fn run(self, entrants: &mut [Entrant], audience: &mut dyn Audience) -> Result<Ended> {
        let steps = self.plan.warm_up + self.plan.rounds;
        for round in 0..steps {
            let parts = match self.round(round, entrants, audience)? {
                Round::Run(parts) => parts,
                Round::Refused(why) => {
                    audience.skip(((steps - round - 1) * entrants.len()) as u64);
                    return Ok(Ended::Short(why));
                }
            };
            if round < self.plan.warm_up {
                continue;
            }
            for (at, (lap, figures)) in parts {
                if let Some(entrant) = entrants.get_mut(at) {
                    entrant.tally.add(&lap, figures);
                }
            }
        }
        Ok(Ended::Whole)
    }

    /// One round, which begins with another broker than the one before.
    fn round(self, round: usize, entrants: &mut [Entrant], audience: &mut dyn Audience) -> Result<Round> {
        let case = self.case.name();
        let number = round.checked_sub(self.plan.warm_up).map(|number| number + 1);
        let which = match number {
            Some(number) => format!("round {number}/{}", self.plan.rounds),
            None => "warm-up".to_owned(),
        };
        let mut parts = Vec::with_capacity(entrants.len());
        for turn in 0..entrants.len() {
            let at = (round + turn) % entrants.len();
            let others = others(entrants, at);
            let Some(entrant) = entrants.get_mut(at) else { continue };
            let name = entrant.broker.name.clone();
            audience.step(&format!("{case} {name}: {which}"));
            let what = || format!("{case} of broker {name}");
            if let Ready::No(why) = entrant.load.before().with_context(what)? {
                audience.skip((entrants.len() - turn - 1) as u64);
                return Ok(Round::Refused(format!("{name}: {why}")));
            }
            if let Some(pid) = entrant.broker.pid().filter(|_| self.case.writes()) {
                process::settle(pid);
            }
            audience.round(number);
            let part = entrant.measure(self.case, &others, self.stop, audience);
            parts.push((at, part.with_context(what)?));
        }
        Ok(Round::Run(parts))
    }
}

/// The processes of all but this one.
fn others(entrants: &[Entrant], at: usize) -> Vec<u32> {
    let own = entrants.get(at).and_then(|entrant| entrant.broker.pid());
    let all: BTreeSet<u32> = entrants.iter().filter_map(|entrant| entrant.broker.pid()).collect();
    all.into_iter().filter(|pid| Some(*pid) != own).collect()
}

impl Entrant {
    /// One round.
    fn measure(
        &mut self,
        case: Case,
        others: &[u32],
        stop: &Stop,
        audience: &mut dyn Audience,
    ) -> Result<Part> {
        let limits = self.load.limits();
        let meter = Meter::start(&self.broker, others)?;
        let lap = race::run(limits, stop, self.load.runners());
        audience.round_done();
        let lap = lap?;
        let mut figures = meter.stop(&lap, case.writes())?;
        figures.extend(self.load.figures());
        Ok((lap, figures))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::time::Duration;

    use super::*;
    use crate::drive::client::Error;
    use crate::drive::latency::Latencies;
    use crate::drive::load::race::{Limits, Runner};
    use crate::drive::testing::{self, broker};
    use crate::drive::topic::Topic;
    use crate::record::DriveCell;
    use crate::watch::Watch;

    /// What happens to a broker in its `at`th round, counted from 0.
    #[derive(Debug, Clone, Copy)]
    enum Fate {
        Well,
        Refuses { at: usize },
        Dies { at: usize },
    }

    /// Does nothing, as its fate has it.
    struct Fake {
        fate: Fate,
        round: usize,
        said: Said,
    }

    /// What happened, in its order.
    type Said = Rc<RefCell<Vec<String>>>;

    impl Load for Fake {
        fn before(&mut self) -> crate::drive::client::Result<Ready> {
            let round = self.round;
            self.round += 1;
            self.said.borrow_mut().push("made ready".to_owned());
            match self.fate {
                Fate::Refuses { at } if at == round => Ok(Ready::No("it is mapped".to_owned())),
                Fate::Dies { at } if at == round => Err(Error::Stopped),
                _ => Ok(Ready::Yes),
            }
        }

        fn limits(&self) -> Limits {
            Limits { lead_in: Duration::ZERO, length: Duration::from_hours(1), bytes: u64::MAX }
        }

        fn runners(&mut self) -> Vec<Runner<'_>> {
            self.said.borrow_mut().push("runs".to_owned());
            vec![Box::new(|_| Ok(Latencies::default()))]
        }

        fn topic(&mut self) -> &mut Topic {
            unreachable!("the rounds leave topics alone")
        }
    }

    /// Steps done and skipped, and when rounds begin.
    #[derive(Default)]
    struct Steps(u64, Said);

    impl Watch for Steps {
        fn begin(&mut self, _steps: u64) {}

        fn step(&mut self, _what: &str) {
            self.0 += 1;
        }

        fn skip(&mut self, steps: u64) {
            self.0 += steps;
        }

        fn note(&mut self, _line: &str) {}

        fn is_stopped(&self) -> bool {
            false
        }
    }

    impl Audience for Steps {
        fn take(&mut self, _cells: &[DriveCell]) {}

        fn round(&mut self, number: Option<usize>) {
            self.1.borrow_mut().push(number.map_or_else(|| "warm-up".to_owned(), |at| format!("round {at}")));
        }

        fn round_done(&mut self) {
            self.1.borrow_mut().push("is done".to_owned());
        }
    }

    fn entrant(name: &str, fate: Fate, said: &Said) -> Entrant {
        Entrant {
            broker: broker(name),
            load: Box::new(Fake { fate, round: 0, said: Rc::clone(said) }),
            tally: Tally::default(),
        }
    }

    const ROUNDS: usize = 3;

    fn plan() -> Plan {
        Plan { rounds: ROUNDS, ..testing::plan(Case::FetchCold) }
    }

    /// How the rounds of a broker that fares well and of one that does not end, the rounds that count of each, and the
    /// steps done or skipped.
    fn run(fate: Fate) -> (Result<Ended>, Vec<usize>, u64) {
        let (plan, stop) = (plan(), Stop::default());
        let mut steps = Steps::default();
        let said = Rc::clone(&steps.1);
        let mut entrants = [entrant("well", Fate::Well, &said), entrant("ill", fate, &said)];
        let ended = Rounds { case: Case::FetchCold, plan: &plan, stop: &stop }.run(&mut entrants, &mut steps);
        (ended, entrants.iter().map(|entrant| entrant.tally.rounds()).collect(), steps.0)
    }

    #[test]
    fn a_round_is_told_to_begin_when_all_before_it_is_done_and_to_be_over_with_what_it_measures() {
        let (plan, stop, mut steps) = (plan(), Stop::default(), Steps::default());
        let said = Rc::clone(&steps.1);
        let mut alone = [entrant("well", Fate::Well, &said)];
        Rounds { case: Case::FetchCold, plan: &plan, stop: &stop }.run(&mut alone, &mut steps).unwrap();
        let rounds = ["warm-up", "round 1", "round 2", "round 3"];
        let expected: Vec<_> =
            rounds.iter().flat_map(|begins| ["made ready", begins, "runs", "is done"]).collect();
        assert_eq!(*said.borrow(), expected);
    }

    #[test]
    fn a_round_that_a_broker_cannot_run_counts_for_none() {
        for at in 0..=ROUNDS {
            let counted = at.saturating_sub(1);
            let (ended, rounds, steps) = run(Fate::Refuses { at });
            assert_eq!(rounds, [counted; 2], "refused in round {at}");
            assert_eq!(steps, 2 * (1 + ROUNDS as u64), "refused in round {at}");
            let said = short(&ended, counted, ROUNDS).unwrap();
            assert!(
                said.starts_with(&format!("{counted} of 3 rounds")) && said.ends_with("ill: it is mapped")
            );
        }
    }

    #[test]
    fn a_round_in_which_a_broker_dies_counts_for_none() {
        for at in 1..=ROUNDS {
            let (ended, rounds, _) = run(Fate::Dies { at });
            assert_eq!(rounds, [at - 1; 2], "died in round {at}");
            let said = short(&ended, at - 1, ROUNDS).unwrap();
            assert!(said.contains("fetch-cold of broker ill") && said.ends_with("stopped"), "{said}");
        }
    }

    #[test]
    fn whole_rounds_need_no_words() {
        let (ended, rounds, steps) = run(Fate::Well);
        assert_eq!((rounds, steps), (vec![ROUNDS; 2], 2 * (1 + ROUNDS as u64)));
        assert_eq!(short(&ended, ROUNDS, ROUNDS), None);
    }
}
