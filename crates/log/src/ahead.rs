//! Bytes that the logs of a log directory have reserved ahead of their writers, together: of many logs that were written once no
//! disk is to be full of nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Of what is free all together have no more than such a share.
const OF_FREE: u64 = 16;

/// All logs' of a log directory.
#[derive(Debug, Default)]
pub(crate) struct Ahead(AtomicU64);

impl Ahead {
    /// As many of `wanted` bytes as may be reserved yet, where so many are free.
    fn take(&self, wanted: u64, free: u64) -> u64 {
        let may = |taken: u64| wanted.min((free / OF_FREE).saturating_sub(taken));
        let more = |taken: u64| Some(taken + may(taken));
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).map_or(0, may)
    }
}

/// A segment's part of it, which ends with the segment.
#[derive(Debug, Default)]
pub(crate) struct Part {
    bytes: AtomicU64,
    of: OnceLock<Arc<Ahead>>,
}

impl Part {
    /// As many of `wanted` bytes more as may be reserved, where so many are free.
    pub(crate) fn take(&self, of: &Arc<Ahead>, wanted: u64, free: u64) -> u64 {
        let granted = self.of.get_or_init(|| Arc::clone(of)).take(wanted, free);
        self.bytes.fetch_add(granted, Ordering::AcqRel);
        granted
    }

    /// No more than so many are ahead by now: others were written to, or given back.
    pub(crate) fn keep(&self, bytes: u64) {
        let before = self.bytes.fetch_min(bytes, Ordering::AcqRel);
        if let Some(all) = self.of.get() {
            all.0.fetch_sub(before.saturating_sub(bytes), Ordering::AcqRel);
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.keep(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_together_have_no_more_than_their_share_of_what_is_free() {
        let (all, free) = (Arc::<Ahead>::default(), 1600);
        let (one, other) = (Part::default(), Part::default());
        assert_eq!((one.take(&all, 60, free), other.take(&all, 60, free)), (60, 40));
        assert_eq!(one.take(&all, 1, free), 0);
        one.keep(20);
        assert_eq!(other.take(&all, 60, free), 40, "what was written to is ahead no more");
        drop(other);
        assert_eq!(one.take(&all, 60, free), 60, "nor what is gone");
        one.keep(100);
        drop(one);
        assert_eq!(all.0.load(Ordering::Relaxed), 0);
    }
}
