//! One running shard: the machine of one partition of `__transaction_state` behind a lock.
//!
//! The lock blocks and never spans an await. Invariant: what the machine wants written is written, and handed back to it,
//! before the lock is let go; what the machine then wants said or marked waits until that is stable.

use std::{sync::Arc, time::Duration};

use pagewire_coordinate::{Now, Token, txn};
use pagewire_log::Origin;
use pagewire_record::HEADER_LEN;
use pagewire_zcopy::IoPool;
use parking_lot::MutexGuard;
use tokio::sync::oneshot;
use tracing::{debug, info, warn};

use super::{
    super::{
        batch,
        memory::{GroupMemory, Share},
        running::{self, Alarm, Answered, Journal, Life, State, Unstable, Waiting, Words},
        shards::{self, Running},
    },
    markers,
};
use crate::{
    broker::Broker,
    clock::{now_ms, steady_ms},
    partition::Partition,
};

/// How often a question is put again because no producer id was at hand.
const ASKED_MAX: usize = 3;
/// What a batch takes besides its records, and a record besides its key and value.
const BATCH_BYTES: usize = HEADER_LEN + 64;
/// How long a record may take to be stable.
const STABLE_MAX: Duration = Duration::from_secs(30);

static WORDS: Words = Words {
    fails: "transactions are not written; those of this partition stand still",
    again: "transactions are written again",
};

/// A shard and its place in the log.
pub(super) struct Shard {
    partition: Arc<Partition>,
    memory: Arc<GroupMemory>,
    pub(super) running: Running,
    life: Life<Ready, txn::Error>,
    pub(super) alarm: Alarm,
}

struct Ready {
    machine: txn::Shard,
    share: Share,
    waiting: Waiting<txn::Answer>,
    journal: Journal,
}

/// A partition, and what became of its marker.
pub(super) type Verdict = (Arc<str>, i32, txn::Marked);

impl shards::Shard for Shard {
    fn partition(&self) -> &Arc<Partition> {
        &self.partition
    }

    fn end(&self) {
        dismiss(self.life.end(txn::Error::NotCoordinator), txn::Error::NotCoordinator);
    }
}

impl Shard {
    pub(super) fn new(partition: Arc<Partition>, memory: Arc<GroupMemory>, running: Running) -> Self {
        let life = Life::new(txn::Error::CoordinatorLoadInProgress);
        Self { partition, memory, running, life, alarm: Alarm::new() }
    }

    pub(super) const fn log(&self) -> &Arc<Partition> {
        &self.partition
    }

    /// The log is read: the machine begins to answer.
    pub(super) fn open(&self, machine: txn::Shard) {
        let (share, waiting) = (self.memory.share(), Waiting::new());
        let journal = Journal::read(&self.partition, &WORDS);
        let mut ready = Ready { machine, share, waiting, journal };
        let mut state = self.life.lock();
        if state.is_ended() {
            return;
        }
        ready.machine.limit_append(self.append_bytes());
        ready.machine.loaded(now());
        ready.share.set(ready.machine.bytes());
        *state = State::Open(Box::new(ready));
    }

    /// Answers everybody who waits, and whoever comes later, with `error`.
    pub(super) fn close(&self, error: txn::Error) {
        dismiss(self.life.close(error), error);
    }

    /// Puts a question to the machine and waits for the answer, and until what it promises is stable.
    pub(super) async fn ask(
        self: &Arc<Self>,
        broker: &Arc<Broker>,
        question: impl Fn(Token) -> txn::Input,
    ) -> Result<txn::Answer, txn::Error> {
        let mut answer = Err(txn::Error::CoordinatorLoadInProgress);
        for _ in 0..ASKED_MAX {
            let receiver = self.put(broker, &question)?;
            let Answered { answer: said, stable_at } =
                receiver.await.map_err(|_| txn::Error::CoordinatorNotAvailable)?;
            answer = Ok(match self.stable(broker, stable_at).await {
                Ok(()) => said,
                Err(error) => said.refuse(error),
            });
            let lacks = said.error() == Some(txn::Error::CoordinatorLoadInProgress);
            if !lacks || !self.fetch_producer_id(broker).await {
                return answer;
            }
        }
        answer
    }

