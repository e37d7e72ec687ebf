//! The rounds of a case, over all brokers.
//!
//! ```text
//!   warm-up: a b c | round 1: a b c | round 2: b c a | round 3: c a b | calls are counted: a b c
//! ```
//!
//! Each round begins with another broker, so that none always comes after the same one. A round counts when every
//! broker has run it: all have as many, and each ratio is of two figures of one round. One that fails has those before
//! it alone, and the others go on without it. Rounds in which calls are counted give those and nothing else.

use std::collections::BTreeSet;

use anyhow::{Context, Result};

use super::broker::Broker;
use super::calls::{Calls, Counted};
use super::client::Stop;
use super::load::race::{self, Lap};
use super::load::{Load, Ready};
use super::meter::{Figures, Meter};
use super::plan::{Case, Plan};
use super::process;
use super::run::{Audience, was_stopped};
use super::tally::Tally;

/// A broker in a case.
pub(super) struct Entrant {
    /// Its place among the targets.
    pub(super) at: usize,
    pub(super) broker: Broker,
    pub(super) load: Box<dyn Load>,
    pub(super) tally: Tally,
    /// Why it is left out of the rounds that are left, if it is.
    pub(super) failed: Option<anyhow::Error>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rounds<'r> {
    pub(super) case: Case,
    pub(super) plan: &'r Plan,
    pub(super) stop: &'r Stop,
}

/// How the rounds ended for those who did not fail in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// After the last.
    Whole,
    /// Before it, for this reason.
    Short(String),
}

/// How many of a broker's rounds counted and why not all, if that is so: it failed, or all ended early.
pub(super) fn short(
    failed: Option<&anyhow::Error>,
    ended: &Result<Ended>,
    counted: usize,
    asked: usize,
) -> Option<String> {
    let (which, why) = match (failed, ended) {
        (Some(error), _) => ("before it failed", format!("{error:#}")),
        (None, Ok(Ended::Whole)) => return None,
        (None, Ok(Ended::Short(why))) => ("those that every broker has run", why.clone()),
        (None, Err(error)) => ("those that every broker has run", format!("{error:#}")),
    };
    Some(format!("{counted} of {asked} rounds, {which}: {why}"))
}

/// One round.
enum Round {
    /// The part of each broker that did not fail, with its place.
    Run(Vec<(usize, Part)>),
    /// The broker that cannot run it and why.
    Refused(String),
}

/// What came of a broker's turn.
enum Turn {
    Run(Part),
    /// It cannot be measured so, for this reason.
    Refused(String),
}

/// A broker's part of a round.
enum Part {
    Measured(Lap, Figures),
    /// Of one in which calls are counted.
    Counted(Counted),
}

/// What a round is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    WarmUp,
    /// To be measured, with its number from 1.
    Measured(usize),
    /// To count calls, with its number from 1.
    Counted(usize),
}

