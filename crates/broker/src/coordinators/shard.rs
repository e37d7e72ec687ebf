//! One running shard: the machine of one partition of `__consumer_offsets` behind a lock.
//!
//! The lock blocks and never spans an await: a request acts the first time its future is polled, so those of a connection
//! act in the order in which they came, and a future that nobody polls any more holds nobody up.
//!
//! Invariant: what the machine wants written is written, and handed back to it, before the lock is let go. Nobody ever
//! sees the machine between a decision and its records. The lock is not held while anybody waits for stable storage.

use std::sync::Arc;

use pagewire_coordinate::{
    Answer, Append, DeletedTopics, Effects, Error, Found, Input, Lookup, Now, Reply, Shard as Machine, Token,
    Topics,
};
use pagewire_log::{AppendError, Origin};
use pagewire_record::HEADER_LEN;
use pagewire_zcopy::IoPool;
use parking_lot::MutexGuard;
use tokio::task::yield_now;
use tracing::{info, warn};

use super::{
    batch,
    expressions::{self, Looks},
    markers::NotEnded,
    memory::{GroupMemory, Share},
    running::{Alarm, Answered, Journal, Life, NotWritten, State, Waiting, Words},
    shards::{self, Running},
    topics::ClusterTopics,
};
use crate::{
    broker::Broker,
    clock::{now_ms, steady_ms},
    partition::{Marker, Partition},
};

/// Clean-ups are written in parts of this size where the topic's `max.message.bytes` allows it.
const APPEND_BYTES_MAX: usize = 256 << 10;
/// What a batch of few records takes besides the large one among them.
const BATCH_BYTES: usize = HEADER_LEN + 256;

static WORDS: Words = Words {
    fails: "group records are not written; groups of this partition stand still",
    again: "group records are written again",
};

/// A shard and its place in the log.
pub(super) struct Shard {
    partition: Arc<Partition>,
    memory: Arc<GroupMemory>,
    pub(super) looks: Arc<Looks>,
    pub(super) running: Running,
    life: Life<Ready, Error>,
    pub(super) alarm: Alarm,
}

struct Ready {
    machine: Machine,
    /// The topics that the machine knows.
    topics: Arc<ClusterTopics>,
    share: Share,
    waiting: Waiting<Answer>,
    journal: Journal,
    /// Looks for topics that nobody was sent for yet.
    lookups: Vec<Lookup>,
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
    pub(super) fn new(
        partition: Arc<Partition>,
        memory: Arc<GroupMemory>,
        looks: Arc<Looks>,
        running: Running,
    ) -> Self {
        let life = Life::new(Error::CoordinatorLoadInProgress);
        Self { partition, memory, looks, running, life, alarm: Alarm::new() }
    }

    pub(super) const fn partition(&self) -> &Arc<Partition> {
        &self.partition
    }

    /// The log is read: the machine begins to answer.
    pub(super) fn open(&self, machine: Machine, broker: &Broker) {
        let topics = Arc::new(ClusterTopics::of(broker));
        let (share, waiting) = (self.memory.share(), Waiting::new());
        let journal = Journal::read(&self.partition, &WORDS);
        let mut ready = Ready { machine, topics, share, waiting, journal, lookups: Vec::new() };
        ready.machine.set_topics(Arc::clone(&ready.topics) as Arc<dyn Topics>);
        let mut state = self.life.lock();
        if state.is_ended() {
            return;
        }
        self.limit_records(&mut ready.machine);
        // Looked at under the lock: topics that go later are told to the machine.
        let image = broker.image();
        let id_of = |name: &str| image.topic(name).map(|topic| topic.id.into_bytes());
        let effects = ready.machine.forget_strangers(id_of);
        ready.act(&self.partition, self.partition.io(), effects);
        ready.see(broker);
        let effects = ready.machine.loaded(|group_id| broker.group_timing(group_id), now());
        ready.act(&self.partition, self.partition.io(), effects);
        *state = State::Open(Box::new(ready));
    }

    /// Answers everybody who waits, and whoever comes later, with `error`.
    pub(super) fn close(&self, error: Error) {
        dismiss(self.life.close(error), error);
    }

    /// [`close`](Self::close) for good: another shard may read what this one wrote.
    pub(super) fn end(&self, error: Error) {
        dismiss(self.life.end(error), error);
    }

    /// Whether the machine answers.
    pub(super) fn is_open(&self) -> bool {
        self.life.is_open()
    }

    /// Puts a question to the machine and waits for the answer. What that writes within a transaction is `origin`'s.
    pub(super) async fn ask_as(
        &self,
        broker: &Broker,
        origin: Origin,
        question: impl FnOnce(Token) -> Input,
    ) -> Result<Answered<Answer>, Error> {
        let answer = {
            let mut state = self.enter()?;
            let ready = self.ready(&mut state)?;
            ready.see(broker);
            let (token, answer) = ready.waiting.enter().ok_or(Error::CoordinatorNotAvailable)?;
            let effects = ready.machine.handle(question(token), now());
            ready.act_as(origin, &self.partition, self.partition.io(), effects);
            self.alarm.no_later_than(ready.machine.next_deadline());
            answer
        };
        answer.await.map_err(|_| Error::CoordinatorNotAvailable)
    }

    /// Writes the marker that ends a producer's transaction: what waited for it counts now, or is gone. Returns the offset
    /// after the marker.
    pub(super) fn end_transaction(&self, marker: Marker) -> Result<i64, NotEnded> {
        let mut state = self.enter().map_err(NotEnded::Shard)?;
        let ready = self.ready(&mut state).map_err(NotEnded::Shard)?;
        let now = now();
        let appended = self.partition.end_transaction(marker, now.wall_ms, self.partition.io());
        let end = appended.map_err(NotEnded::Log)?.last_offset + 1;
        ready.journal.written_to = Some(end);
        ready.machine.end_transaction(marker.producer_id, marker.committed, now.wall_ms);
        ready.share.set(ready.machine.bytes());
        Ok(end)
    }

