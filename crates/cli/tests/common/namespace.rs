//! A test that runs itself again in a mount namespace of its own, with a small tmpfs, which goes with its process.
//!
//! Where no such namespace can be made the fact is not tried, and that is said.

use std::ffi::OsString;
use std::fs;
use std::process::Command;

/// Set for the process in the namespace: where the tmpfs is.
const PLACE: &str = "PAGEWIRE_TEST_TMPFS";

/// Options of `unshare` for this user.
fn unshare() -> Command {
    let root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let mut unshare = Command::new("unshare");
    unshare.args(if root { &["-m"][..] } else { &["-r", "-m"] });
    unshare
}

/// Runs this test again in a mount namespace with a tmpfs of `size`; its path there, `None` outside.
pub fn in_a_small_file_system(test: &str, size: &str) -> Option<OsString> {
    if let Some(place) = std::env::var_os(PLACE) {
        return Some(place);
    }
    let works = unshare().args(["sh", "-c", "mount -t tmpfs none /tmp"]).status();
    if !works.is_ok_and(|status| status.success()) {
        eprintln!("not tried: no mount namespace here");
        return None;
    }
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let script = format!("mount -t tmpfs -o size={size} none \"${PLACE}\" && exec \"$@\"");
    let status = unshare()
        .args(["sh", "-c", &script, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(PLACE, place.path())
        .status()
        .unwrap();
    assert!(status.success(), "in the namespace: {status}");
    None
}

/// Runs a command of the system, such as `mount`.
#[track_caller]
pub fn system(command: &str, args: &[&str]) {
    let status = Command::new(command).args(args).status().unwrap();
    assert!(status.success(), "{command} {args:?}: {status}");
}
