//! The moves to one directory, one after the other, on a thread that is there while there are any.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::error;

use super::{Move, run};
use crate::broker::Broker;

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
                run::run(&on_thread, &next, &runtime);
            }
            drop(counted);
        };
        if let Err(error) = std::thread::Builder::new().name("pagewire-move".to_owned()).spawn(job) {
            error!(%error, to = %to.display(), "no thread for what moves there; the next start begins it");
            self.0.lock().remove(&to);
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
