//! `[how it was left u8]` and then changes `[kind u8][where u32][bytes as a chunk]`: the metadata store's file. It is longer than
//! an input, so an input says what is different in it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use pagewire_disk::{Disk, MemoryDisk, OpenMode, read_small};
use pagewire_metadata::{
    Batch, EmbeddedStore, Entry, Expect, FILE_NAME, ManualClock, OpenError, Store, StoreError,
};

use crate::input::{Input, chunk};

const CHANGES_MAX: usize = 8;
const FILE_MAX: u64 = 1 << 26;
/// redb's header, and the two slots of which one counts.
const HEAD: usize = 320;

/// A store's file as it was left by a kill and by an orderly stop, and what it answered.
struct Lived {
    files: [Vec<u8>; 2],
    /// Before the last change, and after it: which of the slots counts is one bit.
    answers: [Vec<Entry>; 2],
}

static LIVED: LazyLock<Lived> = LazyLock::new(Lived::new);

fn path() -> PathBuf {
    Path::new("/data").join(FILE_NAME)
}

fn open(disk: &Arc<MemoryDisk>) -> Result<EmbeddedStore, OpenError> {
    EmbeddedStore::open_on(Arc::clone(disk) as Arc<dyn Disk>, &path(), Arc::new(ManualClock::new(1_000)))
}

fn on_disk(file: &[u8]) -> Arc<MemoryDisk> {
    let disk = MemoryDisk::new();
    disk.create_dir_all(Path::new("/data")).expect("memory has room");
    if !file.is_empty() {
        let made = disk.open(&path(), OpenMode::Create).expect("memory has room");
        made.write_at(0, file).expect("memory has room");
    }
    Arc::new(disk)
}

fn bytes_of(disk: &MemoryDisk) -> Vec<u8> {
    read_small(disk, &path(), FILE_MAX).ok().flatten().unwrap_or_default()
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(work)
}

fn answers(store: &EmbeddedStore) -> Result<Vec<Entry>, StoreError> {
    block_on(store.list("")).map(|listing| listing.entries)
}

impl Lived {
    fn new() -> Self {
        let disk = on_disk(&[]);
        let store = open(&disk).expect("a new store");
        let put = |key: String, value: Bytes| {
            block_on(store.commit(Batch::new().put(key, value, Expect::Any))).expect("put");
        };
        for at in 0..12u8 {
            put(format!("topics/{at}"), Bytes::from(vec![at; 40 + usize::from(at % 5) * 700]));
        }
        let before = answers(&store).expect("listed");
        put("last".to_owned(), Bytes::from_static(b"this counts"));
        let after = answers(&store).expect("listed");
        let killed = bytes_of(&disk);
        drop(store);
        Self { files: [killed, bytes_of(&disk)], answers: [before, after] }
    }
}

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let left = usize::from(input.u8() & 1);
    let mut file = LIVED.files.get(left).cloned().unwrap_or_default();
    for _ in 0..CHANGES_MAX {
        let (kind, at) = (input.u8(), [input.u8(), input.u8(), input.u8(), input.u8()]);
        change(&mut file, kind, u32::from_be_bytes(at) as usize, input.chunk());
    }
    if file.is_empty() {
        // Such a file is a new store; that there was one before is known elsewhere.
        return;
    }
    let disk = on_disk(&file);
    let store = match open(&disk) {
        Ok(store) => store,
        Err(error) => return assert!(error.to_string().contains(FILE_NAME), "{error}"),
    };
    if let Ok(found) = answers(&store) {
        let is_known = LIVED.answers.contains(&found);
        assert!(is_known || HEAD > file.len(), "other answers than ever: {found:?}");
    }
}

fn change(file: &mut Vec<u8>, kind: u8, at: usize, bytes: &[u8]) {
    let at = at % (file.len() + 1);
    match kind % 4 {
        0 => file.iter_mut().skip(at).zip(bytes).for_each(|(byte, new)| *byte ^= new),
        1 => file.iter_mut().skip(at).zip(bytes).for_each(|(byte, new)| *byte = *new),
        2 if !bytes.is_empty() => file.truncate(at),
        3 => file.extend_from_slice(bytes),
        _ => {}
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let change = |kind: u8, at: u32, bytes: &[u8]| [&[kind][..], &at.to_be_bytes(), &chunk(bytes)].concat();
    vec![
        vec![0],
        vec![1],
        [vec![0], change(0, 9, &[1])].concat(),
        [vec![0], change(0, 4_096, &[8])].concat(),
        [vec![1], change(1, 8_000, &[0; 64]), change(3, 0, &[7; 9])].concat(),
        [vec![1], change(2, 12_000, &[1])].concat(),
    ]
}
