//! A disk that can lose its power, and whose process can die in the middle of a call.
//!
//! ```text
//!   write, set_len        ->  seen only             sync_data, sync_all  ->  the file's bytes and length are kept
//!   create, rename, ...   ->  seen, and pending     sync_dir             ->  pending changes of that directory are kept
//!
//!   killed   what was seen is there, synced or not; a later power cut may still take it
//!   crash    what was kept is there; of the rest, seed 0 spares nothing, every other seed a mixture of its own
//! ```
//!
//! What a power cut may do to a file's bytes is in `journal`, to names in `pending`. Any call may be the last one
//! ([`ForgettingDisk::die_in`]), with its change done, not done, or half done; and nobody hears of it. Where the syncs of directories
//! are, which a death between two others rarely meets, is [asked for](ForgettingDisk::die_before_dir_sync).

mod chance;
mod file;
mod journal;
mod life;
mod pending;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::disk::{DirEntry, Disk, DiskFile, OpenMode, Space};
use crate::memory::tree::{NameChange, Names, Node, NodeId, ROOT, Tree, new_file};
use chance::Chance;
use file::ForgettingFile;
use journal::Journal;
use life::{Fate, Life, dead};
use pending::{Directories, Pending};

pub use pending::Spared;

/// A memory disk with a memory of what was synced. Clones share it, and are one process.
#[derive(Debug, Clone, Default)]
pub struct ForgettingDisk {
    state: Arc<Mutex<State>>,
    life: Arc<Life>,
}

#[derive(Debug, Default)]
struct State {
    seen: Tree,
    /// Names of each directory as of its last sync.
    kept_names: Directories,
    /// What is kept of each file, and what was done to it since. A file that was never written has none.
    journals: BTreeMap<NodeId, Journal>,
    pending: Pending,
}

impl ForgettingDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is left after the power went: a disk of its own. Handles of this one go on working on this one.
    pub fn crash(&self, seed: u64) -> io::Result<Self> {
        self.crash_with(seed, |pending, names| {
            if seed != 0 {
                pending.after_power_cut(Chance::of(seed, ROOT), names);
            }
        })
    }

    /// The same, where of the names that no sync has covered these were spared: what has to come before something else shows where
    /// it alone came late, or the other alone in time. Bytes fare as in [`crash`](Self::crash).
    pub fn crash_sparing(&self, spared: Spared, seed: u64) -> io::Result<Self> {
        self.crash_with(seed, |pending, names| pending.after_sparing(spared, names))
    }

    /// How many changes of names no sync has covered yet.
    pub fn unsynced_names(&self) -> usize {
        self.state.lock().pending.len()
    }

    fn crash_with(&self, seed: u64, fare: impl FnOnce(&Pending, &mut Directories)) -> io::Result<Self> {
        let state = self.state.lock();
        let mut names = state.kept_names.clone();
        fare(&state.pending, &mut names);
        let mut after = State::default();
        let rebuild = Rebuild { before: &state, names: &names, seed, placed: BTreeMap::new() };
        rebuild.run(&mut after)?;
        Ok(Self { state: Arc::new(Mutex::new(after)), life: Arc::default() })
    }

    /// What the next process finds after a `kill -9` of this one: everything that was written, by a call that returned
    /// or in part by the one under way. Nothing of it became safer, a [`crash`](Self::crash) still takes what was not
    /// synced. Handles of this process are dead.
    #[must_use]
    pub fn killed(&self) -> Self {
        self.life.end();
        Self { state: Arc::clone(&self.state), life: Arc::default() }
    }

    /// The process dies in the `changes`-th call from now on that changes anything; `seed` decides how far that call
    /// comes. It and all later calls fail.
    pub fn die_in(&self, changes: u64, seed: u64) {
        self.life.end_in(changes, seed);
    }

    /// The process dies before the `syncs`-th sync of a directory from now on: a power cut then finds all names that this one was
    /// to make stable still on their way.
    pub fn die_before_dir_sync(&self, syncs: u64) {
        self.life.end_before_dir_sync(syncs);
    }

    /// The process has died.
    pub fn is_dead(&self) -> bool {
        self.life.is_over()
    }

    /// Calls of this process so far that changed something: writes, syncs, changes of length, of names.
    pub fn changes(&self) -> u64 {
        self.life.changes()
    }

    fn look<T>(&self, look: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        self.life.look()?;
        look(&mut self.state.lock())
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        self.fare(self.life.change()?, change)
    }

    fn fare<T>(&self, fate: Fate, change: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        match fate {
            Fate::Whole => change(&mut self.state.lock()),
            Fate::Never => Err(dead()),
            Fate::Last(mut chance) => {
                if chance.hits(128) {
                    change(&mut self.state.lock())?;
                }
                Err(dead())
            }
        }
    }
}

impl State {
    fn journal(&mut self, node: NodeId) -> &mut Journal {
        self.journals.entry(node).or_default()
    }

