//! One running shard: the machine of one partition of `__consumer_offsets` behind a lock that is fair, so that the requests
//! of a connection act in the order in which they came.
//!
//! Invariant: what the machine wants written is written, and handed back to it, before the lock is let go. Nobody ever
//! sees the machine between a decision and its records. The lock is not held while anybody waits for stable storage.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use foldhash::fast::RandomState;
use pagewire_coordinate::{Answer, Append, Effects, Error, Input, Now, Reply, Shard as Machine, Token};
use pagewire_log::Origin;
use pagewire_zcopy::IoPool;
use tokio::sync::{Mutex, Notify, oneshot};
use tracing::{error, warn};

use super::batch;
use crate::{
    broker::Broker,
    clock::{now_ms, steady_ms},
    partition::Partition,
};

/// Requests that may wait for an answer of one shard; one more is told to come back later.
const WAITING_MAX: usize = 100_000;

/// A shard and its place in the log.
pub(super) struct Shard {
    partition: Arc<Partition>,
    state: Mutex<State>,
    /// Tells the timer that there is an earlier deadline than the one it sleeps for.
    pub(super) earlier: Notify,
    pub(super) sleeping_until_ms: AtomicI64,
}

enum State {
    Loading,
    Ready(Box<Ready>),
    /// Its log cannot be read at the moment, or the node stops.
    Closed(Error),
}

struct Ready {
    machine: Machine,
    waiting: HashMap<Token, oneshot::Sender<Answered>, RandomState>,
    last_token: u64,
    /// The end of what this shard wrote; none before it wrote anything.
    written_to: Option<i64>,
}

/// An answer, and how far the log must be stable before it may be told.
pub(super) struct Answered {
    pub(super) answer: Answer,
    pub(super) stable_at: Option<i64>,
}

impl Shard {
    pub(super) fn new(partition: Arc<Partition>) -> Self {
        Self {
            partition,
            state: Mutex::new(State::Loading),
            earlier: Notify::new(),
            sleeping_until_ms: AtomicI64::new(i64::MAX),
        }
    }

    pub(super) const fn partition(&self) -> &Arc<Partition> {
        &self.partition
    }

    /// The log is read: the machine begins to answer.
    pub(super) async fn open(&self, machine: Machine, io: &IoPool) {
        let mut ready = Ready { machine, waiting: HashMap::default(), last_token: 0, written_to: None };
        let effects = ready.machine.loaded(now());
        ready.act(&self.partition, io, effects);
        *self.state.lock().await = State::Ready(Box::new(ready));
    }

    /// Answers everybody who waits, and whoever comes later, with `error`.
    pub(super) async fn close(&self, error: Error) {
        let before = std::mem::replace(&mut *self.state.lock().await, State::Closed(error));
        if let State::Ready(mut ready) = before {
            for reply in ready.machine.close(error).replies {
                ready.deliver(reply, None);
            }
        }
    }

    /// Puts a question to the machine and waits for the answer.
    pub(super) async fn ask(
        &self,
        broker: &Broker,
        question: impl FnOnce(Token) -> Input,
    ) -> Result<Answered, Error> {
        let answer = {
            let mut state = self.state.lock().await;
            let ready = state.ready()?;
            if ready.waiting.len() >= WAITING_MAX {
                return Err(Error::CoordinatorNotAvailable);
            }
            ready.last_token += 1;
            let token = Token(ready.last_token);
            let (sender, receiver) = oneshot::channel();
            ready.waiting.insert(token, sender);
            let effects = ready.machine.handle(question(token), now());
            ready.act(&self.partition, broker.io(), effects);
            self.call_timer(ready);
            receiver
        };
        answer.await.map_err(|_| Error::CoordinatorNotAvailable)
    }

    /// Tells the machine something that has no answer.
    pub(super) async fn tell(&self, broker: &Broker, input: Input) {
        let mut state = self.state.lock().await;
        if let Ok(ready) = state.ready() {
            let effects = ready.machine.handle(input, now());
            ready.act(&self.partition, broker.io(), effects);
        }
    }

    /// Looks into the machine; also says how far the log must be stable for that to last.
    pub(super) async fn read<T>(&self, look: impl FnOnce(&Machine) -> T) -> Result<(T, Option<i64>), Error> {
        let mut state = self.state.lock().await;
        let ready = state.ready()?;
        Ok((look(&ready.machine), ready.written_to))
    }

    /// Lets act what is due. The next deadline comes back, by the steady clock; none when the shard is closed.
    pub(super) async fn on_time(&self, io: &IoPool) -> Option<i64> {
        let mut state = self.state.lock().await;
        let ready = state.ready().ok()?;
        loop {
            let now = now();
            match ready.machine.next_deadline() {
                Some(deadline_ms) if deadline_ms <= now.steady_ms => {
                    let effects = ready.machine.on_time(now);
                    ready.act(&self.partition, io, effects);
                }
                deadline => {
                    let deadline_ms = deadline.unwrap_or(i64::MAX);
                    self.sleeping_until_ms.store(deadline_ms, Ordering::Release);
                    return Some(deadline_ms);
                }
            }
        }
    }

    fn call_timer(&self, ready: &Ready) {
        let deadline_ms = ready.machine.next_deadline().unwrap_or(i64::MAX);
        if deadline_ms < self.sleeping_until_ms.load(Ordering::Acquire) {
            self.earlier.notify_one();
        }
    }
}

impl State {
    fn ready(&mut self) -> Result<&mut Ready, Error> {
        match self {
            Self::Ready(ready) => Ok(ready),
            Self::Loading => Err(Error::CoordinatorLoadInProgress),
            Self::Closed(error) => Err(*error),
        }
    }
}

impl Ready {
    /// Writes what is to be written, in order, and delivers what is to be said, until nothing is left to do.
    fn act(&mut self, partition: &Arc<Partition>, io: &IoPool, effects: Effects) {
        let mut todo = vec![(effects, None)];
        while let Some((effects, stable_at)) = todo.pop() {
            for reply in effects.replies {
                self.deliver(reply, stable_at);
            }
            for append in effects.appends {
                let now = now();
                let next = match write(partition, &append, now.wall_ms, io) {
                    Ok(end) => {
                        self.written_to = Some(end);
                        (self.machine.appended(append, now), Some(end))
                    }
                    Err(error) => (self.machine.append_failed(append, error, now), None),
                };
                todo.push(next);
            }
        }
    }

    fn deliver(&mut self, reply: Reply, stable_at: Option<i64>) {
        let Some(asker) = self.waiting.remove(&reply.token) else {
            error!(token = reply.token.0, "the group coordinator answered a question twice");
            return;
        };
        // Whoever asked may have hung up; then nobody needs the answer.
        drop(asker.send(Answered { answer: reply.answer, stable_at }));
    }
}

/// This moment.
fn now() -> Now {
    Now { wall_ms: now_ms(), steady_ms: steady_ms() }
}

/// Appends the records as one batch. Returns the offset after it.
fn write(partition: &Arc<Partition>, append: &Append, now_ms: i64, io: &IoPool) -> Result<i64, Error> {
    let max_bytes = partition.config().max_message_bytes;
    let batch = batch::build(append, now_ms, max_bytes).map_err(|error| {
        warn!(topic = &*partition.topic, partition = partition.index, %error, "group records cannot be written");
        Error::UnknownServerError
    })?;
    match partition.append(batch, Origin::Coordinator, now_ms, io) {
        Ok(appended) => Ok(appended.last_offset + 1),
        Err(error) => {
            warn!(topic = &*partition.topic, partition = partition.index, %error, "group records were not written");
            Err(Error::NotCoordinator)
        }
    }
}
