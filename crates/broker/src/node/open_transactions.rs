//! Says at the start which transactions are open: readers of committed records wait before them, and whoever began them may
//! not come back. The coordinator ends those that it knows; WriteTxnMarkers, which `pagewire txn abort` sends as Kafka's own tool does, any.

use pagewire_disk::Lasting;
use pagewire_log::LogDirs;
use tracing::warn;

use crate::clock::now_ms;

/// Told one by one; of more, only how many.
const TOLD_MAX: usize = 10;

/// Looks at the marks of all logs, and at the producers of those that hold readers back.
pub(super) fn report(log_dirs: &LogDirs) {
    let (mut open, now_ms) = (0, now_ms());
    for log in log_dirs.here().flat_map(|dir| dir.logs()).filter(|log| log.held_back() > 0) {
        for txn in log.open_transactions() {
            open += 1;
            if open <= TOLD_MAX {
                warn!(
                    topic = %log.topic(),
                    partition = log.partition(),
                    producer_id = txn.producer_id,
                    producer_epoch = txn.producer_epoch,
                    first_offset = txn.first_offset,
                    silent = %Lasting::of_ms(now_ms.saturating_sub(txn.last_timestamp)),
                    "a transaction is open: readers of committed records stop before it"
                );
            }
        }
    }
    if open > 0 {
        warn!(
            transactions = open,
            "open: the coordinator ends those that it knows when their transaction.timeout.ms is over; any other is ended by \
             pagewire txn abort TOPIC:PARTITION --start-offset FIRST_OFFSET -b HOST:PORT"
        );
    }
}
