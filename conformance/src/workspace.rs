//! Where things are: the repository, the suites' sources and the cache of what was fetched for them.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The folders of one checkout.
#[derive(Debug, Clone)]
pub struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The checkout this crate was compiled in.
    pub fn of_this_build() -> Self {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.parent().unwrap_or(manifest).to_path_buf();
        Self { root }
    }

    /// The repository's root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The sources of one language's suites: `conformance/<name>`.
    pub fn sources(&self, name: &str) -> PathBuf {
        self.root.join("conformance").join(name)
    }

    /// A folder of ours under `target`, made if missing. Ignored by git, kept between runs.
    pub fn cache(&self, name: &str) -> Result<PathBuf> {
        let path = self.target().join("conformance").join(name);
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(path)
    }

    /// Cargo's target folder.
    pub fn target(&self) -> PathBuf {
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.root.join("target"), PathBuf::from)
    }
}

/// A note in a cache folder of what it was made from, so that a run with the same inputs skips the work.
#[derive(Debug)]
pub struct Stamp {
    path: PathBuf,
    value: String,
}

impl Stamp {
    /// A stamp in `folder` over the contents of `inputs` (files, or folders taken whole) and `extra`.
    pub fn over(folder: &Path, inputs: &[PathBuf], extra: &str) -> Result<Self> {
        let mut hasher = DefaultHasher::new();
        extra.hash(&mut hasher);
        for input in inputs {
            hash_tree(input, &mut hasher)?;
        }
        let value = format!("{:016x}", hasher.finish());
        Ok(Self { path: folder.join(".stamp"), value })
    }

    /// True when the folder was last made from exactly these inputs.
    pub fn holds(&self) -> bool {
        fs::read_to_string(&self.path).is_ok_and(|found| found == self.value)
    }

    /// Records that the folder now is what these inputs make.
    pub fn set(&self) -> Result<()> {
        fs::write(&self.path, &self.value).with_context(|| format!("cannot write {}", self.path.display()))
    }
}

fn hash_tree(path: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    if path.is_dir() {
        let mut entries = fs::read_dir(path)?.collect::<std::io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            hash_tree(&entry.path(), hasher)?;
        }
        return Ok(());
    }
    path.to_string_lossy().hash(hasher);
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))?.hash(hasher);
    Ok(())
}

/// Copies a folder's files, and its folders', over what is there. Sockets stay where they are.
pub fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else if entry.file_type()?.is_file() {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
