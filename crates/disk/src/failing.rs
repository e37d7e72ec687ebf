//! A disk that counts its calls and fails on demand: the n-th call of a kind, or every one, with a chosen errno. It can hold one
//! up, too.
//! Tests of error paths put it around any other disk.
//!
//! Reads through [`DiskFile::file`] go to the kernel directly and cannot be made to fail here.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::io::Errno;

use crate::disk::{DirEntry, Disk, DiskFile, Identity, OpenMode, Space};

/// The kinds of calls that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the call it names")]
pub enum Call {
    CreateDir,
    ReadDir,
    Open,
    Rename,
    RemoveFile,
    RemoveDir,
    SyncDir,
    Exists,
    Space,
    Len,
    Read,
    /// A read that may not wait; it counts as `Read` too. `Errno::AGAIN` makes its file cold.
    ReadNoWait,
    Write,
    SetLen,
    SyncData,
    SyncAll,
    Preallocate,
    StartWriteback,
    HardLink,
}

/// Which calls of a kind fail, counted from 1 and from the moment the rule is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Only the n-th.
    Nth(u64),
    /// The n-th and all after it.
    From(u64),
    /// All of them.
    Always,
}

/// What a failing call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing but return the error.
    Error(Errno),
    /// A write that stores its first `keep` bytes before the error: a disk that fills up, a torn write. On other
    /// calls as `Error`.
    Torn {
        /// The error.
        errno: Errno,
        /// Bytes that still arrive.
        keep: u64,
    },
    /// A panic: of whoever calls, as far as anybody above can tell.
    Panic,
}

#[derive(Debug)]
struct Rule {
    call: Call,
    path_contains: String,
    when: When,
    fault: Fault,
    seen: u64,
}

/// How long anybody waits for a call that is to be held up.
const REACHED_MAX: Duration = Duration::from_secs(30);

/// The first call of a kind from now on is held up until this is dropped.
#[derive(Debug)]
pub struct Held {
    reached: mpsc::Receiver<()>,
    _release: mpsc::Sender<()>,
}

impl Held {
    /// Waits until the call is made; `false` if it was not for half a minute.
    #[must_use]
    pub fn is_reached(&self) -> bool {
        self.reached.recv_timeout(REACHED_MAX).is_ok()
    }

    /// Whether the call was made by now, told once.
    #[must_use]
    pub fn was_reached(&self) -> bool {
        self.reached.try_recv().is_ok()
    }
}

/// A call that waits for its [`Held`] to go.
#[derive(Debug)]
struct Hold {
    call: Call,
    path_contains: String,
    reached: mpsc::Sender<()>,
    released: mpsc::Receiver<()>,
}

/// The rules, and how often each call was made.
#[derive(Debug, Default)]
struct Book {
    rules: Vec<Rule>,
    holds: Vec<Hold>,
    calls: Vec<(Call, u64)>,
    traffic: BTreeMap<PathBuf, Traffic>,
    bytes_read: u64,
}

/// What went to a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes that were to be written.
    pub bytes: u64,
    /// How often its bytes were synced.
    pub syncs: u64,
}

type Rules = Arc<Mutex<Book>>;

/// Wraps another disk. Without rules it is transparent. Clones share their rules.
#[derive(Debug, Clone)]
pub struct FailingDisk {
    inner: Arc<dyn Disk>,
    rules: Rules,
}

impl FailingDisk {
    /// Wraps `inner`, failing nothing yet.
    pub fn new(inner: Arc<dyn Disk>) -> Self {
        Self { inner, rules: Rules::default() }
    }

    /// From now on `call`s fail with `errno` as `when` says.
    pub fn fail(&self, call: Call, when: When, errno: Errno) {
        self.fail_on("", call, when, Fault::Error(errno));
    }

    /// As [`fail`](Self::fail), for paths whose text contains `path_contains`, and with any fault. The path of a
    /// file's call is the one it was opened by; of a rename, the old one.
    pub fn fail_on(&self, path_contains: &str, call: Call, when: When, fault: Fault) {
        let path_contains = path_contains.to_owned();
        self.rules.lock().rules.push(Rule { call, path_contains, when, fault, seen: 0 });
    }

