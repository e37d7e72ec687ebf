//! What a pool keeps and counts: idle maps by class, bytes out and bytes kept, and the one bound on both.

use std::time::Duration;

use parking_lot::Mutex;

use super::class::{self, CHARGED_WHOLE_MAX, CLASSES};
use super::share;
use crate::sys::AnonymousMap;

/// Bounds of a [`BufferPool`](super::BufferPool).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolOptions {
    /// Bytes of all buffers together, those in use and those kept. Default 256 MiB.
    pub max_bytes: usize,
    /// Of these, bytes of buffers kept for reuse. Default 4 MiB. Where [`trim`](super::BufferPool::trim) is called
    /// every few seconds, 32 MiB cost a process at rest nothing and spare a busy one most of its page faults.
    pub idle_max_bytes: usize,
    /// While somebody waits for memory, how long half a frame may hold some without progress. Default 5 s.
    pub patience: Duration,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self { max_bytes: 256 << 20, idle_max_bytes: 4 << 20, patience: Duration::from_secs(5) }
    }
}

/// The pool's bound is reached, or the part of it that is for smaller buffers: wait until a buffer comes back, or do with less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the buffer pool's {max_bytes} bytes are in use")]
pub struct Exhausted {
    /// The bound.
    pub max_bytes: usize,
}

/// What a pool holds now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PoolUsage {
    /// Bytes of buffers that are out.
    pub in_use_bytes: usize,
    /// Bytes of buffers kept for reuse.
    pub idle_bytes: usize,
    /// Takes that were answered by a buffer kept.
    pub reused: u64,
    /// Takes that mapped a new one.
    pub mapped: u64,
    /// Takes refused.
    pub exhausted: u64,
    /// Receivers told to give up half a frame, because others waited.
    pub evicted: u64,
}

/// The shared part of a pool; its buffers hold on to it as well.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) options: PoolOptions,
    state: Mutex<State>,
    #[cfg(feature = "tokio")]
    pub(super) released: tokio::sync::Notify,
    #[cfg(feature = "tokio")]
    pub(super) holders: super::holders::Holders,
}

#[derive(Debug, Default)]
struct State {
    idle: [Idle; CLASSES.len()],
    usage: PoolUsage,
}

/// The kept buffers of one class; the newest is taken first, its pages are the warmest.
#[derive(Debug, Default)]
struct Idle {
    maps: Vec<AnonymousMap>,
    /// The fewest there were since the last trim: so many were not needed.
    fewest: usize,
}

// Maps that are not kept are unmapped outside the lock, everywhere below: it takes the kernel tens of microseconds.
impl Store {
    pub(super) fn new(options: PoolOptions) -> Self {
        Self {
            options,
            state: Mutex::default(),
            #[cfg(feature = "tokio")]
            released: tokio::sync::Notify::new(),
            #[cfg(feature = "tokio")]
            holders: super::holders::Holders::default(),
        }
    }

    /// A map for at least `min_len` bytes, and how many bytes were charged for it.
    pub(super) fn take(&self, min_len: usize) -> Result<(AnonymousMap, usize), Exhausted> {
        let class = class::of(min_len);
        let len = class.map_or(min_len, class::size);
        let charged = if len <= CHARGED_WHOLE_MAX { len } else { 0 };
        let mut given_back = Vec::new();
        let mut state = self.state.lock();
        if state.allows(len, self.limits(min_len, 0))
            && let Some(map) = class.and_then(|class| state.pop(class))
        {
            state.usage.reused += 1;
            state.usage.in_use_bytes += len;
            return Ok((map, len));
        }
        if !state.make_room(charged, self.limits(min_len, 0), &mut given_back) {
            return Err(self.refuse(&mut state));
        }
        state.usage.in_use_bytes += charged;
        drop(state);
        drop(given_back);
        self.map(len, charged).map(|map| (map, charged))
    }

    /// Whether `bytes` for something of `asked` would be allowed now.
    pub(super) fn check(&self, bytes: usize, asked: usize) -> Result<(), Exhausted> {
        let mut state = self.state.lock();
        if state.allows(bytes, self.limits(asked, 0)) { Ok(()) } else { Err(self.refuse(&mut state)) }
    }

    /// A new map of `len` bytes, for which `charged` are counted already.
    pub(super) fn map(&self, len: usize, charged: usize) -> Result<AnonymousMap, Exhausted> {
        let map = AnonymousMap::new(len);
        let mut state = self.state.lock();
        let Ok(map) = map else {
            state.usage.in_use_bytes -= charged;
            return Err(self.refuse(&mut state));
        };
        state.usage.mapped += 1;
        Ok(map)
    }

