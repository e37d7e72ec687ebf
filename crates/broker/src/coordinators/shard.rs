//! One running shard: the machine of one partition of `__consumer_offsets` behind a lock.
//!
//! The lock blocks and never spans an await: a request acts the first time its future is polled, so those of a connection
//! act in the order in which they came, and a future that nobody polls any more holds nobody up.
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
use pagewire_coordinate::{
    Answer, Append, DeletedTopics, Effects, Error, Input, Now, Reply, Shard as Machine, Token, Topics,
};
use pagewire_log::{AppendError, Origin};
use pagewire_record::HEADER_LEN;
use pagewire_zcopy::IoPool;
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, oneshot},
    task::yield_now,
};
use tracing::{debug, error, info, warn};

use super::{
    batch,
    markers::NotEnded,
    memory::{GroupMemory, Share},
    shards,
    topics::ClusterTopics,
};
use crate::{
    broker::Broker,
    clock::{now_ms, steady_ms},
    partition::{Marker, Partition},
};

/// Requests that may wait for an answer of one shard; one more is told to come back later.
const WAITING_MAX: usize = 100_000;

/// Clean-ups are written in parts of this size where the topic's `max.message.bytes` allows it.
const APPEND_BYTES_MAX: usize = 256 << 10;

/// A shard and its place in the log.
pub(super) struct Shard {
    partition: Arc<Partition>,
    memory: Arc<GroupMemory>,
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
    /// Another shard took its place: it never answers again.
    Ended(Error),
}

struct Ready {
    machine: Machine,
    /// The topics that the machine knows.
    topics: Arc<ClusterTopics>,
    share: Share,
    waiting: HashMap<Token, oneshot::Sender<Answered>, RandomState>,
    last_token: u64,
    /// The end of what this shard read and wrote.
    written_to: Option<i64>,
    /// The last write failed, and that was said.
    fails: bool,
}

/// An answer, and how far the log must be stable before it may be told.
pub(super) struct Answered {
    pub(super) answer: Answer,
    pub(super) stable_at: Option<i64>,
}

impl shards::Shard for Shard {
    fn partition(&self) -> &Arc<Partition> {
        &self.partition
    }

    fn end(&self) {
        self.end(Error::NotCoordinator);
    }
}

impl Shard {
    pub(super) fn new(partition: Arc<Partition>, memory: Arc<GroupMemory>) -> Self {
        Self {
            partition,
            memory,
            state: Mutex::new(State::Loading),
            earlier: Notify::new(),
            sleeping_until_ms: AtomicI64::new(i64::MAX),
        }
    }

    pub(super) const fn partition(&self) -> &Arc<Partition> {
        &self.partition
    }

    /// The log is read: the machine begins to answer. What was read counts as written by this shard: after a crash it may
    /// not be on stable storage yet.
    pub(super) fn open(&self, machine: Machine, broker: &Broker) {
        let written_to = Some(self.partition.log.marks().log_end);
        let share = self.memory.share();
        let topics = Arc::new(ClusterTopics::of(broker));
        let mut ready = Ready {
            machine,
            topics,
            share,
            waiting: HashMap::default(),
            last_token: 0,
            written_to,
            fails: false,
        };
        ready.machine.set_topics(Arc::clone(&ready.topics) as Arc<dyn Topics>);
        let mut state = self.state.lock();
        if matches!(*state, State::Ended(_)) {
            return;
        }
        ready.machine.limit_append(self.append_bytes());
        // Looked at under the lock: topics that go later are told to the machine.
        let image = broker.image();
        let id_of = |name: &str| image.topic(name).map(|topic| topic.id.into_bytes());
        let effects = ready.machine.forget_strangers(id_of);
        ready.act(&self.partition, broker.io(), effects);
        ready.see(broker);
        let effects = ready.machine.loaded(now());
        ready.act(&self.partition, broker.io(), effects);
        *state = State::Ready(Box::new(ready));
    }

    /// Answers everybody who waits, and whoever comes later, with `error`.
    pub(super) fn close(&self, error: Error) {
        self.leave(State::Closed(error), error);
    }

    /// [`close`](Self::close) for good. When this returns nothing of it is being written, and nothing will be, whoever still has
    /// hold of it: another shard may read what it wrote.
    pub(super) fn end(&self, error: Error) {
        self.leave(State::Ended(error), error);
    }

