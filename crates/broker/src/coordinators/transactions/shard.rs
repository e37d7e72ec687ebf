//! One running shard: the machine of one partition of `__transaction_state` behind a lock.
//!
//! The lock blocks and never spans an await. Invariant: what the machine wants written is written, and handed back to it,
//! before the lock is let go; what the machine then wants said or marked waits until that is stable.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use foldhash::fast::RandomState;
use pagewire_coordinate::{Now, Token, txn};
use pagewire_log::Origin;
use pagewire_record::HEADER_LEN;
use pagewire_zcopy::IoPool;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tracing::{debug, error, info, warn};

use super::{
    super::{
        batch,
        memory::{GroupMemory, Share},
        shards::{self, Running},
    },
    markers::{self, Marking},
};
use crate::{
    broker::Broker,
    clock::{now_ms, steady_ms},
    partition::{CommitError, Partition},
};

/// Requests that may wait for an answer of one shard; one more is told to come back later.
const WAITING_MAX: usize = 100_000;
/// How often a question is put again because no producer id was at hand.
const ASKED_MAX: usize = 3;
/// What a batch takes besides its records, and a record besides its key and value.
const BATCH_BYTES: usize = HEADER_LEN + 64;
/// How long a record may take to be stable.
const STABLE_MAX: Duration = Duration::from_secs(30);

/// A shard and its place in the log.
pub(super) struct Shard {
    partition: Arc<Partition>,
    memory: Arc<GroupMemory>,
    pub(super) marking: Arc<Marking>,
    pub(super) running: Running,
    state: Mutex<State>,
    /// Tells the timer that there is an earlier deadline than the one it sleeps for.
    pub(super) earlier: Notify,
    sleeping_until_ms: AtomicI64,
}

enum State {
    Loading,
    Ready(Box<Ready>),
    /// Its log cannot be read at the moment, or the node stops.
    Closed(txn::Error),
    /// Another shard took its place: it never answers again.
    Ended(txn::Error),
}

struct Ready {
    machine: txn::Shard,
    share: Share,
    waiting: HashMap<Token, oneshot::Sender<Answered>, RandomState>,
    last_token: u64,
    /// The end of what this shard read and wrote.
    written_to: Option<i64>,
    /// The last write failed, and that was said.
    fails: bool,
}

/// A partition, and what became of its marker.
pub(super) type Verdict = (Arc<str>, i32, txn::Marked);

/// An answer, and how far the log must be stable before it may be told.
struct Answered {
    answer: txn::Answer,
    stable_at: Option<i64>,
}

impl shards::Shard for Shard {
    fn partition(&self) -> &Arc<Partition> {
        &self.partition
    }

    fn end(&self) {
        self.leave(State::Ended(txn::Error::NotCoordinator), txn::Error::NotCoordinator);
    }
}

impl Shard {
    pub(super) fn new(
        partition: Arc<Partition>,
        memory: Arc<GroupMemory>,
        marking: Arc<Marking>,
        running: Running,
    ) -> Self {
        Self {
            partition,
            memory,
            marking,
            running,
            state: Mutex::new(State::Loading),
            earlier: Notify::new(),
            sleeping_until_ms: AtomicI64::new(i64::MAX),
        }
    }

    pub(super) const fn log(&self) -> &Arc<Partition> {
        &self.partition
    }

    /// The log is read: the machine begins to answer. What was read counts as written by this shard: after a crash it may
    /// not be on stable storage yet.
    pub(super) fn open(&self, machine: txn::Shard) {
        let written_to = Some(self.partition.log.marks().log_end);
        let share = self.memory.share();
        let mut ready =
            Ready { machine, share, waiting: HashMap::default(), last_token: 0, written_to, fails: false };
        let mut state = self.state.lock();
        if matches!(*state, State::Ended(_)) {
            return;
        }
        ready.machine.limit_append(self.append_bytes());
        ready.machine.loaded(now());
        ready.share.set(ready.machine.bytes());
        *state = State::Ready(Box::new(ready));
    }

    /// Answers everybody who waits, and whoever comes later, with `error`.
    pub(super) fn close(&self, error: txn::Error) {
        self.leave(State::Closed(error), error);
    }