impl Rounds<'_> {
    /// Runs them all, and adds up those that count. An error is that of a run that was stopped; brokers keep their own.
    pub(super) fn run(self, entrants: &mut [Entrant], audience: &mut dyn Audience) -> Result<Ended> {
        for round in 0..self.steps() {
            let kind = self.kind(round);
            let parts = match self.round(round, entrants, audience)? {
                Round::Run(parts) => parts,
                Round::Refused(why) => {
                    audience.skip((self.steps_after(round) * standing(entrants).len()) as u64);
                    return Ok(refused(kind, why, entrants));
                }
            };
            if kind == Kind::WarmUp {
                continue;
            }
            for (at, part) in parts {
                match (entrants.get_mut(at).map(|entrant| &mut entrant.tally), part) {
                    (Some(tally), Part::Measured(lap, figures)) => tally.add(&lap, figures),
                    (Some(tally), Part::Counted(counted)) => tally.count(counted),
                    (None, _) => {}
                }
            }
        }
        Ok(Ended::Whole)
    }

    fn kind(self, round: usize) -> Kind {
        let rounds = self.plan.rounds;
        match round.checked_sub(self.plan.warm_up_max()) {
            None => Kind::WarmUp,
            Some(at) if at < rounds => Kind::Measured(at + 1),
            Some(at) => Kind::Counted(at - rounds + 1),
        }
    }

    /// Rounds of all kinds.
    fn steps(self) -> usize {
        self.plan.warm_up_max() + self.plan.rounds + self.plan.count_rounds
    }

    /// Those behind this one.
    fn steps_after(self, round: usize) -> usize {
        self.steps() - round - 1
    }

    /// One round, which begins with another broker than the one before.
    fn round(self, round: usize, entrants: &mut [Entrant], audience: &mut dyn Audience) -> Result<Round> {
        let mut turns = standing(entrants);
        if self.kind(round) == Kind::WarmUp {
            let warms_up = |entrant: &Entrant| self.plan.warms_up_in(round, &entrant.broker.name);
            let all = turns.len();
            turns.retain(|at| entrants.get(*at).is_some_and(warms_up));
            audience.skip((all - turns.len()) as u64);
        }
        turns.sort_by_key(|at| (*at < round % entrants.len(), *at));
        let mut parts = Vec::with_capacity(turns.len());
        for (place, &at) in turns.iter().enumerate() {
            let others = others(entrants, at);
            let Some(entrant) = entrants.get_mut(at) else { continue };
            let turn = self.turn(round, entrant, &others, audience);
            entrant.load.let_go();
            match turn {
                Ok(Turn::Run(part)) => parts.push((at, part)),
                Ok(Turn::Refused(why)) => {
                    audience.skip((turns.len() - place - 1) as u64);
                    return Ok(Round::Refused(why));
                }
                Err(error) if self.stop.is_set() || was_stopped(&error) => return Err(error),
                Err(error) => {
                    let why = format!("{error:#}");
                    entrant.failed = Some(error);
                    audience.skip(self.steps_after(round) as u64);
                    if !standing(entrants).is_empty() {
                        audience.failed(&why);
                    }
                }
            }
        }
        Ok(Round::Run(parts))
    }

    /// A broker's turn in a round.
    fn turn(
        self,
        round: usize,
        entrant: &mut Entrant,
        others: &[u32],
        audience: &mut dyn Audience,
    ) -> Result<Turn> {
        let case = self.case.name();
        let kind = self.kind(round);
        let (which, number) = match kind {
            Kind::WarmUp => ("warm-up".to_owned(), None),
            Kind::Measured(number) => (format!("round {number}/{}", self.plan.rounds), Some(number)),
            Kind::Counted(number) => (format!("calls counted {number}/{}", self.plan.count_rounds), None),
        };
        let name = entrant.broker.name.clone();
        audience.step(&format!("{case} {name}: {which}"));
        if let Some(why) = entrant.is_not_counted().filter(|_| matches!(kind, Kind::Counted(_))) {
            return Ok(Turn::Run(Part::Counted(Err(why))));
        }
        let what = || format!("{case} of broker {name}");
        if let Ready::No(why) = entrant.load.before().with_context(what)? {
            return Ok(Turn::Refused(format!("{name}: {why}")));
        }
        if let Some(pid) = entrant.broker.pid().filter(|_| self.case.writes()) {
            process::settle(pid);
        }
        audience.round(number);
        let (bytes, part) = match kind {
            Kind::Counted(_) => entrant.count(self.stop, audience),
            _ => entrant.measure(self.case, others, self.stop, audience),
        }
        .with_context(what)?;
        entrant.load.after(bytes).with_context(what)?;
        Ok(Turn::Run(part))
    }
}

/// How rounds end when one cannot be run: all that were to be measured may have been by then.
fn refused(kind: Kind, why: String, entrants: &mut [Entrant]) -> Ended {
    if !matches!(kind, Kind::Counted(_)) {
        return Ended::Short(why);
    }
    for entrant in entrants.iter_mut().filter(|entrant| entrant.failed.is_none()) {
        entrant.tally.count(Err(why.clone()));
    }
    Ended::Whole
}

/// The places of those who did not fail.
fn standing(entrants: &[Entrant]) -> Vec<usize> {
    let places = entrants.iter().enumerate().filter(|(_, entrant)| entrant.failed.is_none());
    places.map(|(at, _)| at).collect()
}

/// The processes of all but this one.
fn others(entrants: &[Entrant], at: usize) -> Vec<u32> {
    let own = entrants.get(at).and_then(|entrant| entrant.broker.pid());
    let all: BTreeSet<u32> = entrants.iter().filter_map(|entrant| entrant.broker.pid()).collect();
    all.into_iter().filter(|pid| Some(*pid) != own).collect()
}

impl Entrant {
    /// One round: the bytes that it moved, and what came of it.
    fn measure(
        &mut self,
        case: Case,
        others: &[u32],
        stop: &Stop,
        audience: &mut dyn Audience,
    ) -> Result<(u64, Part)> {
        let limits = self.load.limits();
        let meter = Meter::start(&self.broker, others)?;
        let lap = race::run(limits, stop, self.load.runners());
        audience.round_done();
        let lap = lap?;
        let mut figures = meter.stop(&lap, case.writes())?;
        figures.extend(self.load.figures());
        Ok((lap.bytes, Part::Measured(lap, figures)))
    }

    /// One round in which calls are counted.
    fn count(&mut self, stop: &Stop, audience: &mut dyn Audience) -> Result<(u64, Part)> {
        let limits = self.load.limits();
        let calls = self.calls();
        let lap = race::run(limits, stop, self.load.runners());
        audience.round_done();
        let lap = lap?;
        Ok((lap.bytes, Part::Counted(calls.and_then(|calls| calls.stop(&lap)))))
    }

    /// Why its calls cannot be counted, if so: no round is run for that then.
    fn is_not_counted(&self) -> Option<String> {
        self.calls().err()
    }

    fn calls(&self) -> Result<Calls, String> {
        Calls::start(self.broker.process.clone()?)
    }
}

#[cfg(test)]
#[path = "rounds_tests.rs"]
mod tests;