    /// A node may have lost its last name: what no crash can bring back is dropped.
    fn forget_lost(&mut self) {
        let mut named: BTreeSet<NodeId> =
            self.kept_names.values().flat_map(|names| names.values().copied()).collect();
        named.extend(self.pending.nodes());
        self.seen.forget_unnamed(&named);
        self.journals.retain(|id, _| self.seen.node(*id).is_some());
        self.kept_names.retain(|id, _| self.seen.node(*id).is_some());
    }

    fn remember_loss(&mut self, changes: impl IntoIterator<Item = NameChange>) {
        self.pending.add(changes);
        self.forget_lost();
    }

    /// Removes some of the files right below a directory: as far as a removal had come.
    fn remove_some(&mut self, dir: &Path, chance: &mut Chance) -> io::Result<()> {
        for entry in self.seen.read_dir(dir)? {
            if !entry.is_dir && chance.hits(128) {
                let change = self.seen.remove_file(&dir.join(entry.name))?;
                self.remember_loss([change]);
            }
        }
        Ok(())
    }
}

/// Builds the disk after a power cut.
struct Rebuild<'a> {
    before: &'a State,
    names: &'a Directories,
    seed: u64,
    /// Files that were copied already, by what they were before: a file may have several names.
    placed: BTreeMap<NodeId, NodeId>,
}

impl Rebuild<'_> {
    fn run(mut self, after: &mut State) -> io::Result<()> {
        self.dir(ROOT, ROOT, after)
    }

    /// Copies directory `old` of what was spared into directory `new` of the disk after the crash.
    fn dir(&mut self, old: NodeId, new: NodeId, after: &mut State) -> io::Result<()> {
        for (name, id) in self.names.get(&old).into_iter().flatten() {
            let node = match self.before.seen.node(*id) {
                Some(Node::File(_)) => self.file(name, *id, after)?,
                Some(Node::Dir(_)) => {
                    let node = after.seen.add(Node::Dir(Names::new()));
                    self.dir(*id, node, after)?;
                    node
                }
                None => continue,
            };
            after.seen.names_mut(new)?.insert(name.clone(), node);
            after.kept_names.entry(new).or_default().insert(name.clone(), node);
        }
        Ok(())
    }

    fn file(&mut self, name: &str, old: NodeId, after: &mut State) -> io::Result<NodeId> {
        if let Some(node) = self.placed.get(&old) {
            return Ok(*node);
        }
        let bytes = self.bytes(old);
        let file = new_file(name)?;
        crate::fd_file::write_all_at(&file, 0, &[io::IoSlice::new(&bytes)])?;
        let node = after.seen.add(Node::File(file));
        after.journals.insert(node, Journal::synced_as(bytes));
        self.placed.insert(old, node);
        Ok(node)
    }

    fn bytes(&self, id: NodeId) -> Vec<u8> {
        match (self.before.journals.get(&id), self.seed) {
            (None, _) => Vec::new(),
            (Some(journal), 0) => journal.kept().to_vec(),
            (Some(journal), seed) => journal.after_power_cut(Chance::of(seed, id)),
        }
    }
}

impl Disk for ForgettingDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.change(|state| {
            let changes = state.seen.create_dir_all(path)?;
            state.pending.add(changes);
            Ok(())
        })
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.change(|state| {
            let changes = state.seen.create_dir(path)?;
            state.pending.add(changes);
            Ok(())
        })
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.look(|state| state.seen.read_dir(path))
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let open = |state: &mut State| {
            let (opened, change) = state.seen.open(path, mode)?;
            state.pending.add(change);
            Ok(opened)
        };
        let makes = mode == OpenMode::CreateNew || mode == OpenMode::Create && !self.exists(path)?;
        let opened = if makes { self.change(open) } else { self.look(open) }?;
        Ok(Arc::new(ForgettingFile { file: Arc::new(opened.file), node: opened.node, disk: self.clone() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(|state| {
            let change = state.seen.rename(from, to)?;
            state.remember_loss([change]);
            Ok(())
        })
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.change(|state| {
            let change = state.seen.remove_file(path)?;
            state.remember_loss([change]);
            Ok(())
        })
    }

    /// Not one change but many: the last one of a life may leave a part.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        match self.life.change()? {
            Fate::Whole => {
                let mut state = self.state.lock();
                let changes = state.seen.remove_dir_all(path)?;
                state.remember_loss(changes);
                Ok(())
            }
            Fate::Last(mut chance) => {
                self.state.lock().remove_some(path, &mut chance)?;
                Err(dead())
            }
            Fate::Never => Err(dead()),
        }
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.fare(self.life.dir_sync()?, |state| {
            let dir = state.seen.dir_id(path)?;
            state.pending.sync_dir(dir, &mut state.kept_names);
            Ok(())
        })
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.look(|state| Ok(state.seen.lookup(path)?.is_some()))
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.look(|state| {
            if state.seen.lookup(path)?.is_none() {
                return Err(io::ErrorKind::NotFound.into());
            }
            let total_bytes = 1 << 30;
            Ok(Space { total_bytes, usable_bytes: total_bytes.saturating_sub(state.seen.used_bytes()?) })
        })
    }
}
