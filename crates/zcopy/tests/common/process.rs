//! What this process holds, and a process of its own for a test that counts it.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

/// Set in the process of a test that is alone.
const ALONE: &str = "ZCOPY_TEST_IS_ALONE";

/// Whether the calling test, which is called `test`, is alone in this process. If it is not, it is run in a process of
/// its own meanwhile, and has passed when this returns: others that run at the same time open and close what it would
/// count.
pub fn is_alone(test: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let mut alone = Command::new(std::env::current_exe().expect("this test"));
    let told = alone.args(["--exact", test, "--nocapture"]).env(ALONE, "1").output().expect("running it");
    let (out, err) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    eprint!("{err}");
    // A name that no test has is run as well, and passes.
    assert!(told.status.success() && out.contains(" 1 passed;"), "{test}: {out}");
    false
}

/// Open descriptors.
pub fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("/proc").count()
}

/// Open descriptors that are pipes.
pub fn pipes_open() -> usize {
    let links = std::fs::read_dir("/proc/self/fd").expect("/proc");
    let pipes = links.filter_map(|link| std::fs::read_link(link.ok()?.path()).ok());
    pipes.filter(|target| target.to_string_lossy().starts_with("pipe:")).count()
}

/// Maps of a file.
pub fn maps_of(file: &File) -> usize {
    let inode = format!(" {} ", file.metadata().expect("its inode").ino());
    let maps = std::fs::read_to_string("/proc/self/maps").expect("/proc");
    maps.lines().filter(|line| line.contains(&inode)).count()
}
