//! How the log directories are, each looked at by its own threads: one whose disk does not answer is described by what is known
//! without it, and nobody waits for it longer than a moment.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::future::join_all;
use pagewire_log::{CleaningReport, DirDescription, MissingLog, ScrubCounts};
use parking_lot::Mutex;
use tokio::time::timeout;

use crate::{broker::Broker, clock::now_ms, lanes::Lane};

/// A directory is waited for so long.
const ANSWERED_WITHIN: Duration = Duration::from_secs(3);
/// Those that wait for one directory, each with a thread of it; whoever comes then is told what is known.
const LOOKING_MAX: usize = 4;

/// What was found when the directories were looked at last.
#[derive(Debug, Default)]
pub(crate) struct Descriptions(Mutex<HashMap<PathBuf, Last>>);

#[derive(Debug, Default)]
struct Last {
    missing: Vec<MissingLog>,
    scrub: ScrubCounts,
    cleaning: CleaningReport,
    /// So many look at the moment.
    looking: usize,
}

/// A look at a directory. Over when dropped.
struct Look {
    broker: Arc<Broker>,
    path: PathBuf,
}

impl Drop for Look {
    fn drop(&mut self) {
        if let Some(last) = self.broker.descriptions().0.lock().get_mut(&self.path) {
            last.looking -= 1;
        }
    }
}

impl Look {
    fn begin(broker: &Arc<Broker>, path: &Path) -> Option<Self> {
        let mut all = broker.descriptions().0.lock();
        let last = all.entry(path.to_path_buf()).or_default();
        if last.looking >= LOOKING_MAX {
            return None;
        }
        last.looking += 1;
        Some(Self { broker: Arc::clone(broker), path: path.to_path_buf() })
    }

    /// Blocks, as long as the disk does not answer.
    fn run(self) -> Option<(DirDescription, CleaningReport)> {
        let dirs = self.broker.cluster().log_dirs();
        let described = dirs.describe_at(&self.path)?;
        let here = dirs.here().find(|dir| dir.path() == self.path);
        let cleaning = here.map(|dir| dir.cleaning(now_ms())).unwrap_or_default();
        if let Some(last) = self.broker.descriptions().0.lock().get_mut(&self.path) {
            (last.missing, last.scrub) = (described.missing.clone(), described.scrub);
            last.cleaning = cleaning.clone();
        }
        Some((described, cleaning))
    }
}

/// All directories as they are now, and how their cleaning stands. Of one whose disk does not answer it is not said how much room
/// there is, and what is missing, scrubbed and cleaned is what it was.
pub(crate) async fn describe(broker: &Arc<Broker>) -> Vec<(DirDescription, CleaningReport)> {
    let lanes = broker.cluster().lanes().all();
    join_all(lanes.map(|lane| describe_one(broker, lane))).await.into_iter().flatten().collect()
}

async fn describe_one(broker: &Arc<Broker>, lane: &Lane) -> Option<(DirDescription, CleaningReport)> {
    if !lane.is_silent()
        && let Some(look) = Look::begin(broker, lane.path())
        && let Ok(Ok(Some(described))) = timeout(ANSWERED_WITHIN, lane.run(|| look.run())).await
    {
        return Some(described);
    }
    let outline = broker.cluster().log_dirs().outline_at(lane.path())?;
    let all = broker.descriptions().0.lock();
    let Some(last) = all.get(lane.path()) else { return Some((outline, CleaningReport::default())) };
    let (missing, scrub) = (last.missing.clone(), last.scrub);
    Some((DirDescription { missing, scrub, ..outline }, last.cleaning.clone()))
}
