//! Bits flipped and files cut, zeroed, grown and emptied, after an orderly stop and after a kill: the store answers as
//! before, or it is refused in words that name the file. Never a panic, never another answer, and never an empty store.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use pagewire_disk::{Disk, MemoryDisk, OpenMode};
use pagewire_metadata::{
    Batch, EmbeddedStore, Entry, Expect, FILE_NAME, ManualClock, OpenError, Revision, Store,
};

/// Where redb's header and its two commit slots end.
const HEAD: usize = 320;
/// The bit that says which of the slots counts.
const SLOT_BIT: usize = 9 * 8;
/// Flipped bits behind the head.
const FLIPS: usize = 600;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Clean,
    Killed,
}

/// A store's file as it was left, and what it answered.
struct Lived {
    file: Vec<u8>,
    revision: Revision,
    rows: Vec<Entry>,
}

fn path() -> PathBuf {
    Path::new("/data").join(FILE_NAME)
}

fn disk_with(file: &[u8]) -> Arc<MemoryDisk> {
    let disk = MemoryDisk::new();
    disk.create_dir_all(Path::new("/data")).expect("made");
    disk.open(&path(), OpenMode::Create).and_then(|made| made.write_at(0, file)).expect("written");
    Arc::new(disk)
}

fn open(disk: Arc<MemoryDisk>) -> Result<EmbeddedStore, OpenError> {
    EmbeddedStore::open_on(disk, &path(), Arc::new(ManualClock::new(1_000)))
}

fn bytes_of(disk: &MemoryDisk) -> Vec<u8> {
    pagewire_disk::read_small(disk, &path(), 1 << 24).expect("read").expect("there")
}

async fn answers(store: &EmbeddedStore) -> Result<(Revision, Vec<Entry>), pagewire_metadata::StoreError> {
    store.list("").await.map(|listing| (listing.revision, listing.entries))
}

impl Lived {
    /// Rows of all sizes, some changed, some gone, and a last change that matters.
    async fn new(left: Left) -> Self {
        let disk = MemoryDisk::new();
        disk.create_dir_all(Path::new("/data")).expect("made");
        let disk = Arc::new(disk);
        let store = open(Arc::clone(&disk)).expect("a new store");
        for at in 0..40u8 {
            let value = Bytes::from(vec![at; 40 + usize::from(at % 7) * 900]);
            store.commit(Batch::new().put(format!("topics/{at}"), value, Expect::Any)).await.expect("put");
        }
        let lease = store.grant(100_000).await.expect("a lease");
        let batch = Batch::new().put_leased("leased", "for a while", Expect::Absent, lease);
        store.commit(batch).await.expect("put");
        for at in (0..40u8).step_by(3) {
            store.delete_if(&format!("topics/{at}"), Expect::Any).await.expect("deleted");
        }
        store.commit(Batch::new().put("last", "this counts", Expect::Absent)).await.expect("put");
        let (revision, rows) = answers(&store).await.expect("listed");
        let killed = bytes_of(&disk);
        drop(store);
        let file = if left == Left::Killed { killed } else { bytes_of(&disk) };
        Self { file, revision, rows }
    }

    /// What is wrong with what comes of the file with these bytes; none if all is well.
    async fn wrong(&self, file: &[u8]) -> Option<String> {
        let disk = disk_with(file);
        let Ok(opened) = catch_unwind(AssertUnwindSafe(|| open(disk))) else {
            return Some("a panic".to_owned());
        };
        let store = match opened {
            Err(error @ OpenError::Damaged { .. }) => {
                return (!error.to_string().contains(FILE_NAME)).then(|| error.to_string());
            }
            Err(other) => return Some(format!("{other:?}")),
            Ok(store) => store,
        };
        match answers(&store).await {
            Ok((revision, rows)) if revision == self.revision && rows == self.rows => {}
            Ok((revision, rows)) => {
                return Some(format!("{} rows of revision {revision} served", rows.len()));
            }
            Err(error) => return Some(error.to_string()),
        }
        // It can be written to, and closed, as well.
        store.commit(Batch::new().put("more", "", Expect::Absent)).await.err().map(|error| error.to_string())
    }
}

/// A build without optimisation takes turns.
fn every() -> usize {
    if cfg!(debug_assertions) { 12 } else { 1 }
}

