//! One lane of a pool: a bounded queue and the threads that empty it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Jobs are system calls and small loops; they need little stack.
const STACK_BYTES: usize = 256 * 1024;

pub(super) type Job = Box<dyn FnOnce() + Send>;

#[derive(Debug)]
pub(super) struct Lane {
    thread_name: &'static str,
    threads_max: usize,
    queue_max: usize,
    idle_max: Duration,
    state: Mutex<State>,
    work: Condvar,
    #[cfg(feature = "tokio")]
    pub(super) room: tokio::sync::Notify,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    threads: usize,
    idle: usize,
    closed: bool,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("queued", &self.queue.len())
            .field("threads", &self.threads)
            .field("idle", &self.idle)
            .finish_non_exhaustive()
    }
}

impl Lane {
    pub(super) fn new(
        thread_name: &'static str,
        threads: usize,
        queue_max: usize,
        idle_max: Duration,
    ) -> Arc<Self> {
        Arc::new(Self {
            thread_name,
            threads_max: threads.max(1),
            queue_max: queue_max.max(1),
            idle_max,
            state: Mutex::default(),
            work: Condvar::new(),
            #[cfg(feature = "tokio")]
            room: tokio::sync::Notify::new(),
        })
    }

    /// One like it, empty.
    pub(super) fn another(&self) -> Arc<Self> {
        Self::new(self.thread_name, self.threads_max, self.queue_max, self.idle_max)
    }

    /// Queues `job`, or gives it back: the queue is full, or there is no thread and none can be started.
    pub(super) fn submit(self: &Arc<Self>, job: Job) -> Result<(), Job> {
        let mut state = self.state.lock();
        if state.queue.len() >= self.queue_max {
            return Err(job);
        }
        // Jobs queued already have claimed the idle threads before this one.
        if state.idle <= state.queue.len() && state.threads < self.threads_max {
            match self.spawn() {
                Ok(()) => state.threads += 1,
                Err(_) if state.threads > 0 => {}
                Err(_) => return Err(job),
            }
        }
        state.queue.push_back(job);
        drop(state);
        self.work.notify_one();
        Ok(())
    }

    /// Queues `job` from the end of another one, whose thread looks for the next then: nobody has to be woken. Gives it back if the
    /// queue is full.
    pub(super) fn follow(&self, job: Job) -> Result<(), Job> {
        let mut state = self.state.lock();
        if state.queue.len() >= self.queue_max {
            return Err(job);
        }
        state.queue.push_back(job);
        Ok(())
    }

    pub(super) fn threads(&self) -> usize {
        self.state.lock().threads
    }

    pub(super) fn queued(&self) -> usize {
        self.state.lock().queue.len()
    }

    /// Whether the next job would have a thread at once.
    pub(super) fn has_room(&self) -> bool {
        let state = self.state.lock();
        state.queue.is_empty() && (state.idle > 0 || state.threads < self.threads_max)
    }

    /// Drops the jobs that wait, unrun.
    pub(super) fn discard(&self) {
        // Dropped without the lock: a job may own anything.
        let queue = std::mem::take(&mut self.state.lock().queue);
        drop(queue);
        #[cfg(feature = "tokio")]
        self.room.notify_waiters();
    }

    /// Lets the threads end once the queue is empty.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.work.notify_all();
    }

    fn spawn(self: &Arc<Self>) -> std::io::Result<()> {
        let lane = Arc::clone(self);
        std::thread::Builder::new()
            .name(self.thread_name.into())
            .stack_size(STACK_BYTES)
            .spawn(move || lane.work())
            .map(drop)
    }

    fn work(&self) {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.queue.pop_front() {
                drop(state);
                #[cfg(feature = "tokio")]
                self.room.notify_one();
                // A job that was only submitted has nobody to tell; the panic hook has printed it.
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
                state = self.state.lock();
                continue;
            }
            if state.closed {
                break;
            }
            state.idle += 1;
            let timed_out = self.work.wait_for(&mut state, self.idle_max).timed_out();
            state.idle -= 1;
            if timed_out && state.queue.is_empty() {
                break;
            }
        }
        state.threads -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};
    use std::thread::ThreadId;

    use super::*;

    /// Tells which thread it runs on, and is followed by so many others.
    fn one_of(lane: &Arc<Lane>, left: usize, tell: Sender<ThreadId>) -> Job {
        let lane = Arc::clone(lane);
        Box::new(move || {
            tell.send(std::thread::current().id()).expect("somebody waits");
            if let Some(left) = left.checked_sub(1)
                && lane.follow(one_of(&lane, left, tell)).is_err()
            {
                unreachable!("there is room");
            }
        })
    }

    #[test]
    fn jobs_that_follow_each_other_keep_their_thread_and_start_no_other() {
        let lane = Lane::new("lane", 2, 4, Duration::from_mins(1));
        let (tell, told) = channel();
        assert!(lane.submit(one_of(&lane, 99, tell)).is_ok());
        let threads: Vec<_> = told.iter().collect();
        assert_eq!(threads.len(), 100);
        assert!(threads.windows(2).all(|two| two[0] == two[1]));
        assert_eq!(lane.threads(), 1);
        lane.close();
    }
}