    /// Charges `bytes` more for a map that fills, of which `own` are charged already, and which is to hold `asked`.
    pub(super) fn charge(&self, bytes: usize, own: usize, asked: usize) -> Result<(), Exhausted> {
        let mut given_back = Vec::new();
        let mut state = self.state.lock();
        if !state.make_room(bytes, self.limits(asked, own), &mut given_back) {
            return Err(self.refuse(&mut state));
        }
        state.usage.in_use_bytes += bytes;
        drop(state);
        drop(given_back);
        Ok(())
    }

    /// Takes back a map for which `charged` bytes were charged.
    pub(super) fn put_back(&self, map: AnonymousMap, charged: usize) {
        let mut too_many = Some(map);
        let mut state = self.state.lock();
        state.usage.in_use_bytes = state.usage.in_use_bytes.saturating_sub(charged);
        let allowed = self.options.idle_max_bytes.saturating_sub(state.usage.idle_bytes);
        let bound = self.options.max_bytes.saturating_sub(state.usage.in_use_bytes + state.usage.idle_bytes);
        if let Some(class) = too_many.as_ref().and_then(|map| class::exactly(map.len()))
            && let Some(map) = too_many.take_if(|map| map.len() <= allowed.min(bound))
        {
            state.push(class, map);
        }
        drop(state);
        drop(too_many);
        // A map that was never charged gives nothing back: telling so would set those who wait on one another.
        #[cfg(feature = "tokio")]
        if charged > 0 {
            self.released.notify_waiters();
        }
    }

    pub(super) fn usage(&self) -> PoolUsage {
        self.state.lock().usage
    }

    /// Unmaps the idle maps that were not needed since the trim before.
    pub(super) fn trim(&self) {
        let mut given_back = Vec::new();
        let mut state = self.state.lock();
        for class in 0..CLASSES.len() {
            let fewest = state.idle.get(class).map_or(0, |idle| idle.fewest);
            for _ in 0..fewest {
                given_back.extend(state.pop(class));
            }
            if let Some(idle) = state.idle.get_mut(class) {
                idle.fewest = idle.maps.len();
            }
        }
        drop(state);
        drop(given_back);
    }

    /// Somebody waits for memory: see `holders`.
    #[cfg(feature = "tokio")]
    pub(super) fn relieve(&self, now: std::time::Instant) {
        if self.holders.relieve(self.options.patience, now) {
            self.state.lock().usage.evicted += 1;
        }
    }

    fn limits(&self, asked: usize, own: usize) -> Limits {
        let max = self.options.max_bytes;
        Limits { max, ceiling: share::ceiling(max, asked), own }
    }

    fn refuse(&self, state: &mut State) -> Exhausted {
        state.usage.exhausted += 1;
        Exhausted { max_bytes: self.options.max_bytes }
    }
}

/// What bounds one charge.
#[derive(Clone, Copy)]
struct Limits {
    max: usize,
    /// For buffers of this size; whoever is alone may go on to `max`.
    ceiling: usize,
    own: usize,
}

impl State {
    fn allows(&self, bytes: usize, limits: Limits) -> bool {
        let out = self.usage.in_use_bytes;
        let ceiling = if out <= limits.own { limits.max } else { limits.ceiling };
        out.saturating_add(bytes) <= ceiling
    }

    fn pop(&mut self, class: usize) -> Option<AnonymousMap> {
        let idle = self.idle.get_mut(class)?;
        let map = idle.maps.pop()?;
        idle.fewest = idle.fewest.min(idle.maps.len());
        self.usage.idle_bytes = self.usage.idle_bytes.saturating_sub(map.len());
        Some(map)
    }

    fn push(&mut self, class: usize, map: AnonymousMap) {
        if let Some(idle) = self.idle.get_mut(class) {
            self.usage.idle_bytes += map.len();
            idle.maps.push(map);
        }
    }

    /// Whether `bytes` more are allowed, once idle maps have made way into `given_back`.
    fn make_room(&mut self, bytes: usize, limits: Limits, given_back: &mut Vec<AnonymousMap>) -> bool {
        if !self.allows(bytes, limits) {
            return false;
        }
        let fits = |usage: &PoolUsage| {
            usage.in_use_bytes.saturating_add(usage.idle_bytes).saturating_add(bytes) <= limits.max
        };
        for class in (0..CLASSES.len()).rev() {
            while !fits(&self.usage) {
                let Some(map) = self.pop(class) else { break };
                given_back.push(map);
            }
        }
        true
    }
}
