//! The log directories of a node together: Kafka's `log.dirs`.
//!
//! ```text
//!   log.dirs = A,B,C      A: home, the metadata is there too
//!     A  here ──▶ LogDir      B  here ──▶ LogDir (may be offline for writes)      C  away: could not be read at the start
//! ```
//!
//! Invariants
//! - The first one, home, is always here.
//! - A partition is served from one directory. One that two directories have is served from neither, and both are left as
//!   they are.
//! - One that was served before and is empty now is away, not new; so is a partition of which only a checkpoint is left.
//! - A log is made only in the directory that the owner names for it, never in another because that one is away: what
//!   is there would be forgotten.
//!
//! Left to others: which directory a partition is in (`metadata` remembers what [`LogDirs::place`] said), and what happens
//! inside one directory ([`LogDir`]).

mod adopt;
mod change;
mod gone;
mod load;
mod moving;
mod place;
mod reopen;
mod spread;
mod switch;
mod take_in;
#[cfg(test)]
mod tests;
mod twice;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::RwLock;
use uuid::Uuid;

pub use adopt::{Adopted, PlacedIn};
pub use change::ToMake;
pub use gone::Placed;
pub use load::Locked;
pub use moving::{MoveError, Moving};
pub use place::{Homeless, Takes};
pub use spread::Spread;
pub use switch::{Apart, Unswitched};
pub use take_in::{Coming, TakeInError, TakenIn};

use take_in::Turn;
use twice::Torn;

use crate::online::online;
use crate::{DirDescription, Log, LogDir, Offline, OnlineCommand, PartitionSettings, ScrubCounts};

/// All log directories of a node. `Send + Sync`; every call takes `&self`.
#[derive(Debug)]
pub struct LogDirs {
    /// As `log.dirs` lists them, never empty.
    places: Vec<Place>,
    /// Partitions that several of them have.
    torn: RwLock<Vec<Torn>>,
}

/// One listed directory.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    state: ArcSwap<State>,
    turn: Turn,
}

#[derive(Debug)]
enum State {
    Here(Arc<LogDir>),
    /// Nothing of it can be served, and why.
    Away(Offline),
}

impl Place {
    fn new(path: PathBuf, state: State) -> Self {
        Self { path, state: ArcSwap::from_pointee(state), turn: Turn::default() }
    }

    fn here(&self) -> Option<Arc<LogDir>> {
        match &**self.state.load() {
            State::Here(dir) => Some(Arc::clone(dir)),
            State::Away(_) => None,
        }
    }

    fn describe(&self, how: fn(&LogDir) -> DirDescription) -> DirDescription {
        match &**self.state.load() {
            State::Here(dir) => DirDescription { opening: self.opening(), ..how(dir) },
            State::Away(why) => DirDescription {
                path: self.path.clone(),
                away: true,
                opening: self.opening(),
                offline: Some(why.clone()),
                full: false,
                space: None,
                logs: Vec::new(),
                missing: Vec::new(),
                scrub: ScrubCounts::default(),
            },
        }
    }
}

impl LogDirs {
    /// One directory alone.
    pub fn one(dir: LogDir) -> Self {
        let place = Place::new(dir.path().to_path_buf(), State::Here(Arc::new(dir)));
        Self { places: vec![place], torn: RwLock::default() }
    }

    /// The first one.
    fn home(&self) -> &Path {
        self.places.first().map_or(Path::new(""), |home| &home.path)
    }