    fn leave(&self, to: State, error: Error) {
        let before = {
            let mut state = self.state.lock();
            if matches!(*state, State::Ended(_)) {
                return;
            }
            std::mem::replace(&mut *state, to)
        };
        if let State::Ready(mut ready) = before {
            for reply in ready.machine.close(error).replies {
                ready.deliver(reply, None);
            }
        }
    }

    /// Whether the machine answers.
    pub(super) fn is_open(&self) -> bool {
        matches!(*self.state.lock(), State::Ready(_))
    }

    /// Puts a question to the machine and waits for the answer. What that writes within a transaction is `origin`'s.
    pub(super) async fn ask_as(
        &self,
        broker: &Broker,
        origin: Origin,
        question: impl FnOnce(Token) -> Input,
    ) -> Result<Answered, Error> {
        let answer = {
            let mut state = self.state.lock();
            let ready = self.ready(&mut state)?;
            ready.see(broker);
            if ready.waiting.len() >= WAITING_MAX {
                return Err(Error::CoordinatorNotAvailable);
            }
            ready.last_token += 1;
            let token = Token(ready.last_token);
            let (sender, receiver) = oneshot::channel();
            ready.waiting.insert(token, sender);
            let effects = ready.machine.handle(question(token), now());
            ready.act_as(origin, &self.partition, broker.io(), effects);
            self.call_timer(ready);
            receiver
        };
        answer.await.map_err(|_| Error::CoordinatorNotAvailable)
    }

    /// Writes the marker that ends a producer's transaction: what waited for it counts now, or is gone. Returns the offset
    /// after the marker.
    pub(super) fn end_transaction(&self, broker: &Broker, marker: Marker) -> Result<i64, NotEnded> {
        let mut state = self.state.lock();
        let ready = self.ready(&mut state).map_err(NotEnded::Shard)?;
        let now = now();
        let appended = self.partition.end_transaction(marker, now.wall_ms, broker.io());
        let end = appended.map_err(NotEnded::Log)?.last_offset + 1;
        ready.written_to = Some(end);
        ready.machine.end_transaction(marker.producer_id, marker.committed, now.wall_ms);
        ready.share.set(ready.machine.bytes());
        Ok(end)
    }

    /// Forgets what groups committed for topics that are gone, one part per hold of the lock. Says whether all of it is
    /// written.
    pub(super) async fn topics_deleted(&self, broker: &Broker, topics: &DeletedTopics) -> bool {
        let mut from = None;
        loop {
            let (written, next) = self.some_topics_deleted(broker, topics, from.as_ref());
            if !written || next.is_none() {
                return written;
            }
            from = next;
            yield_now().await;
        }
    }

    /// One part from a group on. Says whether it is written, and the group to go on from.
    fn some_topics_deleted(
        &self,
        broker: &Broker,
        topics: &DeletedTopics,
        from: Option<&Arc<str>>,
    ) -> (bool, Option<Arc<str>>) {
        let mut state = self.state.lock();
        let Ok(ready) = self.ready(&mut state) else { return (false, None) };
        let (effects, next) = ready.machine.topics_deleted(topics, from);
        (ready.act(&self.partition, broker.io(), effects), next)
    }

    /// Looks into the machine; also says how far the log must be stable for that to last.
    pub(super) fn read<T>(
        &self,
        broker: &Broker,
        look: impl FnOnce(&Machine) -> T,
    ) -> Result<(T, Option<i64>), Error> {
        let mut state = self.state.lock();
        let ready = state.ready()?;
        ready.see(broker);
        Ok((look(&ready.machine), ready.written_to))
    }

    /// The machine, if it answers.
    fn ready<'s>(&self, state: &'s mut State) -> Result<&'s mut Ready, Error> {
        let ready = state.ready()?;
        ready.machine.limit_append(self.append_bytes());
        ready.machine.limit_bytes(ready.share.limit());
        Ok(ready)
    }

    /// What one append of a clean-up may have at most.
    fn append_bytes(&self) -> usize {
        let max_bytes = usize::try_from(self.partition.config().max_message_bytes).unwrap_or(usize::MAX);
        max_bytes.saturating_sub(HEADER_LEN).min(APPEND_BYTES_MAX)
    }

    /// Lets the machine act once on what is due. There may be more: the next deadline comes back, by the steady clock, and
    /// is past already then. Whoever waits for the lock gets it in between. None when the shard is closed.
    pub(super) fn on_time(&self, broker: &Broker) -> Option<i64> {
        let mut state = self.state.lock();
        let ready = self.ready(&mut state).ok()?;
        ready.see(broker);
        let now = now();
        if ready.machine.next_deadline().is_some_and(|deadline_ms| deadline_ms <= now.steady_ms) {
            let effects = ready.machine.on_time(now);
            ready.act(&self.partition, broker.io(), effects);
        }
        let deadline_ms = ready.machine.next_deadline().unwrap_or(i64::MAX);
        self.sleeping_until_ms.store(deadline_ms, Ordering::Release);
        Some(deadline_ms)
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
            Self::Closed(error) | Self::Ended(error) => Err(*error),
        }
    }
}