    /// Forgets what groups committed for topics that are gone, one part per hold of the lock. Says whether all of it is
    /// written.
    pub(super) async fn topics_deleted(&self, topics: &DeletedTopics) -> bool {
        let mut from = None;
        loop {
            let (written, next) = self.some_topics_deleted(topics, from.as_ref());
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
        topics: &DeletedTopics,
        from: Option<&Arc<str>>,
    ) -> (bool, Option<Arc<str>>) {
        let Ok(mut state) = self.enter() else { return (false, None) };
        let Ok(ready) = self.ready(&mut state) else { return (false, None) };
        let (effects, next) = ready.machine.topics_deleted(topics, from);
        (ready.act(&self.partition, self.partition.io(), effects), next)
    }

    /// Looks into the machine; also says how far the log must be stable for that to last.
    pub(super) fn read<T>(
        &self,
        broker: &Broker,
        look: impl FnOnce(&Machine) -> T,
    ) -> Result<(T, Option<i64>), Error> {
        let mut state = self.enter()?;
        let ready = state.ready()?;
        ready.see(broker);
        Ok((look(&ready.machine), ready.journal.written_to))
    }

    /// The lock, for those who ask.
    fn enter(&self) -> Result<MutexGuard<'_, State<Ready, Error>>, Error> {
        self.life.enter(self.partition.lane()).ok_or(Error::CoordinatorNotAvailable)
    }

    /// The machine, if it answers.
    fn ready<'s>(&self, state: &'s mut State<Ready, Error>) -> Result<&'s mut Ready, Error> {
        let ready = state.ready()?;
        self.limit_records(&mut ready.machine);
        ready.machine.limit_bytes(ready.share.limit());
        Ok(ready)
    }

    /// What one append may have at most.
    fn limit_records(&self, machine: &mut Machine) {
        let max_bytes = usize::try_from(self.partition.config().max_message_bytes).unwrap_or(usize::MAX);
        machine.limit_append(max_bytes.saturating_sub(HEADER_LEN).min(APPEND_BYTES_MAX));
        machine.limit_record(max_bytes.saturating_sub(BATCH_BYTES));
    }

    /// A look for topics ended.
    pub(super) fn found(&self, broker: &Broker, found: Found) {
        let mut state = self.life.lock();
        let Ok(ready) = self.ready(&mut state) else { return };
        ready.see(broker);
        let effects = ready.machine.expressions_found(found, now());
        ready.act(&self.partition, self.partition.io(), effects);
        self.alarm.no_later_than(ready.machine.next_deadline());
    }

    /// Lets the machine act once on what is due. There may be more: the next deadline comes back, by the steady clock, and
    /// is past already then. Whoever waits for the lock gets it in between. Says whether the shard is open.
    pub(super) fn on_time(self: &Arc<Self>, broker: &Arc<Broker>) -> bool {
        let mut state = self.life.lock();
        let Ok(ready) = self.ready(&mut state) else { return false };
        ready.see(broker);
        let now = now();
        if ready.machine.next_deadline().is_some_and(|deadline_ms| deadline_ms <= now.steady_ms) {
            let effects = ready.machine.on_time(now);
            ready.act(&self.partition, self.partition.io(), effects);
        }
        self.alarm.set(ready.machine.next_deadline());
        let lookups = std::mem::take(&mut ready.lookups);
        drop(state);
        for lookup in lookups {
            self.running.tasks.spawn(expressions::look(Arc::clone(self), Arc::clone(broker), lookup));
        }
        true
    }
}

/// Whoever waits hears that nobody answers any more.
fn dismiss(ready: Option<Box<Ready>>, error: Error) {
    let Some(mut ready) = ready else { return };
    for Reply { token, answer } in ready.machine.close(error).replies {
        ready.waiting.deliver(token, answer, None);
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
            for Reply { token, answer } in effects.replies {
                let leans_on = self.journal.written_to.filter(|_| answer.gives_partitions());
                self.waiting.deliver(token, answer, stable_at.or(leans_on));
            }
            self.lookups.extend(effects.lookups);
            let mut failed = None;
            for append in effects.appends {
                let now = now();
                let written = match failed {
                    None => self.write(origin, partition, &append, now.wall_ms, io),
                    Some(error) => Err(error),
                };
                let next = match written {
                    Ok(end) => (self.machine.appended(append, now), Some(end)),
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
        self.journal.append(batch, origin, now_ms, io).map_err(|error| match error {
            NotWritten::Refused(error) => refusal(&error),
            NotWritten::Failed => Error::NotCoordinator,
        })
    }
}

/// What the log holds against the producer of a transaction.
fn refusal(error: &AppendError) -> Error {
    match error {
        AppendError::InvalidProducerEpoch { .. } => Error::InvalidProducerEpoch,
        AppendError::TooManyTransactions { .. } => Error::CoordinatorNotAvailable,
        // What was found out about the transaction is out of date: the client asks again, and so does this broker. The code that
        // a Produce request is answered with would be the end of a Java client here.
        AppendError::NotInTransaction { .. } => Error::CoordinatorLoadInProgress,
        _ => Error::InvalidTxnState,
    }
}

/// This moment.
fn now() -> Now {
    Now { wall_ms: now_ms(), steady_ms: steady_ms() }
}