    fn put(
        self: &Arc<Self>,
        broker: &Arc<Broker>,
        question: impl Fn(Token) -> txn::Input,
    ) -> Result<oneshot::Receiver<Answered<txn::Answer>>, txn::Error> {
        let mut state = self.enter()?;
        let ready = self.ready(&mut state)?;
        ready.machine.go_by(broker.cluster().features().transaction_version());
        let (token, receiver) = ready.waiting.enter().ok_or(txn::Error::CoordinatorNotAvailable)?;
        let effects = ready.machine.handle(question(token), now());
        let marked = ready.act(&self.partition, self.partition.io(), effects);
        let written_to = ready.journal.written_to;
        self.alarm.no_later_than(ready.machine.next_deadline());
        drop(state);
        self.send(broker, marked, written_to);
        Ok(receiver)
    }

    /// Gets a producer id if the machine lacks one. Says whether it may be asked again.
    pub(super) async fn fetch_producer_id(&self, broker: &Broker) -> bool {
        match self.read(txn::Shard::lacks_producer_id) {
            Ok((true, _)) => {}
            // Somebody else got one meanwhile.
            Ok((false, _)) => return true,
            Err(_) => return false,
        }
        match broker.cluster().next_producer_id().await {
            Ok(producer_id) => {
                let mut state = self.life.lock();
                state.ready().is_ok_and(|ready| {
                    ready.machine.give_producer_id(producer_id);
                    true
                })
            }
            Err(error) => {
                // The metadata says once what keeps it from changing; clients ask again and again.
                debug!(%error, "no producer id could be allocated");
                false
            }
        }
    }

    /// Looks into the machine; also says how far the log must be stable for that to last.
    pub(super) fn read<T>(
        &self,
        look: impl FnOnce(&txn::Shard) -> T,
    ) -> Result<(T, Option<i64>), txn::Error> {
        let mut state = self.enter()?;
        let ready = state.ready()?;
        Ok((look(&ready.machine), ready.journal.written_to))
    }

    /// What became of markers: all that could be written were, or `Err` if none was tried. Says whether that was taken in: it is
    /// not while as many wait for the shard as may.
    pub(super) fn marked(
        self: &Arc<Self>,
        broker: &Arc<Broker>,
        of: &txn::MarkersOf,
        marked: Result<&[Verdict], txn::Error>,
    ) -> bool {
        let Some(mut state) = self.life.enter(self.partition.lane()) else { return false };
        let Ok(ready) = self.ready(&mut state) else { return true };
        let effects = match marked {
            Ok(marked) => ready.machine.markers_written(of, marked, now()),
            Err(error) => ready.machine.markers_failed(of, error, now()),
        };
        let marked = ready.act(&self.partition, self.partition.io(), effects);
        let written_to = ready.journal.written_to;
        self.alarm.no_later_than(ready.machine.next_deadline());
        drop(state);
        self.send(broker, marked, written_to);
        true
    }

    fn send(self: &Arc<Self>, broker: &Arc<Broker>, all: Vec<txn::Markers>, written_to: Option<i64>) {
        for one in all {
            self.running.tasks.spawn(markers::write(Arc::clone(self), Arc::clone(broker), one, written_to));
        }
    }

    /// Waits until everything below `offset` is as durable as acks=all is.
    pub(super) async fn stable(&self, broker: &Broker, offset: Option<i64>) -> Result<(), txn::Error> {
        let Some(offset) = offset else { return Ok(()) };
        let stable = running::stable(broker, &self.partition, offset, STABLE_MAX).await;
        stable.map_err(|unstable| match unstable {
            Unstable::Failed => txn::Error::NotCoordinator,
            Unstable::Late => txn::Error::CoordinatorNotAvailable,
        })
    }