impl Ready {
    /// Shows the machine the topics as they are now.
    fn see(&mut self, broker: &Broker) {
        if !Arc::ptr_eq(&self.topics.image, &broker.image()) {
            self.topics = Arc::new(ClusterTopics::of(broker));
            self.machine.set_topics(Arc::clone(&self.topics) as Arc<dyn Topics>);
        }
    }

    /// [`act_as`](Self::act_as) the coordinator itself.
    fn act(&mut self, partition: &Arc<Partition>, io: &IoPool, effects: Effects) -> bool {
        self.act_as(Origin::Coordinator, partition, io, effects)
    }

    /// Writes what is to be written, in order, and delivers what is to be said, until nothing is left to do. Where a part
    /// cannot be written, those that belong after it are not either. Says whether all were. `origin`: who writes what is in
    /// a transaction.
    fn act_as(&mut self, origin: Origin, partition: &Arc<Partition>, io: &IoPool, effects: Effects) -> bool {
        let (mut todo, mut all_written) = (vec![(effects, None)], true);
        while let Some((effects, stable_at)) = todo.pop() {
            for note in &effects.notes {
                info!(group = &*note.group_id, "{}", note.event);
            }
            for reply in effects.replies {
                self.deliver(reply, stable_at);
            }
            let mut failed = None;
            for append in effects.appends {
                let now = now();
                let written = match failed {
                    None => self.write(origin, partition, &append, now.wall_ms, io),
                    Some(error) => Err(error),
                };
                let next = match written {
                    Ok(end) => {
                        self.written_to = Some(end);
                        (self.machine.appended(append, now), Some(end))
                    }
                    Err(error) => {
                        (failed, all_written) = (Some(error), false);
                        (self.machine.append_failed(append, error, now), None)
                    }
                };
                todo.push(next);
            }
        }
        self.share.set(self.machine.bytes());
        all_written
    }

    /// Appends the records as one batch. Returns the offset after it.
    fn write(
        &mut self,
        origin: Origin,
        partition: &Arc<Partition>,
        append: &Append,
        now_ms: i64,
        io: &IoPool,
    ) -> Result<i64, Error> {
        let (topic, index) = (&*partition.topic, partition.index);
        let max_bytes = partition.config().max_message_bytes;
        let batch = batch::build(append, now_ms, max_bytes).map_err(|error| {
            warn!(topic, partition = index, %error, "group records cannot be written");
            Error::UnknownServerError
        })?;
        let origin = if append.in_txn.is_some() { origin } else { Origin::Coordinator };
        let written = partition.append(batch, origin, now_ms, io);
        if let Err(error) = &written
            && let Some(refusal) = refusal(error)
        {
            debug!(topic, partition = index, %error, "a commit within a transaction is refused");
            return Err(refusal);
        }
        // A group on a full disk tries again all the time: it is said once, and once that it is over.
        let failed_before = std::mem::replace(&mut self.fails, written.is_err());
        match &written {
            Err(error) if !failed_before => {
                warn!(topic, partition = index, %error, "group records are not written; groups of this partition stand still");
            }
            Ok(_) if failed_before => info!(topic, partition = index, "group records are written again"),
            _ => {}
        }
        written.map(|appended| appended.last_offset + 1).map_err(|_| Error::NotCoordinator)
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

/// What the log holds against the producer of a transaction; none if nothing can be written at all.
fn refusal(error: &AppendError) -> Option<Error> {
    match error {
        AppendError::InvalidProducerEpoch { .. } => Some(Error::InvalidProducerEpoch),
        AppendError::NotInTransaction { .. } | AppendError::InvalidTxnState { .. } => {
            Some(Error::InvalidTxnState)
        }
        AppendError::TooManyTransactions { .. } => Some(Error::CoordinatorNotAvailable),
        _ => None,
    }
}

/// This moment.
fn now() -> Now {
    Now { wall_ms: now_ms(), steady_ms: steady_ms() }
}
