//! What each log directory has of its own, so that one whose disk does not answer stops nobody else.
//!
//! ```text
//!   home   ── the broker's own I/O pool: the metadata is there, so what hangs there holds up all changes as it is
//!   second ── an I/O pool of its own, with the same limits
//!   third  ── another
//! ```
//!
//! Threads start when there is work and end when they had none for a while: a directory at rest has none.
//!
//! Appends alone run on the thread of whoever asks for them, for as long as they are quick (`stall.rs`), and are watched
//! meanwhile (`watch.rs`).
//!
//! Invariant: what may wait for the disk of a directory waits on the threads of that directory, and never on those of
//! another; cold reads are sent by threads of each device's own (beyond 64 devices, and where the device is not known, by the
//! first one's); appends never take the last worker.

mod in_flight;
mod stall;
mod told;
mod unread;
mod watch;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use pagewire_log::{Log, LogDirs};
use pagewire_zcopy::{IoPool, PoolFull};
use tracing::{error, info};

pub(crate) use in_flight::Operation;
#[cfg(test)]
pub(crate) use stall::ASIDE_MAX;
pub(crate) use stall::PATIENCE;
use stall::{ALL_ASIDE_MAX, Aside, Kind, Stall};
use told::News;
use unread::Unread;
use watch::{Seated, Seating, Watch};

use crate::aside::aside;

/// A disk that answers nothing for longer is given nothing new.
const SILENT_AFTER: Duration = Duration::from_secs(1);

/// Threads of a runtime that may wait aside at a time, on a broker with so many log directories: of each those who may, and
/// besides each of them, where it is a coordinator's append, what that coordinator does by itself.
#[must_use]
pub fn threads_aside_max(log_dirs: usize) -> usize {
    log_dirs.saturating_mul(2 * ALL_ASIDE_MAX)
}

/// One log directory's.
#[derive(Debug)]
pub(crate) struct Lane {
    path: PathBuf,
    /// Its place in the list.
    number: usize,
    io: IoPool,
    stall: Arc<Stall>,
    watch: Arc<Watch>,
    /// It was said that its disk does not answer.
    is_told: AtomicBool,
    /// What was said of records that it did not give out.
    unread: Unread,
}

