//! Names and inodes in memory. Names live in directory nodes, as on a real file system, so that what a directory
//! holds and what a file holds can be remembered and forgotten apart (see the forgetting disk).
//!
//! Every change of names is returned as a [`NameChange`]: the memory disk drops it, the forgetting disk keeps it
//! until the directory is synced.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Component, Path};

use rustix::fs::{MemfdFlags, memfd_create};

use crate::disk::{DirEntry, OpenMode};

/// An inode number.
pub(crate) type NodeId = u64;

pub(crate) const ROOT: NodeId = 0;

/// The names of one directory.
pub(crate) type Names = BTreeMap<String, NodeId>;

#[derive(Debug)]
pub(crate) enum Node {
    Dir(Names),
    File(File),
}

/// One atomic change of names.
#[derive(Debug, Clone)]
pub(crate) enum NameChange {
    Link { dir: NodeId, name: String, node: NodeId },
    Unlink { dir: NodeId, name: String },
    Rename { from: (NodeId, String), to: (NodeId, String), node: NodeId },
}

/// A file that was just opened.
pub(crate) struct Opened {
    pub(crate) node: NodeId,
    pub(crate) file: File,
}

#[derive(Debug)]
pub(crate) struct Tree {
    nodes: BTreeMap<NodeId, Node>,
    next: NodeId,
}

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: BTreeMap::from([(ROOT, Node::Dir(Names::new()))]), next: ROOT + 1 }
    }
}