    fn leave(&self, to: State, error: txn::Error) {
        let before = {
            let mut state = self.state.lock();
            if matches!(*state, State::Ended(_)) {
                return;
            }
            std::mem::replace(&mut *state, to)
        };
        if let State::Ready(mut ready) = before {
            for reply in ready.machine.close(error).replies {
                ready.deliver(&reply, None);
            }
        }
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
    ) -> Result<oneshot::Receiver<Answered>, txn::Error> {
        let mut state = self.state.lock();
        let ready = self.ready(&mut state)?;
        if ready.waiting.len() >= WAITING_MAX {
            return Err(txn::Error::CoordinatorNotAvailable);
        }
        ready.last_token += 1;
        let token = Token(ready.last_token);
        let (sender, receiver) = oneshot::channel();
        ready.waiting.insert(token, sender);
        let effects = ready.machine.handle(question(token), now());
        let marked = ready.act(&self.partition, broker.io(), effects);
        let written_to = ready.written_to;
        self.call_timer(ready);
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
                let mut state = self.state.lock();
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
        let mut state = self.state.lock();
        let ready = state.ready()?;
        Ok((look(&ready.machine), ready.written_to))
    }

    /// What became of markers: all that could be written were, or `Err` if none was tried.
    pub(super) fn marked(
        self: &Arc<Self>,
        broker: &Arc<Broker>,
        of: &txn::MarkersOf,
        marked: Result<&[Verdict], txn::Error>,
    ) {
        let mut state = self.state.lock();
        let Ok(ready) = self.ready(&mut state) else { return };
        let effects = match marked {
            Ok(marked) => ready.machine.markers_written(of, marked, now()),
            Err(error) => ready.machine.markers_failed(of, error, now()),
        };
        let marked = ready.act(&self.partition, broker.io(), effects);
        let written_to = ready.written_to;
        self.call_timer(ready);
        drop(state);
        self.send(broker, marked, written_to);
    }

    fn send(self: &Arc<Self>, broker: &Arc<Broker>, all: Vec<txn::Markers>, written_to: Option<i64>) {
        for one in all {
            self.running.tasks.spawn(markers::write(Arc::clone(self), Arc::clone(broker), one, written_to));
        }
    }

    /// Waits until everything below `offset` is as durable as acks=all is.
    pub(super) async fn stable(&self, broker: &Broker, offset: Option<i64>) -> Result<(), txn::Error> {
        let Some(offset) = offset.filter(|_| broker.config().acks_all_is_stable) else { return Ok(()) };
        match tokio::time::timeout(STABLE_MAX, self.partition.stable(offset, broker.io())).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(CommitError::Failed(_))) => Err(txn::Error::NotCoordinator),
            Ok(Err(CommitError::Busy)) | Err(_) => Err(txn::Error::CoordinatorNotAvailable),
        }
    }

    /// The machine, if it answers.
    fn ready<'s>(&self, state: &'s mut State) -> Result<&'s mut Ready, txn::Error> {
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
    /// is past already then. None when the shard is closed.
    pub(super) fn on_time(self: &Arc<Self>, broker: &Arc<Broker>) -> Option<i64> {
        let mut state = self.state.lock();
        let ready = self.ready(&mut state).ok()?;
        let now = now();
        let mut marked = Vec::new();
        if ready.machine.next_deadline().is_some_and(|deadline_ms| deadline_ms <= now.steady_ms) {
            let effects = ready.machine.on_time(now);
            marked = ready.act(&self.partition, broker.io(), effects);
        }
        let deadline_ms = ready.machine.next_deadline().unwrap_or(i64::MAX);
        let written_to = ready.written_to;
        self.sleeping_until_ms.store(deadline_ms, Ordering::Release);
        drop(state);
        self.send(broker, marked, written_to);
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
    fn ready(&mut self) -> Result<&mut Ready, txn::Error> {
        match self {
            Self::Ready(ready) => Ok(ready),
            Self::Loading => Err(txn::Error::CoordinatorLoadInProgress),
            Self::Closed(error) | Self::Ended(error) => Err(*error),
        }
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
                self.deliver(&reply, stable_at);
            }
            markers.extend(effects.markers);
            for append in effects.appends {
                let now = now();
                let next = match self.write(partition, &append, now.wall_ms, io) {
                    Ok(end) => {
                        self.written_to = Some(end);
                        (self.machine.appended(append, now), Some(end))
                    }
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
        let written = partition.append(batch, Origin::Coordinator, now_ms, io);
        // Said once, and once that it is over.
        let failed_before = std::mem::replace(&mut self.fails, written.is_err());
        match &written {
            Err(error) if !failed_before => {
                warn!(topic, partition = index, %error, "transactions are not written; those of this partition stand still");
            }
            Ok(_) if failed_before => info!(topic, partition = index, "transactions are written again"),
            _ => {}
        }
        written.map(|appended| appended.last_offset + 1).map_err(|_| txn::Error::NotCoordinator)
    }

    fn deliver(&mut self, reply: &txn::Reply, stable_at: Option<i64>) {
        let Some(asker) = self.waiting.remove(&reply.token) else {
            error!(token = reply.token.0, "the transaction coordinator answered a question twice");
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
