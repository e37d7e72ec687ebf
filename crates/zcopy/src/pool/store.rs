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

/// The pool's bound is reached, or the part of it that is for smaller buffers: wait until a buffer comes back, or do
/// with less.
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
    /// With no more than so many bytes out, somebody who was refused may find room: the most of all that were, since
    /// those who wait were told last.
    #[cfg(feature = "tokio")]
    room_at: Option<usize>,
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
        let limits = self.limits(min_len, 0);
        let class = class::of(min_len);
        let len = class.map_or(min_len, class::size);
        let charged = if len <= CHARGED_WHOLE_MAX { len } else { 0 };
        let mut given_back = Vec::new();
        let mut state = self.state.lock();
        if state.allows(len, limits)
            && let Some(map) = class.and_then(|class| state.pop(class))
        {
            state.usage.reused += 1;
            state.usage.in_use_bytes += len;
            return Ok((map, len));
        }
        if !state.make_room(charged, limits, &mut given_back) {
            return Err(self.refuse(&mut state, limits.room_for(charged)));
        }
        state.usage.in_use_bytes += charged;
        drop(state);
        drop(given_back);
        self.map(len, charged).map(|map| (map, charged))
    }

    /// Whether `bytes` for something of `asked` would be allowed now.
    pub(super) fn check(&self, bytes: usize, asked: usize) -> Result<(), Exhausted> {
        let limits = self.limits(asked, 0);
        let mut state = self.state.lock();
        if state.allows(bytes, limits) {
            Ok(())
        } else {
            Err(self.refuse(&mut state, limits.room_for(bytes)))
        }
    }

    /// A new map of `len` bytes, for which `charged` are counted already.
    pub(super) fn map(&self, len: usize, charged: usize) -> Result<AnonymousMap, Exhausted> {
        let map = AnonymousMap::new(len);
        let mut state = self.state.lock();
        let Ok(map) = map else {
            state.usage.in_use_bytes -= charged;
            // Not the bound: whatever is given back may help.
            return Err(self.refuse(&mut state, usize::MAX));
        };
        state.usage.mapped += 1;
        Ok(map)
    }

    /// Charges `bytes` more for a map that fills, of which `own` are charged already, and which is to hold `asked`.
    pub(super) fn charge(&self, bytes: usize, own: usize, asked: usize) -> Result<(), Exhausted> {
        let mut given_back = Vec::new();
        let mut state = self.state.lock();
        let limits = self.limits(asked, own);
        if !state.make_room(bytes, limits, &mut given_back) {
            return Err(self.refuse(&mut state, limits.room_for(bytes)));
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
        // A map that was never charged gives nothing back: telling so would set those who wait on one another. Nor is
        // any told before one of them can have found room: who looks in vain costs as much as who finds some.
        #[cfg(feature = "tokio")]
        let is_room = charged > 0 && state.room_now();
        drop(state);
        drop(too_many);
        #[cfg(feature = "tokio")]
        if is_room {
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

    /// `room_at`: see [`Limits::room_for`].
    #[cfg_attr(not(feature = "tokio"), expect(unused_variables, reason = "nobody waits"))]
    fn refuse(&self, state: &mut State, room_at: usize) -> Exhausted {
        state.usage.exhausted += 1;
        #[cfg(feature = "tokio")]
        {
            state.room_at = state.room_at.max(Some(room_at));
        }
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

impl Limits {
    /// With how many bytes out `bytes` more would be allowed, at most.
    fn room_for(self, bytes: usize) -> usize {
        self.ceiling.saturating_sub(bytes).max(self.own)
    }
}

impl State {
    /// Whether there is room now for one who was refused since it was asked last and answered so.
    #[cfg(feature = "tokio")]
    fn room_now(&mut self) -> bool {
        self.room_at.take_if(|room_at| self.usage.in_use_bytes <= *room_at).is_some()
    }

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

#[cfg(all(test, feature = "tokio"))]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn who_waits_is_told_when_there_is_room_and_not_before() {
        const KIB: usize = 1 << 10;
        let store = Arc::new(Store::new(PoolOptions { max_bytes: 1 << 20, ..PoolOptions::default() }));
        let mut out: Vec<_> = (0..16).map(|_| store.take(1).expect("room")).collect();
        let mut give_back = || {
            let (map, charged) = out.pop().expect("one is out");
            store.put_back(map, charged);
            store.state.lock().room_at.is_none()
        };
        assert!(give_back(), "nobody was refused");
        assert!(store.take(200 * KIB).is_err(), "15/16 are for those who want as much as that");
        assert!(!give_back() && !give_back() && !give_back(), "768 KiB are out still, of 960");
        assert!(give_back(), "704 KiB are out");
        store.take(200 * KIB).expect("as told");
    }
}
