//! Where a round of reads runs: here if the page cache has what it needs, else once and as a whole on an I/O thread.
//!
//! A warm lookup costs a microsecond, a hand-over to a thread tens of them, a cold page milliseconds in which every
//! connection of the event loop would stand still. The whole round is repeated, not only its cold part: the order of
//! the partitions and the limits across them hold as in a round that never waited.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use pagewire_zcopy::IoPool;
use tokio::time::{Instant, sleep};

use super::read::{Answers, Cold};
use crate::metrics::add;

/// Between two attempts to find room in a full I/O pool.
const PAUSE: Duration = Duration::from_millis(5);

/// Runs `look` without waiting, and if that leaves something out, again where it may wait. If the I/O pool has no room
/// until `deadline`, what is left out stays out: the client is told nothing of it, and asks again.
pub(super) async fn look<L>(
    look: &Arc<L>,
    io: &IoPool,
    cold_lookups: &AtomicU64,
    deadline: Instant,
) -> Answers
where
    L: Fn(Cold) -> Answers + Send + Sync + 'static,
{
    let warm = look(Cold::LeaveOut);
    if !warm.cold {
        return warm;
    }
    add(cold_lookups, 1);
    loop {
        let look = Arc::clone(look);
        if let Ok(answers) = io.run(move || look(Cold::Await)).await {
            return answers;
        }
        if Instant::now() >= deadline {
            return warm;
        }
        sleep(PAUSE).await;
    }
}
