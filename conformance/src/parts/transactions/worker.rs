//! A client that carries out its script, transaction by transaction, through the blows that fall on it.
//!
//! ```text
//!   writer       begin  send ...  [flush]                    commit | abort
//!   transformer  poll  begin  send (one of each)  offsets    commit | abort
//!                   ^ where a blow may fall: before any of them, in any of them, behind the last
//! ```

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::cast::{Actor, Cast, SESSION_MS};
use super::ledger::Who;
use super::model::{Answer, At, Call, Place, Remedy, SOURCE, TARGET, Txn, Value};
use super::plan::{Blow, Joins, Role, Round, Script};
use crate::harness::PATIENCE;

/// Polls that bring nothing before a transformer takes it that there is nothing.
const EMPTY_POLLS: usize = 5;
/// The same of one that shares its group: its share may be with somebody who is gone, for as long as the group waits.
const EMPTY_POLLS_SHARED: usize = 20;
/// Longer than a group waits for a member, and shorter than a transaction may take.
const SLEEP: Duration = Duration::from_millis(SESSION_MS + 1_500);
/// Transactions of one client.
const ROUNDS_MAX: u64 = 1_000_000;

/// A client and how far it is.
pub(super) struct Worker<'c> {
    cast: &'c Cast<'c>,
    client: usize,
    script: &'c Script,
    actor: Actor<'c>,
    txn: Txn,
    /// Nobody writes any more, and nothing was left to transform.
    is_dry: bool,
}

impl<'c> Worker<'c> {
    /// Does everything that the script says.
    pub(super) fn carry_out(cast: &'c Cast<'c>, client: usize, script: &'c Script) -> Result<()> {
        let who = Who { client, instance: 0 };
        let actor = ready(cast, who, script)?;
        let mut worker = Self { cast, client, script, actor, txn: client as u64 * ROUNDS_MAX, is_dry: false };
        for round in &script.rounds {
            if cast.gives_up() {
                return Ok(());
            }
            worker = worker.round(round)?;
            cast.done.ended.fetch_add(1, Ordering::Relaxed);
        }
        if script.role == Role::Writer {
            cast.writers.fetch_sub(1, Ordering::Relaxed);
        }
        worker.leave()
    }

    fn round(mut self, round: &Round) -> Result<Self> {
        self.txn += 1;
        let Some(mut calls) = self.calls(round)? else { return self.replaced() };
        if calls.is_empty() {
            return Ok(self);
        }
        let Some(blow) = round.blow else { return self.make(&calls) };
        let rest = calls.split_off(blow.before(calls.len()).min(calls.len()));
        for call in calls {
            if let Some(remedy) = self.tried(&call)? {
                return self.mended(remedy);
            }
        }
        match blow {
            Blow::Killed { during, .. } => {
                self.killed(during.zip(rest.first()).map(|(time, call)| (call, time)))
            }
            Blow::Replaced { .. } => self.haunted(&rest),
            Blow::Slept { .. } => self.slept(&rest),
        }
    }

    /// The calls of this transaction; none if there is nothing to transform, `None` if polling did not go well.
    fn calls(&mut self, round: &Round) -> Result<Option<Vec<Call>>> {
        let txn = self.txn;
        let end = if round.commits { Call::Commit(txn) } else { Call::Abort(txn) };
        let mut calls = vec![Call::Begin(txn)];
        match self.script.role {
            Role::Writer => {
                calls.extend((0..).zip(&round.sends).map(|(seq, (place, padding))| {
                    Call::Send(*place, Value { txn, seq, made_of: None }, *padding)
                }));
            }
            Role::Transformer => {
                let Some(polled) = self.polled()? else { return Ok(None) };
                if polled.is_empty() {
                    return Ok(Some(Vec::new()));
                }
                let places = round
                    .sends
                    .iter()
                    .cycle()
                    .map(|(place, padding)| (Place { topic: TARGET, ..*place }, *padding));
                calls.extend((0..).zip(&polled).zip(places).map(|((seq, from), (place, padding))| {
                    Call::Send(place, Value { txn, seq, made_of: Some(*from) }, padding)
                }));
                calls.push(Call::Offsets(txn, next_of(&polled)));
            }
        }
        if round.flushes {
            calls.push(Call::Flush);
        }
        calls.push(end);
        Ok(Some(calls))
    }

    /// Some records of the source. `None`: the client has to be replaced.
    fn polled(&mut self) -> Result<Option<Vec<At>>> {
        let waits = self.script.joins != Joins::Alone && !self.is_dry;
        for _ in 0..if waits { EMPTY_POLLS_SHARED } else { EMPTY_POLLS } {
            match self.actor.call(&Call::Poll)? {
                Answer::Records(records) if records.is_empty() => {}
                Answer::Records(records) => return Ok(Some(records.into_iter().map(|(at, _)| at).collect())),
                _ => return Ok(None),
            }
        }
        self.is_dry |= self.cast.writers.load(Ordering::Relaxed) == 0;
        Ok(Some(Vec::new()))
    }

