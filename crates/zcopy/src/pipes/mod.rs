//! Pipes for `splice(2)`, reused, with a bound on how many there are.
//!
//! ```text
//!   take()   from those kept, else a new one, widened to pipe_bytes as far as the system allows
//!   drop     empty                     kept, while fewer than idle_max are, else closed
//!            bytes left in it          closed: whatever comes next must not meet them
//!            smaller than others were  closed: the limit that made it small may have passed
//! ```
//!
//! A pipe costs two descriptors, and what is in it pins as many pages. The kernel counts the sizes of all pipes of a
//! user: beyond `/proc/sys/fs/pipe-user-pages-soft` (64 MiB where nobody changed it) unprivileged ones get a page or
//! two. A call for each page is dearer than any copy, so such a pipe counts as none, and for a while none is asked for.

#[cfg(target_os = "linux")]
mod ends;
#[cfg(not(target_os = "linux"))]
#[path = "missing.rs"]
mod ends;
mod pipe;

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use ends::Ends;
pub(crate) use pipe::Pipe;

/// A pipe that holds less is worth nothing. As pipes come, they hold this much.
const PIPE_BYTES_MIN: usize = 64 << 10;
/// After one that held less, so many takes do without.
const TAKES_TO_RETRY: u32 = 256;

/// Bounds of a [`PipePool`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PipeOptions {
    /// Pipes there are at most, in use and idle. Default 64: of the default size, as many as the kernel's default lets
    /// an unprivileged user have. Who needs one more does without (and copies).
    pub pipes_max: usize,
    /// Idle pipes that are kept at most. Default 16.
    pub idle_max: usize,
    /// Bytes that a pipe should hold; a power of two. Default 1 MiB, which is also what
    /// `/proc/sys/fs/pipe-max-size` allows by default: one that holds 64 KiB, as pipes come, costs 10 to 47 % more CPU
    /// than `sendfile`, one that holds 1 MiB about as much as that.
    pub pipe_bytes: usize,
}

impl Default for PipeOptions {
    fn default() -> Self {
        Self { pipes_max: 64, idle_max: 16, pipe_bytes: 1 << 20 }
    }
}

/// What a [`PipePool`] holds and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PipeUsage {
    /// Pipes that are out.
    pub in_use: usize,
    /// Pipes that are kept.
    pub idle: usize,
    /// Pipes made, since the pool was.
    pub made: u64,
    /// Times an idle one was taken.
    pub reused: u64,
    /// Pipes closed because bytes were left in them.
    pub discarded: u64,
    /// Times somebody had to do without: at the bound, out of descriptors, or at the system's bound for all pipes of a
    /// user.
    pub exhausted: u64,
    /// Bytes that the largest of them holds.
    pub pipe_bytes: usize,
}

/// A bounded pool of pipes for `splice(2)`, <https://man7.org/linux/man-pages/man7/pipe.7.html>. A handle; clones share
/// the pool. A pipe keeps its pool alive. Each costs two descriptors; one with bytes left in it is closed and not kept.
#[derive(Debug, Clone)]
pub struct PipePool {
    store: Arc<Store>,
}

impl PipePool {
    /// An empty pool; makes no pipe yet.
    pub fn new(options: PipeOptions) -> Self {
        Self { store: Arc::new(Store { options, state: Mutex::default() }) }
    }

    /// Its bounds.
    pub fn options(&self) -> PipeOptions {
        self.store.options
    }

    /// What it holds now, and did so far.
    pub fn usage(&self) -> PipeUsage {
        self.store.state.lock().usage
    }

    /// Whether more than half of the pipes that there may be are out.
    #[cfg(target_os = "linux")]
    pub(crate) fn is_scarce(&self) -> bool {
        self.store.state.lock().usage.in_use > self.store.options.pipes_max / 2
    }

    /// An empty pipe. `None`: there are as many as may be, or the process is out of descriptors.
    ///
    /// # Errors
    /// What `pipe2(2)` reports beyond that: a sandbox's refusal.
    pub(crate) fn take(&self) -> io::Result<Option<Pipe>> {
        let ends = self.store.take()?;
        Ok(ends.map(|ends| Pipe::new(ends, Arc::clone(&self.store))))
    }
}

/// The shared part of a pool; its pipes hold on to it as well.
#[derive(Debug)]
struct Store {
    options: PipeOptions,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Ends>,
    usage: PipeUsage,
    /// So many more takes do without before a pipe is made again.
    pause: u32,
}

// Pipes are made and closed outside the lock, everywhere below.
impl Store {
    fn take(&self) -> io::Result<Option<Ends>> {
        {
            let mut state = self.state.lock();
            if let Some(ends) = state.idle.pop() {
                state.usage.idle = state.idle.len();
                state.usage.reused += 1;
                state.usage.in_use += 1;
                return Ok(Some(ends));
            }
            if state.pause > 0 || state.usage.in_use >= self.options.pipes_max {
                state.pause = state.pause.saturating_sub(1);
                state.usage.exhausted += 1;
                return Ok(None);
            }
            state.usage.in_use += 1;
        }
        self.made(Ends::new(self.options.pipe_bytes))
    }