    /// Holds up the next `call` for a path whose text contains `path_contains`.
    pub fn hold(&self, path_contains: &str, call: Call) -> Held {
        let ((reached, is_reached), (release, released)) = (mpsc::channel(), mpsc::channel());
        let path_contains = path_contains.to_owned();
        self.rules.lock().holds.push(Hold { call, path_contains, reached, released });
        Held { reached: is_reached, _release: release }
    }

    /// Drops all rules: the disk works again.
    pub fn heal(&self) {
        self.rules.lock().rules.clear();
    }

    /// How many `call`s were made so far, failed ones included.
    pub fn calls(&self, call: Call) -> u64 {
        self.rules.lock().calls.iter().find(|(counted, _)| *counted == call).map_or(0, |(_, count)| *count)
    }

    /// The same of all kinds of which there were any.
    pub fn all_calls(&self) -> Vec<(Call, u64)> {
        self.rules.lock().calls.clone()
    }

    /// What was written so far to files of whose paths the text contains `path_contains`, by the names they were opened by.
    pub fn traffic(&self, path_contains: &str) -> Traffic {
        let book = self.rules.lock();
        let of = book.traffic.iter().filter(|(path, _)| path.to_string_lossy().contains(path_contains));
        of.fold(Traffic::default(), |sum, (_, one)| Traffic {
            bytes: sum.bytes + one.bytes,
            syncs: sum.syncs + one.syncs,
        })
    }

    /// How many bytes were read from files so far.
    pub fn bytes_read(&self) -> u64 {
        self.rules.lock().bytes_read
    }

    fn check(&self, call: Call, path: &Path) -> io::Result<()> {
        check(&self.rules, call, path)
    }
}

impl Book {
    fn traffic_of(&mut self, path: &Path) -> &mut Traffic {
        self.traffic.entry(path.to_path_buf()).or_default()
    }

    fn count(&mut self, call: Call) {
        match self.calls.iter_mut().find(|(counted, _)| *counted == call) {
            Some((_, count)) => *count += 1,
            None => self.calls.push((call, 1)),
        }
    }
}

impl Book {
    /// What holds up this call, which it does once.
    fn hold(&mut self, call: Call, path: &str) -> Option<Hold> {
        let held = |hold: &Hold| hold.call == call && path.contains(&hold.path_contains);
        let at = self.holds.iter().position(held)?;
        Some(self.holds.remove(at))
    }
}

/// Counts the call against every rule it matches; the first that is due decides.
fn due(rules: &Rules, call: Call, path: &Path) -> Option<Fault> {
    let hold = rules.lock().hold(call, &path.to_string_lossy());
    if let Some(hold) = hold {
        let _ = hold.reached.send(());
        let _ = hold.released.recv();
    }
    let mut book = rules.lock();
    book.count(call);
    let mut fault = None;
    for rule in book.rules.iter_mut().filter(|rule| rule.call == call) {
        if !path.to_string_lossy().contains(&rule.path_contains) {
            continue;
        }
        rule.seen += 1;
        let due = match rule.when {
            When::Nth(n) => rule.seen == n,
            When::From(n) => rule.seen >= n,
            When::Always => true,
        };
        if due && fault.is_none() {
            fault = Some(rule.fault);
        }
    }
    fault
}

fn check(rules: &Rules, call: Call, path: &Path) -> io::Result<()> {
    match due(rules, call, path) {
        Some(Fault::Error(errno) | Fault::Torn { errno, .. }) => Err(errno.into()),
        Some(Fault::Panic) => panicked(call),
        None => Ok(()),
    }
}

#[expect(clippy::panic, reason = "this is what was asked for")]
fn panicked(call: Call) -> ! {
    panic!("a call was to panic: {call:?}")
}

