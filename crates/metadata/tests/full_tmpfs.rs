//! A store on a file system that is really full: a small tmpfs in a mount namespace of its own, which goes with its
//! process.
//!
//! Where no such namespace can be made the fact is not tried, and that is said.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use pagewire_metadata::{Batch, EmbeddedStore, Expect, FILE_NAME, Store, SystemClock};

/// Set for the process in the namespace: where to mount.
const PLACE: &str = "PAGEWIRE_TEST_TMPFS";

/// Runs this test again in a mount namespace with a tmpfs of `size`; its path there, `None` outside.
fn in_a_small_file_system(test: &str, size: &str) -> Option<std::path::PathBuf> {
    if let Some(place) = std::env::var_os(PLACE) {
        return Some(place.into());
    }
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let script = format!("mount -t tmpfs -o size={size} none \"${PLACE}\" || exit 77; exec \"$@\"");
    let root = is_root();
    let mut unshare = Command::new("unshare");
    unshare.args(if root { &["-m"][..] } else { &["-r", "-m"] });
    let outcome = unshare
        .args(["sh", "-c", &script, "sh"])
        .arg(std::env::current_exe().expect("this binary"))
        .args(["--exact", test, "--nocapture"])
        .env(PLACE, place.path())
        .status();
    match outcome {
        Ok(status) if status.success() => {}
        Ok(status) if matches!(status.code(), Some(1 | 77)) && !namespaces_work() => {
            eprintln!("not tried: no mount namespace here ({status})");
        }
        Ok(status) => panic!("in the namespace: {status}"),
        Err(error) => eprintln!("not tried: {error}"),
    }
    None
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

fn namespaces_work() -> bool {
    let root = is_root();
    let mut unshare = Command::new("unshare");
    unshare.args(if root { &["-m"][..] } else { &["-r", "-m"] });
    unshare.args(["sh", "-c", "mount -t tmpfs none /tmp"]).status().is_ok_and(|status| status.success())
}

fn fill(dir: &Path) {
    let chunk = vec![0; 4096];
    let mut file = fs::File::create(dir.join("filler")).expect("made");
    while std::io::Write::write_all(&mut file, &chunk).is_ok() {}
}

async fn put(store: &EmbeddedStore, key: &str) -> Result<i64, String> {
    let batch = Batch::new().put(key, Bytes::from(vec![7; 300_000]), Expect::Any);
    store.commit(batch).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn what_makes_topics_go_is_written_where_nothing_else_can_be() {
    let test = "what_makes_topics_go_is_written_where_nothing_else_can_be";
    let Some(dir) = in_a_small_file_system(test, "8m") else { return };
    let path = dir.join(FILE_NAME);
    let open = || EmbeddedStore::open(&path, Arc::new(SystemClock)).expect("opens");
    // Stores of many lengths: when one grows is its own affair.
    let mut store = open();
    for topics in 0..60 {
        let value = Bytes::from(vec![7; 1000]);
        store.put_if(&format!("topics/{topics}"), value, Expect::Any).await.expect("room");
        fill(&dir);
        if topics % 20 == 0 {
            drop(store);
            store = open();
        }
        for epoch in 0..3 {
            store.put_if("epoch", Bytes::from(format!("{epoch}")), Expect::Any).await.expect("an epoch");
        }
        store.put_if("topics/one", Bytes::from_static(b"more"), Expect::Any).await.expect("one more");
        store.delete_if("topics/one", Expect::Any).await.expect("one less");
        fs::remove_file(dir.join("filler")).expect("removed");
    }
}

#[tokio::test]
async fn a_store_on_a_full_file_system_answers_reads_and_recovers_by_itself() {
    let test = "a_store_on_a_full_file_system_answers_reads_and_recovers_by_itself";
    let Some(dir) = in_a_small_file_system(test, "8m") else { return };
    let path = dir.join(FILE_NAME);
    let store = EmbeddedStore::open(&path, Arc::new(SystemClock)).expect("opens");
    put(&store, "before").await.expect("room");
    fill(&dir);
    let mut refused = 0;
    for number in 0..20 {
        if let Err(error) = put(&store, &format!("meanwhile{number}")).await {
            assert_eq!(error, "the broker's disk is full");
            refused += 1;
        }
        assert!(store.get("before").await.expect("readable").is_some());
    }
    assert!(refused > 0, "it was full");
    fs::remove_file(dir.join("filler")).expect("removed");
    put(&store, "after").await.expect("room again");
    drop(store);
    let store = EmbeddedStore::open(&path, Arc::new(SystemClock)).expect("opens");
    for key in ["before", "after"] {
        assert!(store.get(key).await.expect("readable").is_some(), "{key}");
    }
}