/// Where an append may run.
pub(crate) enum Admission<'l> {
    /// In place, watched if there is anybody that it could hold up.
    Here(Option<Seated<'l>>),
    /// Where it holds up no other connection.
    Aside(Aside<'l>),
}

impl Lane {
    /// Runs a write of so many bytes to a file of the directory, or what waits for one (0 bytes): here, as long as such writes
    /// are quick, else where it holds up no other connection. An error: so many wait for the disk already that this one was not
    /// begun.
    pub(crate) fn write<T>(&self, bytes: usize, write: impl FnOnce() -> T) -> io::Result<T> {
        let admission = self.admit_as(Kind::Own).ok_or_else(|| self.refusal())?;
        Ok(self.write_admitted(admission, bytes, write))
    }

    /// The same of who is admitted.
    pub(crate) fn write_admitted<T>(
        &self,
        admission: Admission<'_>,
        bytes: usize,
        write: impl FnOnce() -> T,
    ) -> T {
        match admission {
            Admission::Here(_until_done) => self.stall.in_place(bytes, write),
            Admission::Aside(_until_done) => aside(true, || self.stall.aside(write)),
        }
    }

    /// Admits a client's batch, if there is a place for it now.
    pub(crate) fn admit(&self) -> Option<Admission<'_>> {
        self.admit_as(Kind::Batch)
    }

    /// Waits for that until then. An error: so many wait for the disk already that it is better to come again later.
    pub(crate) async fn admit_until(&self, until: tokio::time::Instant) -> io::Result<Admission<'_>> {
        let admission = self.stall.until_admitted(until, || self.admit()).await;
        admission.ok_or_else(|| self.refusal())
    }

    /// What is told where there is no place.
    pub(crate) fn refusal(&self) -> io::Error {
        stall::refused(&self.path)
    }

    fn admit_as(&self, kind: Kind) -> Option<Admission<'_>> {
        if !self.stall.is_wary() {
            match self.watch.seat(self.number) {
                Seating::Seat(seat) => return Some(Admission::Here(Some(seat))),
                Seating::Alone => return Some(Admission::Here(None)),
                Seating::Full => {}
            }
        }
        self.stall.step_aside(kind).map(Admission::Aside)
    }

    /// As after an append that hung.
    #[cfg(test)]
    pub(crate) fn be_wary(&self) {
        self.stall.be_wary();
    }

    /// Waits for somebody who may be waiting for its disk, where that holds up no other connection; `None` if as many wait
    /// already as may.
    pub(crate) fn wait_aside<T>(&self, wait: impl FnOnce() -> T) -> Option<T> {
        let _until_done = self.stall.step_aside(Kind::Asks)?;
        Some(aside(true, wait))
    }

    /// A sync waits for its disk until what is answered is dropped.
    pub(crate) fn begin_sync(&self) -> Operation {
        self.stall.in_flight.begin_of_disk()
    }

    /// Does on its threads what may wait for its disk. An error: as many jobs wait for a thread as may.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PoolFull> {
        let in_flight = Arc::clone(&self.stall.in_flight);
        let watched = move || {
            let _until_done = in_flight.begin();
            job()
        };
        self.io.run(watched).await
    }

    /// The same for nobody who waits.
    pub(crate) fn submit(&self, job: impl FnOnce() + Send + 'static) -> Result<(), PoolFull> {
        let in_flight = Arc::clone(&self.stall.in_flight);
        let watched = move || {
            let _until_done = in_flight.begin();
            job();
        };
        self.io.submit(watched)
    }

    /// For how long its disk has not answered, if it has not for long.
    pub(crate) fn hanging(&self) -> Option<Duration> {
        told::hanging(self.stall.in_flight.silent_for())
    }

    /// Whether its disk has answered nothing for a moment, though something waits for it: what can be done elsewhere is.
    pub(crate) fn is_silent(&self) -> bool {
        self.stall.in_flight.silent_for().is_some_and(|silent_for| silent_for >= SILENT_AFTER)
    }

    /// Says so when that is news, and when it is over.
    pub(crate) fn tell_hanging(&self) {
        let (dir, hanging) = (self.path.display(), self.hanging());
        match told::news(self.is_told.swap(hanging.is_some(), Relaxed), hanging) {
            Some(News::Hangs(silent_for)) => error!(
                %dir,
                seconds = silent_for.as_secs(),
                "the disk of the log directory does not answer: who writes there waits, or is told to come again; other \
                 directories are served. It goes on by itself when the disk answers; if it is broken, end the broker (a second \
                 Ctrl-C does not wait for it) and start it without that directory. What of the broker waits in the kernel then \
                 holds its directories until the disk answers, its file system is unmounted by force, or the machine starts again"
            ),
            Some(News::Answers) => info!(%dir, "the disk of the log directory answers again"),
            None => {}
        }
    }

    /// Records of one of its partitions could not be read, for want of descriptors or memory if that `is_shortage`.
    pub(crate) fn note_unread(&self, partition: (&str, i32), error: (&io::Error, bool), now_ms: i64) {
        self.unread.note(&self.path, partition, error, now_ms);
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Threads for what may wait for its disk.
    pub(crate) fn io(&self) -> &IoPool {
        &self.io
    }
}

/// Of all listed directories, in their order; never empty.
#[derive(Debug)]
pub(crate) struct Lanes {
    home: Arc<Lane>,
    others: Vec<Arc<Lane>>,
}

impl Lanes {
    /// For the directories of a node; home has `io`.
    pub(crate) fn new(dirs: &LogDirs, io: &IoPool) -> Self {
        let mut paths = dirs.paths();
        let home = paths.next().unwrap_or(Path::new(""));
        let others: Vec<&Path> = paths.collect();
        let watch = Watch::new(1 + others.len());
        let lane = |number: usize, path: &Path, io: IoPool| {
            let (path, stall, watch) = (path.to_path_buf(), watch.directory(number), Arc::clone(&watch));
            let (is_told, unread) = (AtomicBool::new(false), Unread::default());
            Arc::new(Lane { path, number, io, stall, watch, is_told, unread })
        };
        let others = (1..).zip(others).map(|(number, path)| lane(number, path, io.another())).collect();
        Self { home: lane(0, home, io.clone()), others }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Lane>> {
        std::iter::once(&self.home).chain(&self.others)
    }

    /// Directories whose disk does not answer.
    pub(crate) fn hanging_count(&self) -> usize {
        self.all().filter(|lane| lane.hanging().is_some()).count()
    }

    /// That of a directory.
    pub(crate) fn of(&self, dir: &Path) -> &Arc<Lane> {
        self.others.iter().find(|lane| lane.path == dir).unwrap_or(&self.home)
    }

    /// That of the directory that has a log.
    pub(crate) fn of_log(&self, log: &Log) -> &Arc<Lane> {
        log.dir().parent().map_or(&self.home, |dir| self.of(dir))
    }
}