impl Tree {
    pub(crate) fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(&id)
    }

    /// Adds a node without a name; the caller links it.
    pub(crate) fn add(&mut self, node: Node) -> NodeId {
        let id = self.next;
        self.next += 1;
        self.nodes.insert(id, node);
        id
    }

    pub(crate) fn names_mut(&mut self, dir: NodeId) -> io::Result<&mut Names> {
        match self.nodes.get_mut(&dir) {
            Some(Node::Dir(names)) => Ok(names),
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn names(&self, dir: NodeId) -> io::Result<&Names> {
        match self.nodes.get(&dir) {
            Some(Node::Dir(names)) => Ok(names),
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// The node at `path`, if there is one.
    pub(crate) fn lookup(&self, path: &Path) -> io::Result<Option<NodeId>> {
        let mut at = ROOT;
        for name in components(path)? {
            match self.nodes.get(&at) {
                Some(Node::Dir(names)) => match names.get(name) {
                    Some(id) => at = *id,
                    None => return Ok(None),
                },
                _ => return Err(io::ErrorKind::NotADirectory.into()),
            }
        }
        Ok(Some(at))
    }

    pub(crate) fn dir_id(&self, path: &Path) -> io::Result<NodeId> {
        let id = self.lookup(path)?.ok_or(io::ErrorKind::NotFound)?;
        self.names(id).map(|_| id)
    }

    fn is_dir(&self, id: NodeId) -> bool {
        matches!(self.nodes.get(&id), Some(Node::Dir(_)))
    }

    /// Splits a path into the node of its directory and its last name.
    fn locate(&self, path: &Path) -> io::Result<(NodeId, String)> {
        let mut names = components(path)?;
        let name = names.pop().ok_or(io::ErrorKind::InvalidInput)?;
        let mut at = ROOT;
        for step in names {
            at = *self.names(at)?.get(step).ok_or(io::ErrorKind::NotFound)?;
        }
        self.names(at)?;
        Ok((at, name.to_owned()))
    }

    pub(crate) fn create_dir(&mut self, path: &Path) -> io::Result<Vec<NameChange>> {
        if self.lookup(path)?.is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if let Some(parent) = path.parent() {
            self.dir_id(parent)?;
        }
        self.create_dir_all(path)
    }

    pub(crate) fn create_dir_all(&mut self, path: &Path) -> io::Result<Vec<NameChange>> {
        let mut changes = Vec::new();
        let mut at = ROOT;
        for name in components(path)? {
            if let Some(id) = self.names(at)?.get(name) {
                at = *id;
                continue;
            }
            let id = self.add(Node::Dir(Names::new()));
            self.names_mut(at)?.insert(name.to_owned(), id);
            changes.push(NameChange::Link { dir: at, name: name.to_owned(), node: id });
            at = id;
        }
        // The last one may have been a file that was there before.
        self.names(at).map_err(|_| io::ErrorKind::AlreadyExists)?;
        Ok(changes)
    }

    pub(crate) fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let names = self.names(self.dir_id(path)?)?;
        Ok(names.iter().map(|(name, id)| DirEntry { name: name.clone(), is_dir: self.is_dir(*id) }).collect())
    }

    pub(crate) fn open(&mut self, path: &Path, mode: OpenMode) -> io::Result<(Opened, Option<NameChange>)> {
        if let Some(node) = self.lookup(path)? {
            if mode == OpenMode::CreateNew {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            let Some(Node::File(file)) = self.nodes.get(&node) else {
                return Err(io::ErrorKind::IsADirectory.into());
            };
            return Ok((Opened { node, file: open_again(file, mode)? }, None));
        }
        if matches!(mode, OpenMode::Read | OpenMode::ReadWrite) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let (dir, name) = self.locate(path)?;
        let file = new_file(&name)?;
        let handle = open_again(&file, mode)?;
        let node = self.add(Node::File(file));
        self.names_mut(dir)?.insert(name.clone(), node);
        Ok((Opened { node, file: handle }, Some(NameChange::Link { dir, name, node })))
    }

    /// Gives a file one more name. `NotFound` if it has none.
    pub(crate) fn link(&mut self, node: NodeId, path: &Path) -> io::Result<NameChange> {
        if self.names_of(node) == 0 {
            return Err(io::ErrorKind::NotFound.into());
        }
        let (dir, name) = self.locate(path)?;
        if self.names(dir)?.contains_key(&name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.names_mut(dir)?.insert(name.clone(), node);
        Ok(NameChange::Link { dir, name, node })
    }

    /// How many names a file has.
    pub(crate) fn names_of(&self, node: NodeId) -> usize {
        let names = self.nodes.values().map(|other| match other {
            Node::Dir(names) => names.values().filter(|named| **named == node).count(),
            Node::File(_) => 0,
        });
        names.sum()
    }

    pub(crate) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<NameChange> {
        let (from_dir, from_name) = self.locate(from)?;
        let node = *self.names(from_dir)?.get(&from_name).ok_or(io::ErrorKind::NotFound)?;
        let (to_dir, to_name) = self.locate(to)?;
        let moves_dir = self.is_dir(node);
        if moves_dir && to.starts_with(from) && to != from {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        if let Some(there) = self.names(to_dir)?.get(&to_name) {
            match (moves_dir, self.is_dir(*there)) {
                (true, false) => return Err(io::ErrorKind::NotADirectory.into()),
                (false, true) => return Err(io::ErrorKind::IsADirectory.into()),
                (true, true) if !self.names(*there)?.is_empty() => {
                    return Err(io::ErrorKind::DirectoryNotEmpty.into());
                }
                _ => {}
            }
        }
        self.names_mut(from_dir)?.remove(&from_name);
        self.names_mut(to_dir)?.insert(to_name.clone(), node);
        Ok(NameChange::Rename { from: (from_dir, from_name), to: (to_dir, to_name), node })
    }

    pub(crate) fn remove_file(&mut self, path: &Path) -> io::Result<NameChange> {
        let (dir, name) = self.locate(path)?;
        let node = *self.names(dir)?.get(&name).ok_or(io::ErrorKind::NotFound)?;
        if self.is_dir(node) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        self.names_mut(dir)?.remove(&name);
        Ok(NameChange::Unlink { dir, name })
    }

    pub(crate) fn remove_dir_all(&mut self, path: &Path) -> io::Result<Vec<NameChange>> {
        let (dir, name) = self.locate(path)?;
        let node = *self.names(dir)?.get(&name).ok_or(io::ErrorKind::NotFound)?;
        let mut changes = Vec::new();
        self.empty(node, &mut changes)?;
        self.names_mut(dir)?.remove(&name);
        changes.push(NameChange::Unlink { dir, name });
        Ok(changes)
    }

    /// Unlinks everything below `dir`, deepest first.
    fn empty(&mut self, dir: NodeId, changes: &mut Vec<NameChange>) -> io::Result<()> {
        for (name, node) in std::mem::take(self.names_mut(dir)?) {
            if self.is_dir(node) {
                self.empty(node, changes)?;
            }
            changes.push(NameChange::Unlink { dir, name });
        }
        Ok(())
    }

    /// Drops nodes that neither a name of the tree nor `keep` leads to. Open handles of theirs stay good.
    pub(crate) fn forget_unnamed(&mut self, keep: &BTreeSet<NodeId>) {
        let mut named: BTreeSet<NodeId> = BTreeSet::from([ROOT]);
        for node in self.nodes.values() {
            if let Node::Dir(names) = node {
                named.extend(names.values());
            }
        }
        self.nodes.retain(|id, _| named.contains(id) || keep.contains(id));
    }

    pub(crate) fn used_bytes(&self) -> io::Result<u64> {
        let mut used = 0;
        for node in self.nodes.values() {
            if let Node::File(file) = node {
                used += file.metadata()?.len();
            }
        }
        Ok(used)
    }
}

fn components(path: &Path) -> io::Result<Vec<&str>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => names.push(name.to_str().ok_or(io::ErrorKind::InvalidFilename)?),
            Component::ParentDir | Component::Prefix(_) => return Err(io::ErrorKind::InvalidFilename.into()),
        }
    }
    Ok(names)
}

pub(crate) fn new_file(name: &str) -> io::Result<File> {
    Ok(File::from(memfd_create(name, MemfdFlags::CLOEXEC)?))
}

/// A second open file description of the same memfd, with its own access mode and locks.
fn open_again(file: &File, mode: OpenMode) -> io::Result<File> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    OpenOptions::new().read(true).write(mode != OpenMode::Read).open(path)
}