/// All bits of the head, and a sample of the others.
fn bits(len: usize) -> impl Iterator<Item = usize> {
    let stride = ((len - HEAD) * 8 / FLIPS).max(1) | 1;
    (0..HEAD * 8).chain((HEAD * 8..len * 8).step_by(stride)).step_by(every())
}

#[tokio::test]
async fn whatever_bit_is_flipped_the_store_is_refused_or_answers_as_before() {
    for left in [Left::Clean, Left::Killed] {
        let lived = Lived::new(left).await;
        assert_eq!(lived.wrong(&lived.file).await, None, "as it was left");
        let (mut wrong, mut cases) = (Vec::new(), 0);
        for bit in bits(lived.file.len()).chain([SLOT_BIT]) {
            let mut file = lived.file.clone();
            file[bit / 8] ^= 1 << (bit % 8);
            let found = lived.wrong(&file).await;
            wrong.extend(found.map(|found| format!("bit {} of byte {}: {found}", bit % 8, bit / 8)));
            cases += 1;
        }
        assert!(wrong.is_empty(), "{left:?}, {} of {cases}:\n{}", wrong.len(), wrong.join("\n"));
        assert!(cases > 250, "{cases}");
    }
}

/// A kill while a commit was written, before the bit that makes it count: its pages, or the slot itself, may be half
/// there.
#[tokio::test]
async fn a_change_that_was_not_whole_when_the_process_was_killed_does_not_count() {
    let lived = Lived::new(Left::Killed).await;
    let second_counts = lived.file[9] & 1 == 1;
    let newer = if second_counts { 192 } else { 64 };
    for (what, at) in [("a root", newer + 8), ("its number", newer + 105), ("its checksum", newer + 127)] {
        let mut file = lived.file.clone();
        file[SLOT_BIT / 8] ^= 1;
        file[at] ^= 1;
        let disk = disk_with(&file);
        let store = open(Arc::clone(&disk)).unwrap_or_else(|error| panic!("{what}: {error}"));
        let (revision, rows) = answers(&store).await.expect("listed");
        assert_eq!(revision + 1, lived.revision, "{what}");
        assert!(rows.iter().all(|row| row.key != "last") && rows.len() + 1 == lived.rows.len(), "{what}");
    }
}

#[tokio::test]
async fn a_file_that_is_cut_grown_or_zeroed_is_refused_or_answers_as_before() {
    for left in [Left::Clean, Left::Killed] {
        let lived = Lived::new(left).await;
        let len = lived.file.len();
        let cuts = (0..len).step_by((len / 60).max(1)).chain([1, 9, HEAD - 1, HEAD, 4096, len - 1]);
        let mut harmed: Vec<(String, Vec<u8>)> =
            cuts.map(|cut| (format!("cut to {cut}"), lived.file[..cut].to_vec())).collect();
        for by in [1, 4095, 4096, 65_536, 1 << 20] {
            harmed.push((format!("grown by {by}"), [&lived.file[..], &vec![0; by]].concat()));
        }
        for from in (0..len).step_by((len / 40).max(512)) {
            for with in [0, 0xff] {
                let mut file = lived.file.clone();
                file[from..(from + 512).min(len)].fill(with);
                harmed.push((format!("{with:#04x} from {from}"), file));
            }
        }
        harmed.push(("all zeros".to_owned(), vec![0; len]));
        let (mut wrong, cases) = (Vec::new(), harmed.len());
        for (what, file) in harmed {
            wrong.extend(lived.wrong(&file).await.map(|found| format!("{what}: {found}")));
        }
        assert!(wrong.is_empty(), "{left:?}, {} of {cases}:\n{}", wrong.len(), wrong.join("\n"));
        assert!(cases > 100, "{cases}");
    }
}

/// What redb itself would take for a wish for a new database.
#[test]
fn an_empty_file_is_refused_and_left_as_it_is() {
    let disk = disk_with(b"");
    let refused = open(Arc::clone(&disk)).expect_err("no store");
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
    assert!(bytes_of(&disk).is_empty());
}

/// A database of redb's in which nothing is, as one that was begun and never filled.
#[test]
fn a_database_without_tables_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join(FILE_NAME);
    drop(redb::Database::create(&path).expect("made"));
    let refused = EmbeddedStore::open(&path, Arc::new(ManualClock::new(1))).expect_err("no store");
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
}
