//! Asks git for the commit that is checked out. It runs again when that is another one, and not when files change: what was not
//! committed would have everything built anew that names its commit.

use std::path::PathBuf;
use std::process::Command;

/// Digits of it that are told: enough for any repository, as many in each clone of it.
const DIGITS: usize = 12;
/// Where this crate lies in a checkout. A source archive may lie in a repository of something else.
const HERE: &str = "crates/built/";
/// Moves whenever HEAD does. It is there unless somebody asked git to keep none.
const HISTORY: &str = "logs/HEAD";
/// One of these moves then, and with branches that are not checked out too.
const HEADS: [&str; 4] = ["HEAD", "packed-refs", "refs/heads", "reftable"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is_ours = git(&["rev-parse", "--show-prefix"]).is_some_and(|prefix| prefix == HERE);
    let commit = git(&["rev-parse", "HEAD"]).filter(|_| is_ours);
    for path in commit.iter().flat_map(|_| moving()) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    let told = commit.as_deref().and_then(|commit| commit.get(..DIGITS)).unwrap_or("unknown");
    println!("cargo::rustc-env=PAGEWIRE_COMMIT={told}");
}

/// Files of the repository that move when HEAD does. One that is not there would have this run at each build.
fn moving() -> Vec<PathBuf> {
    let file = |name: &&str| git(&["rev-parse", "--git-path", name]).map(PathBuf::from);
    let there = |names: &[&str]| names.iter().filter_map(file).filter(|path| path.exists()).collect();
    let history: Vec<_> = there(&[HISTORY]);
    if history.is_empty() { there(&HEADS) } else { history }
}

/// What git says in a line, if it is there and has something to say. From within one of its hooks it would take this folder for all
/// that is checked out.
fn git(words: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    git.args(words).env_remove("GIT_DIR").env_remove("GIT_WORK_TREE");
    let told = git.output().ok().filter(|told| told.status.success())?;
    Some(String::from_utf8(told.stdout).ok()?.trim().to_owned())
}