impl Disk for FailingDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.check(Call::CreateDir, path)?;
        self.inner.create_dir_all(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.check(Call::CreateDir, path)?;
        self.inner.create_dir(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.check(Call::ReadDir, path)?;
        self.inner.read_dir(path)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        self.check(Call::Open, path)?;
        let inner = self.inner.open(path, mode)?;
        Ok(Arc::new(FailingFile { inner, path: path.to_path_buf(), rules: self.rules.clone() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.check(Call::Rename, from)?;
        self.inner.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.check(Call::RemoveFile, path)?;
        self.inner.remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.check(Call::RemoveDir, path)?;
        self.inner.remove_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.check(Call::SyncDir, path)?;
        self.inner.sync_dir(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.check(Call::Exists, path)?;
        self.inner.exists(path)
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        self.check(Call::Len, path)?;
        self.inner.file_len(path)
    }

    fn identity(&self, path: &Path) -> io::Result<Option<Identity>> {
        self.inner.identity(path)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.check(Call::Space, path)?;
        self.inner.space(path)
    }

    fn is_writeback_due(&self) -> bool {
        self.inner.is_writeback_due()
    }
}

#[derive(Debug)]
struct FailingFile {
    inner: Arc<dyn DiskFile>,
    path: PathBuf,
    rules: Rules,
}

impl FailingFile {
    fn count_read(&self, bytes: usize) {
        self.rules.lock().bytes_read += bytes as u64;
    }

    fn check(&self, call: Call) -> io::Result<()> {
        check(&self.rules, call, &self.path)
    }
}

impl DiskFile for FailingFile {
    fn file(&self) -> &Arc<File> {
        self.inner.file()
    }

    fn len(&self) -> io::Result<u64> {
        self.check(Call::Len)?;
        self.inner.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.check(Call::Read)?;
        self.inner.read_at(offset, buffer).inspect(|bytes| self.count_read(*bytes))
    }

    fn read_at_nowait(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.check(Call::ReadNoWait)?;
        self.check(Call::Read)?;
        self.inner.read_at_nowait(offset, buffer).inspect(|bytes| self.count_read(*bytes))
    }

    fn write_all_at(&self, offset: u64, slices: &[IoSlice<'_>]) -> io::Result<()> {
        let bytes: u64 = slices.iter().map(|slice| slice.len() as u64).sum();
        self.rules.lock().traffic_of(&self.path).bytes += bytes;
        match due(&self.rules, Call::Write, &self.path) {
            None => self.inner.write_all_at(offset, slices),
            Some(Fault::Error(errno)) => Err(errno.into()),
            Some(Fault::Panic) => panicked(Call::Write),
            Some(Fault::Torn { errno, keep }) => {
                let mut kept: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
                kept.truncate(usize::try_from(keep).unwrap_or(usize::MAX));
                self.inner.write_all_at(offset, &[IoSlice::new(&kept)])?;
                Err(errno.into())
            }
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check(Call::SetLen)?;
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.rules.lock().traffic_of(&self.path).syncs += 1;
        self.check(Call::SyncData)?;
        self.inner.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.rules.lock().traffic_of(&self.path).syncs += 1;
        self.check(Call::SyncAll)?;
        self.inner.sync_all()
    }

    fn preallocate(&self, offset: u64, len: u64) -> io::Result<()> {
        self.check(Call::Preallocate)?;
        self.inner.preallocate(offset, len)
    }

    fn start_writeback(&self, offset: u64, len: u64) -> io::Result<()> {
        self.check(Call::StartWriteback)?;
        self.inner.start_writeback(offset, len)
    }

    fn hard_link(&self, path: &Path) -> io::Result<()> {
        self.check(Call::HardLink)?;
        self.inner.hard_link(path)
    }

    fn names(&self) -> io::Result<u64> {
        self.inner.names()
    }

    fn identity(&self) -> io::Result<Option<Identity>> {
        self.inner.identity()
    }

    fn is_nameless(&self) -> io::Result<bool> {
        self.inner.is_nameless()
    }
}