    /// The lock, for those who ask.
    fn enter(&self) -> Result<MutexGuard<'_, State<Ready, txn::Error>>, txn::Error> {
        self.life.enter(self.partition.lane()).ok_or(txn::Error::CoordinatorNotAvailable)
    }

    /// The machine, if it answers.
    fn ready<'s>(&self, state: &'s mut State<Ready, txn::Error>) -> Result<&'s mut Ready, txn::Error> {
        let ready = state.ready()?;
        ready.machine.limit_append(self.append_bytes());
        ready.machine.limit_bytes(ready.share.limit());
        Ok(ready)
    }

    /// What one append may have at most.
    fn append_bytes(&self) -> usize {
        let max_bytes = usize::try_from(self.partition.config().max_message_bytes).unwrap_or(usize::MAX);
        max_bytes.saturating_sub(BATCH_BYTES)
    }

    /// Lets the machine act once on what is due. There may be more: the next deadline comes back, by the steady clock, and
    /// is past already then. Says whether the shard is open.
    pub(super) fn on_time(self: &Arc<Self>, broker: &Arc<Broker>) -> bool {
        let mut state = self.life.lock();
        let Ok(ready) = self.ready(&mut state) else { return false };
        let now = now();
        let mut marked = Vec::new();
        if ready.machine.next_deadline().is_some_and(|deadline_ms| deadline_ms <= now.steady_ms) {
            ready.machine.go_by(broker.cluster().features().transaction_version());
            let effects = ready.machine.on_time(now);
            marked = ready.act(&self.partition, self.partition.io(), effects);
        }
        let written_to = ready.journal.written_to;
        self.alarm.set(ready.machine.next_deadline());
        drop(state);
        self.send(broker, marked, written_to);
        true
    }
}

/// Whoever waits hears that nobody answers any more.
fn dismiss(ready: Option<Box<Ready>>, error: txn::Error) {
    let Some(mut ready) = ready else { return };
    for reply in ready.machine.close(error).replies {
        ready.waiting.deliver(reply.token, reply.answer, None);
    }
}

impl Ready {
    /// Writes what is to be written, in order, and delivers what is to be said, until nothing is left to do but markers.
    fn act(&mut self, partition: &Arc<Partition>, io: &IoPool, effects: txn::Effects) -> Vec<txn::Markers> {
        let (mut todo, mut markers) = (vec![(effects, None)], Vec::new());
        while let Some((effects, stable_at)) = todo.pop() {
            for note in &effects.notes {
                let transactional_id = &*note.transactional_id;
                if note.event.is_routine() {
                    debug!(transactional_id, "{}", note.event);
                } else {
                    info!(transactional_id, "{}", note.event);
                }
            }
            for reply in effects.replies {
                let leans_on = self.journal.written_to.filter(|_| reply.leans);
                self.waiting.deliver(reply.token, reply.answer, stable_at.or(leans_on));
            }
            markers.extend(effects.markers);
            for append in effects.appends {
                let now = now();
                let next = match self.write(partition, &append, now.wall_ms, io) {
                    Ok(end) => (self.machine.appended(append, now), Some(end)),
                    Err(error) => (self.machine.append_failed(&append, error, now), None),
                };
                todo.push(next);
            }
        }
        self.share.set(self.machine.bytes());
        markers
    }

    /// Appends the records as one batch. Returns the offset after it.
    fn write(
        &mut self,
        partition: &Arc<Partition>,
        append: &txn::Append,
        now_ms: i64,
        io: &IoPool,
    ) -> Result<i64, txn::Error> {
        let (topic, index) = (&*partition.topic, partition.index);
        let max_bytes = partition.config().max_message_bytes;
        let records = append.encode().map_err(batch::BatchError::from);
        let batch = records.and_then(|records| batch::of(&records, now_ms, max_bytes)).map_err(|error| {
            warn!(topic, partition = index, %error, "records of a transaction cannot be written");
            txn::Error::UnknownServerError
        })?;
        let written = self.journal.append(batch, Origin::Coordinator, now_ms, io);
        written.map_err(|_| txn::Error::NotCoordinator)
    }
}

/// This moment.
fn now() -> Now {
    Now { wall_ms: now_ms(), steady_ms: steady_ms() }
}
