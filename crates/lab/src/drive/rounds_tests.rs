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
    assert_eq!((0..3).map(|round| plan.warms_up_in(round, "well")).collect::<Vec<_>>(), [false, false, true]);
}

#[test]
fn a_round_that_a_broker_cannot_run_counts_for_none() {
    for at in 0..=ROUNDS {
        let counted = at.saturating_sub(1);
        let came = run(&[WELL, ("ill", Fate::Refuses { at })]);
        assert_eq!(came.rounds(), [counted; 2], "refused in round {at}");
        assert_eq!(came.steps, 2 * (1 + ROUNDS as u64), "refused in round {at}");
        let said = came.short().unwrap();
        assert!(said.starts_with(&format!("{counted} of 3 rounds")) && said.ends_with("ill: it is mapped"));
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
    assert_eq!(of(&counted, "lets go"), 2 * (1 + 1 + 2), "also where calls are counted");
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
