//! The one thread that writes: takes requests in order, puts those that wait into one transaction, answers after
//! the commit. Sleeps without a timer while there is no lease.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use redb::{Database, Durability};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::file::StoreFile;
use super::tables::{Writing, failed};
use crate::clock::Clock;
use crate::engine::{self, Applied};
use crate::store::{Batch, FailedChange, LeaseId, PutError, StoreError};

/// Requests that may wait; a caller beyond waits for its turn to queue.
const QUEUE_MAX: usize = 256;
/// Requests put into one transaction.
const GROUP_MAX: usize = 64;

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Request {
    Commit(Batch),
    Grant { ttl_ms: i64 },
    KeepAlive(LeaseId),
    Revoke(LeaseId),
    Expire,
}

/// A revision or a lease id.
type Answer = Result<i64, PutError>;

struct Job {
    request: Request,
    reply: oneshot::Sender<Answer>,
    turn: OwnedSemaphorePermit,
}

/// The asking side.
#[derive(Debug)]
pub(super) struct Worker {
    turns: Arc<Semaphore>,
    jobs: Mutex<Option<Sender<Job>>>,
}

impl Worker {
    /// Starts the thread.
    pub(super) fn start(
        file: Arc<StoreFile>,
        clock: Arc<dyn Clock>,
        next_expiry_ms: Option<i64>,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (jobs, incoming) = channel();
        let mut writer = Writer { file, clock, next_expiry_ms, fails: false };
        let thread = std::thread::Builder::new()
            .name("pw-metadata".to_owned())
            .stack_size(256 * 1024)
            .spawn(move || writer.run(&incoming))?;
        Ok((Self { turns: Arc::new(Semaphore::new(QUEUE_MAX)), jobs: Mutex::new(Some(jobs)) }, thread))
    }

    /// Queues a request and waits for its commit. A caller that gives up does not undo it.
    pub(super) async fn call(&self, request: Request) -> Answer {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        match self.jobs.lock().as_ref() {
            Some(jobs) => jobs.send(Job { request, reply, turn }).map_err(|_| StoreError::Closed)?,
            None => return Err(StoreError::Closed.into()),
        }
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Lets the thread end after what is queued.
    pub(super) fn stop(&self) {
        self.jobs.lock().take();
    }
}

/// A transaction that is over.
struct Done {
    answers: Vec<Answer>,
    /// It changed something, and that is on the disk.
    committed: bool,
}

struct Writer {
    file: Arc<StoreFile>,
    clock: Arc<dyn Clock>,
    next_expiry_ms: Option<i64>,
    /// The last transaction failed, and it was said.
    fails: bool,
}

impl Writer {
    fn run(&mut self, incoming: &Receiver<Job>) {
        while let Some(jobs) = self.wait(incoming) {
            let (requests, replies): (Vec<_>, Vec<_>) =
                jobs.into_iter().map(|job| (job.request, (job.reply, job.turn))).unzip();
            let count = requests.len();
            let done = self.group(requests);
            self.tell(&done);
            let answers = match done {
                Ok(done) => done.answers,
                Err(error) => vec![Err(PutError::Store(error)); count],
            };
            for (answer, (reply, turn)) in answers.into_iter().zip(replies) {
                drop(turn);
                // The caller may have gone; the write stands all the same.
                let _ = reply.send(answer);
            }
        }
    }

    /// Says once that transactions fail, and once that they do not any more. One in which nothing was written proves nothing.
    fn tell(&mut self, done: &Result<Done, StoreError>) {
        let failed = match done {
            Ok(Done { committed: false, .. }) => return,
            Ok(Done { committed: true, .. }) => None,
            Err(error) => Some(error),
        };
        match failed {
            Some(error) if !self.fails => tracing::error!(
                path = %self.file.path().display(),
                %error,
                "the metadata cannot be changed: new topics, settings and producers are refused; it is tried again with each"
            ),
            None if self.fails => tracing::info!("the metadata can be changed again"),
            _ => {}
        }
        self.fails = failed.is_some();
        let at_ms = self.clock.now_ms();
        self.file.note(failed.map(|error| FailedChange { at_ms, reason: error.to_string() }));
    }

    /// The next jobs; an empty group when a lease may have ended; none when the store closes.
    fn wait(&self, incoming: &Receiver<Job>) -> Option<Vec<Job>> {
        let first = match self.next_expiry_ms {
            None => incoming.recv().ok()?,
            Some(expiry_ms) => {
                let left_ms = expiry_ms.saturating_sub(self.clock.now_ms()).clamp(1, 60_000);
                match incoming.recv_timeout(Duration::from_millis(left_ms.unsigned_abs())) {
                    Ok(job) => job,
                    Err(RecvTimeoutError::Timeout) => return Some(Vec::new()),
                    Err(RecvTimeoutError::Disconnected) => return None,
                }
            }
        };
        let mut jobs = vec![first];
        while jobs.len() < GROUP_MAX
            && let Ok(job) = incoming.try_recv()
        {
            jobs.push(job);
        }
        Some(jobs)
    }

    /// Runs the requests in one transaction.
    fn group(&mut self, requests: Vec<Request>) -> Result<Done, StoreError> {
        let file = Arc::clone(&self.file);
        file.is_still_there()?;
        file.with(|database| self.commit(database, requests))
    }

    /// Watchers hear of it after the commit.
    fn commit(&mut self, database: &Database, requests: Vec<Request>) -> Result<Done, StoreError> {
        let now_ms = self.clock.now_ms();
        let mut transaction = database.begin_write().map_err(failed)?;
        transaction.set_durability(Durability::Immediate).map_err(failed)?;
        // With one sync, a commit that is damaged later looks like one that a power cut tore, and is dropped in
        // silence.
        transaction.set_two_phase_commit(true);
        let mut changes = Vec::new();
        let mut answers = Vec::with_capacity(requests.len());
        let (committed, next_expiry_ms) = {
            let mut tables = Writing::open(&transaction)?;
            if self.next_expiry_ms.is_some_and(|due_ms| due_ms <= now_ms) {
                for (id, expires_ms) in tables.expiries()? {
                    if expires_ms <= now_ms {
                        changes.push(engine::end_lease(&mut tables, id)?);
                    }
                }
            }
            for request in requests {
                answers.push(match apply(&mut tables, request, now_ms, &mut changes) {
                    Err(PutError::Store(error)) => return Err(error),
                    answer => answer,
                });
            }
            (tables.dirty, tables.expiries()?.into_iter().map(|(_, expires_ms)| expires_ms).min())
        };
        if committed {
            transaction.commit().map_err(failed)?;
        } else {
            transaction.abort().map_err(failed)?;
        }
        self.next_expiry_ms = next_expiry_ms;
        for change in changes {
            self.file.feed().publish(change);
        }
        Ok(Done { answers, committed })
    }
}

fn apply(tables: &mut Writing<'_>, request: Request, now_ms: i64, changes: &mut Vec<Applied>) -> Answer {
    let applied = match request {
        Request::Commit(batch) => engine::commit(tables, batch, now_ms)?,
        Request::Grant { ttl_ms } => return Ok(engine::grant(tables, ttl_ms, now_ms)?.0),
        Request::KeepAlive(id) => return engine::keep_alive(tables, id, now_ms).map(|_| id),
        Request::Revoke(id) => engine::end_lease(tables, id)?,
        Request::Expire => return Ok(0),
    };
    let revision = applied.revision;
    changes.push(applied);
    Ok(revision)
}
