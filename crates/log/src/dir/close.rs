//! The orderly stop.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pagewire_disk::CleanMark;
use pagewire_disk::checkpoint::CLEAN_MARK_FILE;

use super::{LogDir, parallel, vouched};
use crate::{Log, Offline};

/// Threads that close logs side by side: what they wait for is syncs, and the disk does several at once.
const THREADS: usize = 8;

/// Logs that are closed together. Each keeps a few files open until it is.
const AT_ONCE: usize = 64;

/// What closing a directory did.
#[derive(Debug)]
pub struct CloseReport {
    /// Everything was closed and synced, and the mark says so.
    pub clean: bool,
    /// What failed, with the log's directory or the file. Nothing that was acknowledged as synced is in danger: the
    /// next start recovers as after a crash.
    pub failed: Vec<(PathBuf, io::Error)>,
}

impl LogDir {
    /// Closes all logs in parallel, writes the checkpoints, leaves the clean mark if all went well, and releases the
    /// lock. The directory takes no writes from then on. A second call does nothing.
    pub fn close_clean(&self, now_ms: i64) -> CloseReport {
        let _changing = self.changing.of_all();
        let Some(lock) = self.lock.lock().take() else {
            return CloseReport { clean: false, failed: Vec::new() };
        };
        let was_offline = self.offline().is_some();
        let logs = self.logs();
        let mut failed: Vec<_> =
            logs.chunks(AT_ONCE).flat_map(|some| self.close_together(some, now_ms)).collect();
        if let Err(error) = vouched::write(&*self.disk, &self.path, logs.iter().map(|log| &**log)) {
            failed.push((self.path.join(vouched::FILE), error));
        }
        self.end_scrub(now_ms);
        self.end_cleaning();
        if let Err(error) = self.write_checkpoints() {
            failed.push((self.path.clone(), error));
        }
        if failed.is_empty()
            && !was_offline
            && let Err(at) = self.sums.lock().stop(&*self.disk, &self.path)
        {
            failed.push(at);
        }
        let mut clean = failed.is_empty() && !was_offline;
        if clean && let Err(error) = CleanMark::write(self.disk.as_ref(), &self.path) {
            failed.push((self.path.join(CLEAN_MARK_FILE), error));
            clean = false;
        }
        self.close_for_writes();
        drop(lock);
        CloseReport { clean, failed }
    }

    /// Closes these logs: what all of them have left to write is on its way before the first is waited for. What failed.
    fn close_together(&self, logs: &[Arc<Log>], now_ms: i64) -> Vec<(PathBuf, io::Error)> {
        let threads = if self.threads > 1 { self.threads.max(THREADS) } else { 1 };
        let wound_up = parallel::map(logs, threads, |log| log.wind_up(now_ms));
        let ready: Vec<_> = logs.iter().zip(&wound_up).collect();
        let synced = parallel::map(&ready, threads, |(log, wound_up)| match wound_up {
            Ok(()) => log.sync_wound_up(),
            Err(_) => Ok(()),
        });
        let ended = wound_up.into_iter().zip(synced).map(|(wound_up, synced)| wound_up.and(synced));
        let failed = logs.iter().zip(ended);
        failed.filter_map(|(log, ended)| Some((log.dir().to_path_buf(), ended.err()?))).collect()
    }

    /// Ends all writes of what is open, those under way included, and releases the lock, so that the directory can be opened
    /// anew. Nothing is written: that opening recovers it. Reads go on.
    pub(crate) fn give_up(&self) {
        let _changing = self.changing.of_all();
        self.given_up.store(true, Ordering::Release);
        let reason = self.given_up_because();
        let _ = self.health.end(Offline { reason: reason.as_str().into(), kind: io::ErrorKind::Other });
        self.logs().iter().for_each(|log| log.give_up(&reason));
        // A round of the scrub, which writes down what it found; a checkpoint that is being written.
        drop(self.scrubbing.lock());
        drop(self.written.lock());
        drop(self.sums.lock());
        drop(self.lock.lock().take());
    }

    /// Somebody opens it anew, or has done so.
    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Acquire)
    }

    /// Why its files may not be changed, if so.
    pub(super) fn may_change(&self) -> io::Result<()> {
        if self.is_given_up() { Err(io::Error::other(self.given_up_because())) } else { Ok(()) }
    }

    fn given_up_because(&self) -> String {
        format!("it was given up to be opened anew; should that have failed, {} tries again", self.online())
    }
}
