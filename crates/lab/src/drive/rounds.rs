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
mod tests {
    use std::cell::RefCell;
    use std::path::Path;
    use std::rc::Rc;
    use std::time::Duration;

    use super::*;
    use crate::drive::client::Error;
    use crate::drive::latency::Latencies;
    use crate::drive::load::race::{Limits, Runner};
    use crate::drive::process::Found;
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
        Stopped { at: usize },
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
                Fate::Dies { at } if at == round => Err(Error::check(36, None, || "t".into()).unwrap_err()),
                Fate::Stopped { at } if at == round => Err(Error::Stopped),
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

        fn let_go(&mut self) {
            self.said.borrow_mut().push("lets go".to_owned());
        }

        fn topic(&mut self) -> &mut Topic {
            unreachable!("the rounds leave topics alone")
        }
    }

    /// Steps done and skipped, when rounds begin, and who failed while others go on.
    #[derive(Default)]
    struct Steps(u64, Said, Vec<String>);

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

        fn failed(&mut self, why: &str) {
            self.2.push(why.to_owned());
        }
    }

    fn entrant(name: &str, fate: Fate, said: &Said) -> Entrant {
        Entrant {
            at: 0,
            broker: broker(name),
            load: Box::new(Fake { fate, round: 0, said: Rc::clone(said) }),
            tally: Tally::default(),
            failed: None,
        }
    }

    const ROUNDS: usize = 3;

    fn plan() -> Plan {
        Plan { rounds: ROUNDS, ..testing::plan(Case::FetchCold) }
    }

    /// What came of the rounds.
    struct Came {
        ended: Result<Ended>,
        entrants: Vec<Entrant>,
        /// Done or skipped.
        steps: u64,
        /// Who failed while others went on.
        failed: Vec<String>,
        /// What happened.
        said: Vec<String>,
    }

    impl Came {
        /// How many rounds of each count.
        fn rounds(&self) -> Vec<usize> {
            self.entrants.iter().map(|entrant| entrant.tally.rounds()).collect()
        }

        /// Why the last one's are fewer than were asked for, if they are.
        fn short(&self) -> Option<String> {
            let last = self.entrants.last().unwrap();
            short(last.failed.as_ref(), &self.ended, last.tally.rounds(), ROUNDS)
        }
    }

    /// The rounds of brokers with these fates.
    fn run(fates: &[(&str, Fate)]) -> Came {
        run_as(&plan(), fates, &Err("remote".to_owned()))
    }

    /// The same by this plan, of brokers with this process.
    fn run_as(plan: &Plan, fates: &[(&str, Fate)], process: &Found) -> Came {
        let (stop, mut steps) = (Stop::default(), Steps::default());
        let said = Rc::clone(&steps.1);
        let mut entrants: Vec<_> = fates.iter().map(|(name, fate)| entrant(name, *fate, &said)).collect();
        for entrant in &mut entrants {
            entrant.broker.process.clone_from(process);
        }
        let ended = Rounds { case: Case::FetchCold, plan, stop: &stop }.run(&mut entrants, &mut steps);
        Came { ended, entrants, steps: steps.0, failed: steps.2, said: said.take() }
    }

    const WELL: (&str, Fate) = ("well", Fate::Well);

    #[test]
    fn a_round_is_told_to_begin_when_all_before_it_is_done_and_to_be_over_with_what_it_measures() {
        let (plan, stop, mut steps) = (plan(), Stop::default(), Steps::default());
        let said = Rc::clone(&steps.1);
        let mut alone = [entrant("well", Fate::Well, &said)];
        Rounds { case: Case::FetchCold, plan: &plan, stop: &stop }.run(&mut alone, &mut steps).unwrap();
        let rounds = ["warm-up", "round 1", "round 2", "round 3"];
        let expected: Vec<_> =
            rounds.iter().flat_map(|begins| ["made ready", begins, "runs", "is done", "lets go"]).collect();
        assert_eq!(*said.borrow(), expected);
    }

    #[test]
    fn whoever_takes_longer_to_warm_up_begins_earlier_and_all_end_together() {
        let more = [("slow".to_owned(), 2), ("not here".to_owned(), 0)].into();
        let plan = Plan { warm_up_more: more, ..plan() };
        let came = run_as(&plan, &[WELL, ("slow", Fate::Well)], &Err("remote".to_owned()));
        assert_eq!(came.said.iter().filter(|said| *said == "warm-up").count(), 1 + 3);
        assert_eq!((came.rounds(), came.steps), (vec![ROUNDS; 2], 2 * (3 + ROUNDS as u64)));
        assert_eq!(
            (0..3).map(|round| plan.warms_up_in(round, "well")).collect::<Vec<_>>(),
            [false, false, true]
        );
    }

    #[test]
    fn a_round_that_a_broker_cannot_run_counts_for_none() {
        for at in 0..=ROUNDS {
            let counted = at.saturating_sub(1);
            let came = run(&[WELL, ("ill", Fate::Refuses { at })]);
            assert_eq!(came.rounds(), [counted; 2], "refused in round {at}");
            assert_eq!(came.steps, 2 * (1 + ROUNDS as u64), "refused in round {at}");
            let said = came.short().unwrap();
            assert!(
                said.starts_with(&format!("{counted} of 3 rounds")) && said.ends_with("ill: it is mapped")
            );
        }
    }

    #[test]
    fn a_broker_that_fails_has_the_rounds_before_that_and_the_others_have_all() {
        for at in 0..=ROUNDS {
            let came = run(&[WELL, WELL, ("ill", Fate::Dies { at })]);
            assert_eq!(came.ended.as_ref().ok(), Some(&Ended::Whole), "died in round {at}");
            let counted = at.saturating_sub(1);
            assert_eq!(came.rounds(), [ROUNDS, ROUNDS, counted], "died in round {at}");
            assert_eq!(came.steps, 3 * (1 + ROUNDS as u64), "died in round {at}");
            let [why] = &came.failed[..] else { panic!("{:?}", came.failed) };
            assert!(why.starts_with("fetch-cold of broker ill: "), "{why}");
            assert_eq!(came.short(), Some(format!("{counted} of 3 rounds, before it failed: {why}")));
        }
    }

    #[test]
    fn whoever_fails_first_or_last_nobody_goes_on_without_a_broker() {
        let came = run(&[("ill", Fate::Dies { at: 2 }), ("worse", Fate::Dies { at: 1 })]);
        assert_eq!((came.rounds(), came.steps), (vec![1, 0], 2 * (1 + ROUNDS as u64)));
        let [why] = &came.failed[..] else { panic!("{:?}", came.failed) };
        assert!(why.contains("worse"), "there was one more when it failed: {why}");
        assert!(came.entrants.iter().all(|entrant| entrant.failed.is_some()));
    }

    #[test]
    fn a_run_that_is_stopped_ends_for_all() {
        for at in 1..=ROUNDS {
            let came = run(&[WELL, ("last", Fate::Stopped { at })]);
            assert!(was_stopped(came.ended.as_ref().unwrap_err()));
            assert_eq!(came.rounds(), [at - 1; 2], "stopped in round {at}");
            let said = came.short().unwrap();
            assert!(said.contains("fetch-cold of broker last") && said.ends_with("stopped"), "{said}");
            assert!(came.failed.is_empty() && came.entrants.iter().all(|entrant| entrant.failed.is_none()));
        }
    }

    /// One round to be measured, and two to count calls.
    fn counting() -> Plan {
        Plan { rounds: 1, count_rounds: 2, ..plan() }
    }

    /// Of the first broker, with what it says of calls.
    fn cell(came: &Came) -> DriveCell {
        let Entrant { tally, broker, .. } = &came.entrants[0];
        tally.cell((Case::Produce, &plan()), (broker, None), None, &crate::machine::here(Path::new("/")))
    }

    fn says_nothing_of_calls(cell: &DriveCell) -> bool {
        !cell.notes.iter().any(|note| note.contains("system calls"))
    }

    #[test]
    fn calls_are_counted_in_rounds_of_their_own_behind_those_that_are_measured() {
        let came = run_as(&counting(), &[WELL, WELL], &Ok(std::process::id()));
        assert_eq!((came.rounds(), came.steps), (vec![1; 2], 2 * (1 + 1 + 2)));
        let cell = cell(&came);
        if says_nothing_of_calls(&cell) {
            let begins: Vec<_> = came.said.iter().filter(|said| *said == "warm-up").collect();
            assert_eq!(begins.len(), 2 * (1 + 2), "none of them is told as one that is measured");
        } else {
            eprintln!("calls may not be counted here: {:?}", cell.notes);
        }
        let measured: Vec<_> = came.said.iter().filter(|said| said.starts_with("round")).collect();
        assert_eq!(measured, ["round 1"; 2]);
    }

    #[test]
    fn who_has_had_its_turn_lets_go_of_what_others_need_however_it_ended() {
        let of = |came: &Came, what: &str| came.said.iter().filter(|said| *said == what).count();
        for fate in [Fate::Well, Fate::Dies { at: 1 }, Fate::Refuses { at: 1 }, Fate::Stopped { at: 1 }] {
            let came = run(&[WELL, ("other", fate)]);
            assert_eq!(of(&came, "lets go"), of(&came, "made ready"), "{fate:?}");
        }
        let counted = run_as(&counting(), &[WELL, WELL], &Ok(std::process::id()));
        assert!(of(&counted, "lets go") >= of(&counted, "made ready"), "also where calls are counted");
        assert_eq!(of(&counted, "lets go"), 2 * (1 + 1 + 2));
    }

    #[test]
    fn who_cannot_be_counted_has_no_round_for_that() {
        let came = run_as(&counting(), &[WELL, WELL], &Err("remote".to_owned()));
        let runs = came.said.iter().filter(|said| *said == "runs").count();
        assert_eq!((runs, came.steps, came.short()), (2 * 2, 2 * (1 + 1 + 2), None));
        assert!(says_nothing_of_calls(&cell(&came)), "that its process is unknown says it");
    }

    #[test]
    fn a_round_to_count_that_a_broker_cannot_run_takes_nothing_from_those_that_were_measured() {
        if let Err(why) = Calls::start(std::process::id()) {
            eprintln!("calls may not be counted here: {why}");
            return;
        }
        let fates = [WELL, ("ill", Fate::Refuses { at: 2 })];
        let came = run_as(&counting(), &fates, &Ok(std::process::id()));
        assert_eq!((&came.ended.as_ref().ok(), came.rounds()), (&Some(&Ended::Whole), vec![1; 2]));
        assert_eq!(came.steps, 2 * (1 + 1 + 2));
        let notes = cell(&came).notes;
        assert!(notes.iter().any(|note| note.ends_with("ill: it is mapped")), "{notes:?}");
    }

    #[test]
    fn whole_rounds_need_no_words() {
        let came = run(&[WELL, WELL]);
        assert_eq!((came.rounds(), came.steps), (vec![ROUNDS; 2], 2 * (1 + ROUNDS as u64)));
        assert_eq!(came.short(), None);
    }
}