    /// Takes in what came of making one.
    fn made(&self, made: io::Result<Ends>) -> io::Result<Option<Ends>> {
        let mut state = self.state.lock();
        match made {
            Ok(ends) if ends.capacity() < PIPE_BYTES_MIN => {
                state.usage.in_use -= 1;
                state.usage.exhausted += 1;
                state.pause = TAKES_TO_RETRY;
                Ok(None)
            }
            Ok(ends) => {
                state.usage.made += 1;
                state.usage.pipe_bytes = state.usage.pipe_bytes.max(ends.capacity());
                Ok(Some(ends))
            }
            Err(error) => {
                state.usage.in_use -= 1;
                if !ends::out_of(&error) {
                    return Err(error);
                }
                state.usage.exhausted += 1;
                Ok(None)
            }
        }
    }

    fn put_back(&self, ends: Ends, empty: bool) {
        // Dropped, and so closed, behind the lock.
        let mut too_many = Some(ends);
        let mut state = self.state.lock();
        state.usage.in_use = state.usage.in_use.saturating_sub(1);
        state.usage.discarded += u64::from(!empty);
        let (room, largest) = (state.idle.len() < self.options.idle_max, state.usage.pipe_bytes);
        if let Some(ends) = too_many.take_if(|ends| empty && room && ends.capacity() >= largest) {
            state.idle.push(ends);
        }
        state.usage.idle = state.idle.len();
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn pool(pipes_max: usize, idle_max: usize) -> PipePool {
        PipePool::new(PipeOptions { pipes_max, idle_max, ..PipeOptions::default() })
    }

    fn pipe_of(pool: &PipePool) -> Pipe {
        pool.take().expect("the system has pipes").expect("the pool has room")
    }

    #[test]
    fn an_empty_pipe_is_used_again_and_one_with_bytes_in_it_is_not() {
        let pool = pool(4, 4);
        let mut pipe = pipe_of(&pool);
        rustix::io::write(pipe.write_end().expect("open"), b"left").expect("writing");
        pipe.filled(4);
        drop(pipe);
        assert_eq!((pool.usage().discarded, pool.usage().idle), (1, 0));
        drop(pipe_of(&pool));
        drop(pipe_of(&pool));
        let usage = pool.usage();
        assert_eq!((usage.made, usage.reused, usage.idle, usage.in_use), (2, 1, 1, 0));
    }

    #[test]
    fn there_are_never_more_than_the_bound_and_few_are_kept() {
        let pool = pool(3, 2);
        let pipes: Vec<_> = (0..3).map(|_| pipe_of(&pool)).collect();
        assert!(pool.take().expect("no error").is_none());
        assert_eq!((pool.usage().in_use, pool.usage().exhausted), (3, 1));
        drop(pipes);
        assert_eq!((pool.usage().in_use, pool.usage().idle), (0, 2));
    }

    #[test]
    fn a_pipe_is_as_large_as_the_system_allows() {
        let usual =
            pipe_of(&PipePool::new(PipeOptions { pipe_bytes: 1, ..PipeOptions::default() })).capacity();
        let wide = pipe_of(&pool(1, 1)).capacity();
        assert!(wide >= usual && wide <= 1 << 20, "{wide} bytes, where {usual} are usual");
        let huge = PipePool::new(PipeOptions { pipe_bytes: 1 << 40, ..PipeOptions::default() });
        assert!(pipe_of(&huge).capacity() >= wide, "what cannot be had is no error");
    }

    #[test]
    fn a_pipe_of_a_page_is_none_and_for_a_while_none_is_made() {
        let pool = pool(4, 4);
        let mut tiny = Ends::new(1).expect("a pipe");
        tiny.shrink_to(4096).expect("smaller is always allowed");
        pool.store.state.lock().usage.in_use += 1;
        assert!(pool.store.made(Ok(tiny)).expect("no error").is_none());
        for _ in 0..TAKES_TO_RETRY {
            assert!(pool.take().expect("no error").is_none());
        }
        assert!(pool.take().expect("no error").is_some(), "it is tried again");
        let usage = pool.usage();
        assert_eq!((usage.made, usage.exhausted), (1, 1 + u64::from(TAKES_TO_RETRY)));
    }

    #[test]
    fn what_is_in_a_pipe_can_be_read_out() {
        let pool = pool(1, 1);
        let mut pipe = pipe_of(&pool);
        rustix::io::write(pipe.write_end().expect("open"), b"eleven byte").expect("writing");
        pipe.filled(11);
        let mut into = [0; 8];
        assert_eq!((pipe.read(&mut into).expect("reading"), &into), (8, b"eleven b"));
        assert_eq!((pipe.read(&mut into).expect("reading"), &into[..3]), (3, &b"yte"[..]));
        assert_eq!(pipe.read(&mut into).expect("nothing waits"), 0);
        drop(pipe);
        assert_eq!(pool.usage().idle, 1);
    }
}
