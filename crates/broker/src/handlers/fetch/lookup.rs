//! Where a round of reads runs: here if the page cache has what it needs, else as a whole on an I/O thread of the directory
//! that something cold is in. What is cold in another one is left out there: no thread of one directory waits for another.
//!
//! A warm lookup costs a microsecond, a hand-over to a thread tens of them, a cold page milliseconds in which every
//! connection of the event loop would stand still. The whole round is repeated, not only its cold part: the order of
//! the partitions and the limits across them hold as in a round that never waited.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::read::{Answers, Cold};
use crate::{lanes::Lane, metrics::add};

/// Between two attempts to find room in a full I/O pool.
const PAUSE: Duration = Duration::from_millis(5);

/// Runs `look` without waiting, and if that leaves something out, again where it may wait. If the I/O pool has no room
/// until `deadline`, what is left out stays out: the client is told nothing of it, and asks again.
pub(super) async fn look<L>(look: &Arc<L>, cold_lookups: &AtomicU64, deadline: Instant) -> Answers
where
    L: Fn(Cold<'_>) -> Answers + Send + Sync + 'static,
{
    let mut answers = look(Cold::LeaveOut);
    let mut awaited: Vec<Arc<Lane>> = Vec::new();
    while let Some(lane) = answers.cold.take() {
        // Of several directories with something cold each gets its turn, until there is something to say.
        if !awaited.is_empty() && (answers.is_of_use() || awaited.iter().any(|one| Arc::ptr_eq(one, &lane))) {
            break;
        }
        if awaited.is_empty() {
            add(cold_lookups, 1);
        }
        match wait_in(&lane, look, deadline).await {
            Some(waited) => answers = waited,
            None => break,
        }
        awaited.push(lane);
    }
    answers
}

/// The round again, where it may wait for one directory; `None` if there was no room for it until `deadline`.
async fn wait_in<L>(lane: &Arc<Lane>, look: &Arc<L>, deadline: Instant) -> Option<Answers>
where
    L: Fn(Cold<'_>) -> Answers + Send + Sync + 'static,
{
    loop {
        let (look, of) = (Arc::clone(look), Arc::clone(lane));
        if let Ok(answers) = lane.run(move || look(Cold::AwaitIn(&of))).await {
            return Some(answers);
        }
        if Instant::now() >= deadline {
            return None;
        }
        sleep(PAUSE).await;
    }
}
