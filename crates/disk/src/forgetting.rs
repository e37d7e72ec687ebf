//! A disk that can lose its power. It keeps two states: what the processes see, and what a crash would leave.
//!
//! ```text
//!   write, set_len        ->  seen only             sync_data, sync_all  ->  the file's bytes are kept
//!   create, rename, ...   ->  seen, and pending     sync_dir             ->  pending changes of that directory are kept
//! ```
//!
//! A crash keeps the synced state; of the rest, seed 0 keeps nothing, and every other seed a mixture of its own: each
//! pending change of names happened or not, each 4 KiB page that was not synced reached the platter or not. A rename
//! is atomic in every mixture, as it is on every file system in use.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::disk::{DirEntry, Disk, DiskFile, OpenMode, Space};
use crate::memory::tree::{NameChange, Names, Node, NodeId, ROOT, Tree, new_file};
use crate::memory::{MemoryFile, OnSync};

/// Unsynced bytes are kept or lost in units of this.
const PAGE: usize = 4096;

/// A memory disk with a memory of what was synced. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct ForgettingDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    seen: Tree,
    /// Names of each directory as of its last sync.
    kept_names: BTreeMap<NodeId, Names>,
    /// Bytes of each file as of its last sync.
    kept_bytes: BTreeMap<NodeId, Vec<u8>>,
    /// Changes of names not synced yet, oldest first.
    pending: Vec<NameChange>,
}

impl ForgettingDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is left after the power went: a disk of its own. Handles of this one go on working on this one.
    pub fn crash(&self, seed: u64) -> io::Result<Self> {
        let state = self.state.lock();
        let mut chance = Chance(seed);
        let mut names = state.kept_names.clone();
        for change in &state.pending {
            if chance.keeps() {
                apply(&mut names, change);
            }
        }
        let mut after = State::default();
        rebuild(&state, &names, ROOT, ROOT, &mut after, &mut chance)?;
        Ok(Self { state: Arc::new(Mutex::new(after)) })
    }
}

impl State {
    fn remember(&mut self, changes: impl IntoIterator<Item = NameChange>) {
        self.pending.extend(changes);
    }

    /// As [`remember`](Self::remember), when a node may have lost its last name.
    fn remember_loss(&mut self, changes: impl IntoIterator<Item = NameChange>) {
        self.remember(changes);
        let mut named: BTreeSet<NodeId> =
            self.kept_names.values().flat_map(|names| names.values().copied()).collect();
        for change in &self.pending {
            if let NameChange::Link { node, .. } | NameChange::Rename { node, .. } = change {
                named.insert(*node);
            }
        }
        self.seen.forget_unnamed(&named);
        self.kept_bytes.retain(|id, _| self.seen.node(*id).is_some());
        self.kept_names.retain(|id, _| self.seen.node(*id).is_some());
    }

    fn sync_dir(&mut self, dir: NodeId) {
        let mut waiting = Vec::new();
        for change in std::mem::take(&mut self.pending) {
            if touches(&change, dir) {
                apply(&mut self.kept_names, &change);
            } else {
                waiting.push(change);
            }
        }
        self.pending = waiting;
    }

    fn sync_file(&mut self, node: NodeId, file: &File) -> io::Result<()> {
        self.kept_bytes.insert(node, contents(file)?);
        Ok(())
    }
}

fn touches(change: &NameChange, id: NodeId) -> bool {
    match change {
        NameChange::Link { dir, .. } | NameChange::Unlink { dir, .. } => *dir == id,
        NameChange::Rename { from, to, .. } => from.0 == id || to.0 == id,
    }
}

fn apply(kept: &mut BTreeMap<NodeId, Names>, change: &NameChange) {
    match change {
        NameChange::Link { dir, name, node } => {
            kept.entry(*dir).or_default().insert(name.clone(), *node);
        }
        NameChange::Unlink { dir, name } => {
            kept.entry(*dir).or_default().remove(name);
        }
        NameChange::Rename { from, to, node } => {
            kept.entry(from.0).or_default().remove(&from.1);
            kept.entry(to.0).or_default().insert(to.1.clone(), *node);
        }
    }
}

/// Copies directory `old` of what was kept into directory `new` of the disk after the crash.
fn rebuild(
    before: &State,
    names: &BTreeMap<NodeId, Names>,
    old: NodeId,
    new: NodeId,
    after: &mut State,
    chance: &mut Chance,
) -> io::Result<()> {
    for (name, id) in names.get(&old).into_iter().flatten() {
        let node = match before.seen.node(*id) {
            Some(Node::File(file)) => {
                let synced = before.kept_bytes.get(id).map(Vec::as_slice).unwrap_or_default();
                let bytes = chance.mix(synced, &contents(file)?);
                let file = new_file(name)?;
                file.write_all_at(&bytes, 0)?;
                let node = after.seen.add(Node::File(file));
                after.kept_bytes.insert(node, bytes);
                node
            }
            Some(Node::Dir(_)) => {
                let node = after.seen.add(Node::Dir(Names::new()));
                rebuild(before, names, *id, node, after, chance)?;
                node
            }
            None => continue,
        };
        after.seen.names_mut(new)?.insert(name.clone(), node);
        after.kept_names.entry(new).or_default().insert(name.clone(), node);
    }
    Ok(())
}

fn contents(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; file.metadata()?.len() as usize];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// A seeded stream of decisions (splitmix64). Seed 0 always decides to forget.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn keeps(&mut self) -> bool {
        self.0 != 0 && self.next() & 1 == 1
    }

    /// What the platter may hold of a file: each page old or new, the length old or new. New length with old pages
    /// gives the zeros that delayed allocation is known for.
    fn mix(&mut self, synced: &[u8], seen: &[u8]) -> Vec<u8> {
        let len = if self.keeps() { seen.len() } else { synced.len() };
        let mut bytes = synced.to_vec();
        bytes.resize(len, 0);
        for (page, new) in bytes.chunks_mut(PAGE).zip(seen.chunks(PAGE)) {
            if self.keeps() {
                let shared = page.len().min(new.len());
                if let (Some(page), Some(new)) = (page.get_mut(..shared), new.get(..shared)) {
                    page.copy_from_slice(new);
                }
            }
        }
        bytes
    }
}

impl Disk for ForgettingDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        let changes = state.seen.create_dir_all(path)?;
        state.remember(changes);
        Ok(())
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.state.lock().seen.read_dir(path)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state.lock();
        let (opened, change) = state.seen.open(path, mode)?;
        state.remember(change);
        let (file, synced) = (Arc::new(opened.file), Kept { node: opened.node, state: self.state.clone() });
        Ok(Arc::new(MemoryFile { file, synced }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        let change = state.seen.rename(from, to)?;
        state.remember_loss([change]);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        let change = state.seen.remove_file(path)?;
        state.remember_loss([change]);
        Ok(())
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        let changes = state.seen.remove_dir_all(path)?;
        state.remember_loss(changes);
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        let dir = state.seen.dir_id(path)?;
        state.sync_dir(dir);
        Ok(())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.state.lock().seen.lookup(path)?.is_some())
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let state = self.state.lock();
        if state.seen.lookup(path)?.is_none() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let total_bytes = 1 << 30;
        Ok(Space { total_bytes, usable_bytes: total_bytes.saturating_sub(state.seen.used_bytes()?) })
    }
}

/// Remembers the bytes of a file at its syncs.
#[derive(Debug)]
struct Kept {
    node: NodeId,
    state: Arc<Mutex<State>>,
}

impl OnSync for Kept {
    fn synced(&self, file: &File) -> io::Result<()> {
        self.state.lock().sync_file(self.node, file)
    }
}
