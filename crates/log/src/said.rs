//! How much is said, for facts about what must not be said over and over.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Counts what is said at one level.
struct Counting {
    level: Level,
    said: Arc<AtomicUsize>,
}

impl Subscriber for Counting {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == self.level
    }

    fn event(&self, _: &Event<'_>) {
        self.said.fetch_add(1, Ordering::Relaxed);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// How often this thread says something at `level` while it works.
pub(crate) fn said(level: Level, work: impl FnOnce()) -> usize {
    let said = Arc::<AtomicUsize>::default();
    tracing::subscriber::with_default(Counting { level, said: Arc::clone(&said) }, work);
    said.load(Ordering::Relaxed)
}
