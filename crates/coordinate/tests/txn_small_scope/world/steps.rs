//! What may happen next, and what it does.

use pagewire_coordinate::Token;
use pagewire_coordinate::txn::{Add, End, Error, Init, Input};

use crate::explore;
use crate::world::client::Phase;
use crate::world::late::{Late, Stage};
use crate::world::{PARTITIONS, World};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// A producer does what comes next, and hears the answer as soon as that may be told.
    Client(usize),
    /// It does not hear it, and will ask again.
    Unheard(usize),
    /// It gives up its batch, which comes later.
    Delay(usize),
    /// A batch that was given up comes a step further.
    Late(usize),
    /// It asks the coordinator, and a copy of that is still under way.
    Copied(usize),
    CopyComes(usize),
    /// It gives up what it did and begins anew.
    BeginAnew {
        client: usize,
        says_expected: bool,
    },
    /// What is written becomes durable.
    Sync,
    /// A marker reaches its partition.
    Mark(usize, i32),
    /// The partition does not take it.
    MarkFails(usize),
    /// No marker is tried: it did not become known in time whether the decision is durable.
    NoneIsTried(usize),
    /// A partition is deleted.
    Delete(i32),
    /// Time runs out for whatever is open.
    Time,
    /// The coordinator stops.
    Crash {
        keeps: bool,
    },
}

impl explore::World for World {
    type Step = Step;

    fn steps(&self) -> Vec<Step> {
        let (mut steps, budget) = (Vec::new(), &self.budget);
        for (at, client) in self.clients.iter().enumerate() {
            if client.phase != Phase::Stopped && !self.awaits(at) {
                steps.push(Step::Client(at));
                if budget.lost_answers > 0 {
                    steps.push(Step::Unheard(at));
                }
            }
            if budget.delays > 0
                && !self.awaits(at)
                && matches!(client.phase, Phase::Verify(_) | Phase::Append(_))
            {
                steps.push(Step::Delay(at));
            }
            // The other one is the rival.
            if at == 0 && budget.beginnings > 0 && client.phase != Phase::Begin {
                steps
                    .extend([true, false].map(|says_expected| Step::BeginAnew { client: at, says_expected }));
            }
        }
        if budget.copies > 0 {
            let asks = |at: &usize| !self.awaits(*at) && self.question(*at).is_some();
            steps.extend((0..self.clients.len()).filter(asks).map(Step::Copied));
        }
        steps.extend((0..self.copies.len()).map(Step::CopyComes));
        let moves = |(_, late): &(usize, &Late)| late.stage != Stage::Asked;
        steps.extend(self.late.iter().enumerate().filter(moves).map(|(at, _)| Step::Late(at)));
        if self.stable < self.log.len() {
            steps.push(Step::Sync);
        }
        for (at, sending) in self.sending.iter().enumerate() {
            let may_go_out = sending.stable_at <= self.stable;
            if may_go_out {
                steps.extend(sending.missing().map(|partition| Step::Mark(at, partition)));
            }
            if may_go_out && budget.failed_markers > 0 {
                steps.push(Step::MarkFails(at));
            }
            if sending.done.is_empty() && budget.failed_markers > 0 {
                steps.push(Step::NoneIsTried(at));
            }
        }
        if budget.deletions > 0 {
            let there = (0..PARTITIONS as i32).filter(|index| !self.partitions[*index as usize].is_gone);
            steps.extend(there.map(Step::Delete));
        }
        if budget.timeouts > 0 {
            steps.push(Step::Time);
        }
        if budget.crashes > 0 {
            steps.extend([true, false].map(|keeps| Step::Crash { keeps }));
        }
        steps
    }

    fn take(&mut self, step: Step) {
        let is_failure = !matches!(step, Step::Client(_) | Step::Sync | Step::Mark(..));
        match step {
            Step::Client(at) => self.request(at),
            Step::Unheard(at) => {
                self.budget.lost_answers -= 1;
                self.request(at);
                self.replies.retain(|reply| reply.token != at as u64);
            }
            Step::Delay(at) => {
                self.budget.delays -= 1;
                self.delay(at);
            }
            Step::Late(at) => self.late(at),
            Step::Copied(at) => {
                self.budget.copies -= 1;
                let copy = self.question(at).map(|input| with_token(input, Token(u64::MAX)));
                self.copies.extend(copy);
                self.request(at);
            }
            Step::CopyComes(at) => {
                let copy = self.copies.remove(at);
                self.ask(copy);
            }
            Step::BeginAnew { client: at, says_expected } => {
                self.budget.beginnings -= 1;
                self.replies.retain(|reply| reply.token != at as u64);
                let client = &mut self.clients[at];
                (client.phase, client.says_expected, client.gives_up) = (Phase::Begin, says_expected, false);
                client.transaction += 1;
            }
            Step::Sync => self.sync(),
            Step::Mark(at, partition) => self.mark(at, partition),
            Step::MarkFails(at) => {
                self.budget.failed_markers -= 1;
                let sending = self.sending.remove(at);
                let effects =
                    self.shard.markers_written(&sending.markers.of, &sending.verdicts(), self.now());
                self.act(effects);
            }
            Step::NoneIsTried(at) => {
                self.budget.failed_markers -= 1;
                let of = self.sending.remove(at).markers.of;
                let effects = self.shard.markers_failed(&of, Error::CoordinatorNotAvailable, self.now());
                self.act(effects);
            }
            Step::Delete(partition) => {
                self.budget.deletions -= 1;
                self.is_disturbed = true;
                self.leader(partition).delete();
            }
            Step::Time => {
                self.budget.timeouts -= 1;
                self.is_disturbed = true;
                self.pass();
            }
            Step::Crash { keeps } => self.crash(keeps),
        }
        self.hear_what_may_be_told();
        if is_failure {
            self.its_producer_goes_on();
        }
    }

    fn keeps_its_promises(&self) {
        self.comes_to_rest_whole();
    }

    fn fingerprint(&self) -> u64 {
        let leaders: Vec<_> = self.partitions.iter().map(|leader| leader.hashed()).collect();
        let hashed = (&self.log, self.stable, leaders, &self.clients, &self.late, &self.budget);
        let printed = (&self.shard, &self.sending, &self.replies, &self.copies);
        explore::fingerprint(&printed, (hashed, self.last_init, self.is_disturbed))
    }
}

fn with_token(input: Input, token: Token) -> Input {
    match input {
        Input::Init(init) => Input::Init(Init { token, ..init }),
        Input::Add(add) => Input::Add(Add { token, ..add }),
        Input::End(end) => Input::End(End { token, ..end }),
    }
}
