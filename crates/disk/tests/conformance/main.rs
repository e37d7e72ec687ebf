//! One suite, every disk: what holds for the machine's file system holds for the ones tests use instead.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagewire_disk::{Disk, FailingDisk, ForgettingDisk, MemoryDisk, OsDisk};

mod directories;
mod files;
mod small_files;

/// A disk and a directory on it that exists and is empty.
struct Place {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Place {
    fn os() -> Self {
        let temporary = tempfile::tempdir().expect("temporary directory");
        Self {
            disk: Arc::new(OsDisk::new()),
            root: temporary.path().to_path_buf(),
            _temporary: Some(temporary),
        }
    }

    fn of(disk: Arc<dyn Disk>) -> Self {
        let root = PathBuf::from("/data");
        disk.create_dir_all(&root).expect("root");
        Self { disk, root, _temporary: None }
    }

    fn memory() -> Self {
        Self::of(Arc::new(MemoryDisk::new()))
    }

    fn failing() -> Self {
        Self::of(Arc::new(FailingDisk::new(Arc::new(MemoryDisk::new()))))
    }

    fn forgetting() -> Self {
        Self::of(Arc::new(ForgettingDisk::new()))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

/// Makes one test per disk out of each fact.
macro_rules! facts {
    ($($fact:ident),* $(,)?) => {
        facts!(@disk os; $($fact),*);
        facts!(@disk memory; $($fact),*);
        facts!(@disk failing; $($fact),*);
        facts!(@disk forgetting; $($fact),*);
    };
    (@disk $disk:ident; $($fact:ident),*) => {
        mod $disk {
            $(#[test] fn $fact() { super::$fact(&crate::Place::$disk()); })*
        }
    };
}
pub(crate) use facts;

fn put(disk: &dyn Disk, path: &Path, bytes: &[u8]) {
    let file = disk.open(path, pagewire_disk::OpenMode::Create).expect("create");
    file.set_len(0).expect("cut");
    file.write_at(0, bytes).expect("write");
}

fn get(disk: &dyn Disk, path: &Path) -> Vec<u8> {
    pagewire_disk::read_small(disk, path, 1 << 20).expect("read").expect("exists")
}
