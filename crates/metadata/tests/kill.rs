//! A process killed with SIGKILL in the middle of its writes has lost none that it was told of.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

use pagewire_metadata::{EmbeddedStore, Expect, FILE_NAME, Store, SystemClock};

const DIR: &str = "PAGEWIRE_KILL_TEST_DIR";
const ROUND: &str = "PAGEWIRE_KILL_TEST_ROUND";
const ROUNDS: usize = 5;
const LINES: usize = 40;

/// Not a test by itself: the process that is killed. It writes pairs of keys and prints each pair it was told of.
#[test]
#[ignore = "the other test starts it"]
fn the_victim() {
    let (Ok(dir), Ok(round)) = (std::env::var(DIR), std::env::var(ROUND)) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    runtime.block_on(async {
        let store = EmbeddedStore::open(&std::path::Path::new(&dir).join(FILE_NAME), Arc::new(SystemClock))
            .expect("the store");
        for count in 0..100_000u32 {
            let value = format!("{round}:{count}:{}", "x".repeat(500));
            let batch = pagewire_metadata::Batch::new()
                .put(format!("a/{}", count % 50), value.clone(), Expect::Any)
                .put(format!("b/{}", count % 50), value, Expect::Any);
            let revision = store.commit(batch).await.expect("a write");
            let mut out = std::io::stdout().lock();
            writeln!(out, "told {} {revision}", count % 50).and_then(|()| out.flush()).expect("a reader");
        }
    });
}

#[test]
fn a_killed_process_has_lost_nothing_it_was_told_of() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut told: BTreeMap<String, i64> = BTreeMap::new();
    for round in 0..ROUNDS {
        let mut victim = Command::new(std::env::current_exe().expect("a path"))
            .args(["--exact", "the_victim", "--ignored", "--nocapture"])
            .env(DIR, dir.path())
            .env(ROUND, round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let output = BufReader::new(victim.stdout.take().expect("a pipe"));
        let mut lines = output.lines().map_while(Result::ok).filter_map(|line| {
            let mut words = line.split_ascii_whitespace().skip_while(|word| *word != "told").skip(1);
            Some((words.next()?.to_owned(), words.next()?.parse::<i64>().ok()?))
        });
        told.extend(lines.by_ref().take(LINES));
        victim.kill().expect("a kill");
        told.extend(lines);
        victim.wait().expect("an end");

        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let store = EmbeddedStore::open(&dir.path().join(FILE_NAME), Arc::new(SystemClock))
                .expect("a store that repairs itself");
            assert!(told.len() >= LINES);
            for (key, revision) in &told {
                let a = store.get(&format!("a/{key}")).await.expect("a read").expect("it was told of");
                let b = store.get(&format!("b/{key}")).await.expect("a read").expect("it was told of");
                assert_eq!(a, b, "a batch is whole");
                assert!(a.version >= *revision, "round {round}: {key} went back to {}", a.version);
            }
            let listing = store.list("").await.expect("a listing");
            let newest = listing.entries.iter().map(|entry| entry.value.version).max();
            assert_eq!(newest, Some(listing.revision));
        });
    }
}