    /// All calls, as an application makes them.
    fn make(mut self, calls: &[Call]) -> Result<Self> {
        for call in calls {
            if let Some(remedy) = self.tried(call)? {
                return self.mended(remedy);
            }
        }
        self.actor.call(&Call::Acked)?;
        let aborted = matches!(calls.last(), Some(Call::Abort(_)));
        if aborted { self.rewound() } else { Ok(self) }
    }

    /// Makes a call. What is to be done if it fails.
    fn tried(&mut self, call: &Call) -> Result<Option<Remedy>> {
        Ok(self.actor.insist(call)?.map(|(remedy, _)| remedy))
    }

    /// Goes on after a call that failed.
    fn mended(mut self, remedy: Remedy) -> Result<Self> {
        let abort = Call::Abort(self.txn);
        if remedy == Remedy::Abort && self.tried(&abort)?.is_none() {
            self.rewound()
        } else {
            self.replaced()
        }
    }

    /// What was polled in a transaction that came to nothing is polled again.
    fn rewound(mut self) -> Result<Self> {
        if self.script.role == Role::Writer {
            return Ok(self);
        }
        let back = self.tried(&Call::Committed)?;
        if back.is_none() { Ok(self) } else { self.replaced() }
    }

    fn killed(self, during: Option<(&Call, std::time::Duration)>) -> Result<Self> {
        let Self { cast, client, script, actor, txn, is_dry } = self;
        let who = Who { instance: actor.who.instance + 1, ..actor.who };
        actor.killed(during.map(|(call, time)| (call.clone(), time)))?;
        Ok(Self { cast, client, script, actor: ready(cast, who, script)?, txn, is_dry })
    }

    /// It sleeps until its group has given it up, and goes on.
    fn slept(mut self, rest: &[Call]) -> Result<Self> {
        self.actor.stop()?;
        std::thread::sleep(SLEEP);
        self.actor.wake()?;
        self.cast.done.sleepers.fetch_add(1, Ordering::Relaxed);
        for call in rest {
            if let Some(remedy) = self.tried(call)? {
                self.cast.done.sleepers_refused.fetch_add(1, Ordering::Relaxed);
                return self.mended(remedy);
            }
        }
        if matches!(rest.last(), Some(Call::Abort(_))) { self.rewound() } else { Ok(self) }
    }

    /// Another takes its place, as after a fatal error.
    fn replaced(self) -> Result<Self> {
        self.killed(None)
    }

    /// Another takes its place while it sleeps; then it goes on with what it was about to do.
    fn haunted(self, rest: &[Call]) -> Result<Self> {
        let Self { cast, client, script, actor: mut zombie, txn, is_dry } = self;
        zombie.stop()?;
        let who = Who { client, instance: zombie.who.instance + 1 };
        let actor = ready(cast, who, script)?;
        zombie.wake()?;
        for call in rest {
            // Whatever it hears, it goes on to ask for its end.
            zombie.call(call)?;
            if zombie.is_stuck {
                break;
            }
            if matches!(call, Call::Commit(_)) {
                cast.done.zombies.fetch_add(1, Ordering::Relaxed);
            }
        }
        zombie.killed(None)?;
        Ok(Self { cast, client, script, actor, txn, is_dry })
    }

    /// The end of the script.
    fn leave(mut self) -> Result<()> {
        if !self.script.leaves_one_open || self.cast.gives_up() {
            return Ok(());
        }
        self.txn += 1;
        let round = Round { sends: sends_everywhere(), flushes: true, commits: true, blow: None };
        let mut calls = self.calls(&round)?.unwrap_or_default();
        // All but the end.
        calls.pop();
        for call in calls {
            if self.tried(&call)?.is_some() {
                break;
            }
        }
        self.actor.killed(None)
    }
}

fn sends_everywhere() -> Vec<(Place, usize)> {
    Place::all().map(|place| (place, 0)).collect()
}

/// Where each partition goes on behind what was polled.
fn next_of(polled: &[At]) -> Vec<At> {
    let here = |place| polled.iter().filter(move |(at, _)| *at == place).map(|(_, offset)| *offset);
    Place::of(SOURCE).filter_map(|place| here(place).max().map(|last| (place, last + 1))).collect()
}

/// A new process that has fenced off all before it, and stands where its group stands. One that cannot is replaced: the
/// broker may be down for longer than a client is patient.
fn ready<'c>(cast: &'c Cast<'c>, mut who: Who, script: &Script) -> Result<Actor<'c>> {
    let began = Instant::now();
    loop {
        let mut actor = Actor::of(cast, who, script)?;
        let mut failed = actor.insist(&Call::Init)?;
        if failed.is_none() && script.role == Role::Transformer {
            let begin = if script.joins == Joins::Alone { Call::Committed } else { Call::Subscribe };
            failed = actor.insist(&begin)?;
        }
        let Some((_, why)) = failed else { return Ok(actor) };
        ensure!(began.elapsed() < PATIENCE, "{who:?} cannot begin: {why}");
        ensure!(!cast.gives_up(), "{who:?} cannot begin, and nobody waits for it: {why}");
        who.instance += 1;
    }
}
