//! The moves to one directory, one after the other, on a thread that is there while there are any.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use tracing::error;

use super::run::{self, Then};
use super::shown::Waits;
use super::{Move, TRIES_MAX};
use crate::broker::Broker;

/// A move that broke off for no reason of its own, or whose log or copy was changed under it, is tried again after so long.
const LATER: Duration = Duration::from_millis(if cfg!(test) { 5 } else { 30_000 });
/// One whose log is opened anew joins the end of its line after so long.
const REOPENED: Duration = Duration::from_millis(if cfg!(test) { 5 } else { 5_000 });

/// By target. One that is here has a thread.
#[derive(Default)]
pub(super) struct Lines(Mutex<HashMap<PathBuf, VecDeque<Arc<Move>>>>);

impl Lines {
    /// At the end of the line.
    pub(super) fn join(&self, broker: &Arc<Broker>, begun: Arc<Move>) {
        // Nothing moves before the broker serves.
        let Some(running) = broker.moves().running.get() else { return };
        let (runtime, counted) = (running.runtime.clone(), running.tasks.token());
        let to = begun.to.clone();
        {
            let mut lines = self.0.lock();
            if let Some(line) = lines.get_mut(&to) {
                line.push_back(begun);
                return;
            }
            lines.insert(to.clone(), VecDeque::from([begun]));
        }
        let (on_thread, place) = (Arc::clone(broker), to.clone());
        let job = move || {
            while let Some(next) = on_thread.moves().lines.next(&place) {
                let ran = catch_unwind(AssertUnwindSafe(|| run::run(&on_thread, &next, &runtime)));
                match ran {
                    Ok(Then::Over) => {}
                    Ok(Then::Again) => {
                        next.waits_for(Waits::Reopened);
                        join_after(&on_thread, next, REOPENED);
                    }
                    Ok(Then::Later(why)) => again(&on_thread, next, &why),
                    Err(_) => again(&on_thread, next, "its work panicked"),
                }
            }
            drop(counted);
        };
        if let Err(error) = std::thread::Builder::new().name("pagewire-move".to_owned()).spawn(job) {
            let line = self.0.lock().remove(&to);
            for begun in line.unwrap_or_default() {
                again(broker, begun, &format!("there is no thread for it: {error}"));
            }
        }
    }

    fn next(&self, to: &Path) -> Option<Arc<Move>> {
        let mut lines = self.0.lock();
        let next = lines.get_mut(to)?.pop_front();
        if next.is_none() {
            lines.remove(to);
        }
        next
    }
}

/// It broke off, and joins its line again later; what is noted of it on the disk stays.
fn again(broker: &Arc<Broker>, begun: Arc<Move>, why: &str) {
    let (topic, partition, to) = (&*begun.future.topic, begun.future.partition, begun.to.display());
    let tries = begun.tries.fetch_add(1, Ordering::Relaxed) + 1;
    if tries >= TRIES_MAX {
        error!(topic, partition, %to, why, "has not moved, and stays where it is until the next start begins it anew");
        broker.moves().give_up(&begun, why);
        broker.moves().ended(&begun);
        return;
    }
    error!(topic, partition, %to, why, "has not moved, which is tried again");
    begun.broke_off(why);
    begun.waits_for(Waits::Again);
    join_after(broker, begun, LATER);
}

/// It joins the end of its line after a while.
fn join_after(broker: &Arc<Broker>, begun: Arc<Move>, pause: Duration) {
    let Some(running) = broker.moves().running.get() else { return };
    let broker = Arc::clone(broker);
    let joins = async move {
        // One that is not wanted any more joins at once: the copy is still to be removed.
        let _ = tokio::time::timeout(pause, begun.ending.cancelled()).await;
        if !broker.moves().is_stopping() {
            broker.moves().lines.join(&broker, begun);
        }
    };
    running.tasks.spawn_on(joins, &running.runtime);
}
