//! Pages that a lagging client leaves behind, dropped again, so that its catching up does not push out of the page
//! cache what the others read.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use pagewire_zcopy::{DropBehind, DropBehindOptions, FileRange, Piece, SendPlan, drop_pages};

use crate::broker::Broker;

/// Ranges remembered for one connection, each of which keeps its file open.
const RANGES_MAX: usize = 8;

/// Of one connection. Costs nothing until a range was found cold.
pub(super) struct Behind {
    broker: Arc<Broker>,
    reader: Option<DropBehind>,
}

impl Behind {
    pub(super) fn new(broker: Arc<Broker>) -> Self {
        Self { broker, reader: None }
    }

    /// All of `plan` was sent.
    pub(super) fn sent(&mut self, plan: &SendPlan) {
        let windows = plan.read_ahead_windows();
        if self.reader.is_none() && (windows.is_empty() || !self.broker.config().transfer_drop_behind) {
            return;
        }
        let options = DropBehindOptions { ranges_max: RANGES_MAX, ..DropBehindOptions::default() };
        let reader = self.reader.get_or_insert_with(|| DropBehind::new(options));
        for window in windows {
            reader.was_cold(window);
        }
        let ranges = plan.pieces().iter().filter_map(|piece| match piece {
            Piece::File(range) => Some(range),
            _ => None,
        });
        let due = ranges.flat_map(|range| reader.sent(range)).collect();
        self.drop_pages(due);
    }

    fn drop_pages(&self, due: Vec<FileRange>) {
        let bytes = due.iter().map(FileRange::len).sum();
        // A pool that has no room has work that matters more.
        if drop_pages(self.broker.io(), due).is_ok() {
            self.broker.metrics().fetch_dropped_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        let rest = self.reader.as_mut().map(DropBehind::finish).unwrap_or_default();
        self.drop_pages(rest);
    }
}
