//! The coordinator: what it is asked, what it writes, what waits for that to be durable, and its end.

use std::rc::Rc;
use std::sync::Arc;

use pagewire_coordinate::Now;
use pagewire_coordinate::txn::{Answer, Effects, Init, Input, Limits, Marked, Markers, Settings, Shard};

use crate::world::client::Phase;
use crate::world::late::Stage;
use crate::world::{KeyValue, TOPIC, World};

/// An answer on its way, and how much of the log must be durable before it may be heard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) token: u64,
    pub(super) answer: Answer,
    pub(super) stable_at: usize,
}

/// Markers on their way, as far as they are written, and how much of the log must be durable before one is.
#[derive(Clone, Debug)]
pub(super) struct Sending {
    pub(super) markers: Markers,
    pub(super) done: Vec<(i32, Marked)>,
    pub(super) stable_at: usize,
}

impl Sending {
    pub(super) fn missing(&self) -> impl Iterator<Item = i32> {
        let all = self.markers.topics.iter().flat_map(|(_, all)| all).copied();
        all.filter(|partition| self.done.iter().all(|(done, _)| done != partition))
    }

    pub(super) fn verdicts(&self) -> Vec<(Arc<str>, i32, Marked)> {
        self.done.iter().map(|(partition, what)| (Arc::from(TOPIC), *partition, *what)).collect()
    }
}

impl World {
    pub(super) fn ask(&mut self, input: Input) {
        if let Input::Init(Init { token, .. }) = &input {
            self.last_init = usize::try_from(token.0).ok().filter(|at| *at < self.clients.len());
        }
        let mut effects = self.shard.handle(input.clone(), self.now());
        if self.shard.lacks_producer_id() {
            self.shard.give_producer_id(self.next_producer_id);
            self.next_producer_id += 1;
            effects = self.shard.handle(input, self.now());
        }
        self.act(effects);
    }

    pub(super) fn pass(&mut self) {
        let Some(at_ms) = self.shard.next_deadline() else { return };
        // Open transactions have a second.
        self.now_ms = at_ms.max(self.now_ms) + 1_001;
        for _ in 0..4 {
            let effects = self.shard.on_time(self.now());
            self.act(effects);
            if self.shard.lacks_producer_id() {
                self.shard.give_producer_id(self.next_producer_id);
                self.next_producer_id += 1;
            }
        }
    }

    /// Records are written, not yet durable; what waits for that comes after [`World::sync`], or never.
    pub(super) fn act(&mut self, effects: Effects) {
        self.act_after(effects, 0);
    }

    fn act_after(&mut self, effects: Effects, stable_at: usize) {
        for reply in effects.replies {
            let stable_at = if reply.leans && self.waits { self.log.len() } else { stable_at };
            self.replies.push(Waiting { token: reply.token.0, answer: reply.answer, stable_at });
        }
        for append in effects.appends {
            self.log.extend(append.encode().unwrap());
            let next = self.shard.appended(append, self.now());
            self.act_after(next, self.log.len());
        }
        let stable_at = self.log.len();
        let markers = effects.markers.into_iter();
        self.sending.extend(markers.map(|markers| Sending { markers, done: Vec::new(), stable_at }));
    }

    pub(super) fn sync(&mut self) {
        // Only the last record counts for what comes.
        if self.log.len() > 1 {
            self.log.drain(..self.log.len() - 1);
        }
        self.stable = self.log.len();
        self.replies.iter_mut().for_each(|reply| reply.stable_at = 0);
        self.sending.iter_mut().for_each(|sending| sending.stable_at = 0);
    }

    /// What is not durable is kept or lost; nobody hears anything, and no marker is written that was not before.
    pub(super) fn crash(&mut self, keeps: bool) {
        self.budget.crashes -= 1;
        if !keeps {
            self.log.truncate(self.stable);
        }
        self.sync();
        self.shard = shard(&self.log, self.level, self.now());
        self.sending.clear();
        self.replies.clear();
        self.partitions.iter_mut().for_each(|leader| Rc::make_mut(leader).restart());
        // What had come is gone; who still wants it sends it again.
        self.late.retain(|late| late.stage == Stage::OnItsWay);
        for client in &mut self.clients {
            if let Phase::Append(partition) = client.phase {
                client.phase = Phase::Verify(partition);
            }
        }
    }
}

/// What `log` makes of a shard.
pub(super) fn shard(log: &[KeyValue], level: i16, now: Now) -> Shard {
    let settings = Settings { abort_interval_ms: 10, limits: Limits::default(), ..Settings::default() };
    let mut shard = Shard::new(settings, 0);
    for (key, value) in log {
        shard.replay(key, value.as_deref()).unwrap();
    }
    shard.loaded(now);
    shard.go_by(level);
    shard
}