    /// All of them, in the order listed; the first one is home.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.places.iter().map(|place| place.path.as_path())
    }

    /// The command that opens the directory at `path` again while the broker serves.
    pub fn online<'p>(&'p self, path: &'p Path) -> OnlineCommand<'p> {
        online(path, self.home())
    }

    /// Those that can be read, in the order listed.
    pub fn here(&self) -> impl Iterator<Item = Arc<LogDir>> {
        self.places.iter().filter_map(Place::here)
    }

    /// Those of which nothing is served, and why.
    pub fn away(&self) -> Vec<(&Path, Offline)> {
        let away = |place: &Place| match &**place.state.load() {
            State::Here(_) => None,
            State::Away(why) => Some(why.clone()),
        };
        self.places.iter().filter_map(|place| Some((place.path.as_path(), away(place)?))).collect()
    }

    /// Directories that take no writes, or of which nothing is served: Kafka's `OfflineLogDirectoryCount`.
    pub fn offline_count(&self) -> usize {
        self.places.len() - self.here().filter(|dir| dir.offline().is_none()).count()
    }

    /// The log of a partition, wherever it is.
    pub fn get(&self, topic: &str, partition: i32) -> Option<Arc<Log>> {
        self.here().find_map(|dir| dir.get(topic, partition))
    }

    /// Logs that are here and could not be opened, by topic and partition.
    pub fn unopened(&self) -> Vec<(String, i32)> {
        self.here().flat_map(|dir| dir.unopened()).collect()
    }

    /// The id of the topic a partition's log belongs to.
    pub fn topic_id(&self, topic: &str, partition: i32) -> Option<Uuid> {
        self.here().find_map(|dir| dir.topic_id(topic, partition))
    }

    /// The directory that has a partition's log, as [`place`](Self::place) names it; none if it is not served.
    pub fn directory_of(&self, topic: &str, partition: i32) -> Option<Option<Uuid>> {
        let found = self.here().enumerate().find(|(_, dir)| dir.topic_id(topic, partition).is_some());
        // Home is always here, so the first that is here is home.
        found.map(|(at, dir)| if at == 0 { None } else { dir.directory_id() })
    }

    /// How [`place`](Self::place) names the directory at `path`, if it is here and takes writes.
    pub fn named_as(&self, path: &Path) -> Option<Option<Uuid>> {
        let (at, dir) = self.here().enumerate().find(|(_, dir)| dir.path() == path)?;
        dir.offline().is_none().then(|| if at == 0 { None } else { dir.directory_id() })
    }

    /// The directory that `place` named, if it is here.
    fn named(&self, directory: Option<Uuid>) -> Option<Arc<LogDir>> {
        match directory {
            None => self.here().next(),
            Some(id) => self.here().find(|dir| dir.directory_id() == Some(id)),
        }
    }

    /// New settings for all partitions of a topic.
    pub fn set_settings(&self, topic: &str, settings: &PartitionSettings) {
        self.here().for_each(|dir| dir.set_settings(topic, settings));
    }

    /// Sizes of all directories and of everything open in them. Blocks.
    pub fn describe(&self) -> Vec<DirDescription> {
        self.paths().filter_map(|path| self.describe_at(path)).collect()
    }

    /// The same of one directory, of whose disk alone it waits for an answer.
    pub fn describe_at(&self, path: &Path) -> Option<DirDescription> {
        let mut described = self.described(path, LogDir::describe)?;
        let torn = self.torn.read();
        described.missing.extend(torn.iter().filter(|torn| torn.is_in(path)).map(Torn::missing));
        Some(described)
    }

    /// What can be said of it without its disk: neither how much room there is, nor what is missing, nor what the scrub did.
    pub fn outline_at(&self, path: &Path) -> Option<DirDescription> {
        self.described(path, LogDir::outline)
    }

    fn described(&self, path: &Path, how: fn(&LogDir) -> DirDescription) -> Option<DirDescription> {
        self.places.iter().find(|place| place.path == path).map(|place| place.describe(how))
    }

    /// Whether one of them [has stable records of which no checkpoint knows](LogDir::has_unnoted).
    pub fn has_unnoted(&self) -> bool {
        self.here().any(|dir| dir.has_unnoted())
    }

    /// More files are open than the budget allows, which all directories share.
    pub fn has_too_many_files(&self) -> bool {
        self.here().next().is_some_and(|home| home.has_too_many_files())
    }
}
