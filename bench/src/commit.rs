//! Which commits a run is of: what the bench and our broker were built from. A page is of one.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use pagewire_built::{COMMIT, commit_of};

use crate::output::Run;

/// Behind the commit of a checkout in which something is not committed.
const CHANGED: &str = "-dirty";

/// What a bench and a broker are built from. Text that is written beside a run changes neither.
const SOURCES: [&str; 5] = [".cargo", "bench", "crates", "Cargo.lock", "Cargo.toml"];

/// The bench's own, marked where the checkout that it was built in is still at it and has changes.
pub(crate) fn own() -> String {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent().and_then(checkout);
    marked(COMMIT, checkout.as_deref())
}

/// What is checked out now in a folder, with as many digits.
fn checkout(folder: &Path) -> Option<String> {
    let digits = format!("--short={}", COMMIT.len());
    let commit = git(folder, &["rev-parse", &digits, "HEAD"])?;
    let changes =
        git(folder, &[&["status", "--porcelain", "--untracked-files=no", "--"], &SOURCES[..]].concat())?;
    Some(if changes.is_empty() { commit } else { format!("{commit}{CHANGED}") })
}

/// What git says of a folder. From within one of its hooks it would take another one for it.
fn git(folder: &Path, words: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    git.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE").env_remove("GIT_INDEX_FILE");
    let told = git.arg("-C").arg(folder).args(words).output().ok()?;
    let text = String::from_utf8(told.stdout).ok()?;
    told.status.success().then(|| text.trim().to_owned())
}

/// Of a checkout that has moved on, nobody knows what it was then.
fn marked(built: &str, checkout: Option<&str>) -> String {
    let is_changed = checkout.and_then(|now| now.strip_suffix(CHANGED)) == Some(built);
    if is_changed { format!("{built}{CHANGED}") } else { built.to_owned() }
}

/// In words.
pub(crate) fn of(run: &Run) -> String {
    let broker = run.broker.iter().map(|broker| format!(", with {broker}"));
    format!("commit {}{}", run.commit, broker.collect::<String>())
}

/// What has to be known where our broker was built from another commit than the bench.
pub(crate) fn apart(run: &Run) -> Option<String> {
    let broker = run.broker.as_deref()?;
    let is_one = commit_of(broker) == Some(run.commit.trim_end_matches(CHANGED));
    (!is_one).then(|| format!("our broker was not built from the bench's commit {}: {broker}", run.commit))
}

/// Whether what these runs measured is the same; each with the file that it is in.
pub(crate) fn ensure_one(runs: &[(&Path, &Run)]) -> Result<()> {
    let Some(((first, one), others)) = runs.split_first() else { return Ok(()) };
    for (path, other) in others {
        ensure!(
            is_same(&one.commit, &other.commit) && (one.broker == other.broker || !both_tell(one, other)),
            "a page is of one commit: {} is of {}, {} of {}",
            first.display(),
            of(one),
            path.display(),
            of(other)
        );
    }
    Ok(())
}

/// Older runs do not tell the broker's.
fn both_tell(one: &Run, other: &Run) -> bool {
    one.broker.is_some() && other.broker.is_some()
}

/// Older runs tell fewer digits.
fn is_same(one: &str, other: &str) -> bool {
    let (first, second) = (one.trim_end_matches(CHANGED), other.trim_end_matches(CHANGED));
    let alike = first.starts_with(second) || second.starts_with(first);
    alike && one.ends_with(CHANGED) == other.ends_with(CHANGED)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILT: &str = "0123456789ab";

    fn run(commit: &str, broker: Option<&str>) -> Run {
        let broker = broker.map(|commit| format!("pagewire 0.1.0 (commit {commit})"));
        Run { commit: commit.to_owned(), broker, ..crate::output::testing::run() }
    }

    fn refusal(one: &Run, other: &Run) -> Option<String> {
        let runs = [(Path::new("1.json"), one), (Path::new("2.json"), other)];
        ensure_one(&runs).err().map(|error| error.to_string())
    }

    #[test]
    fn what_is_not_committed_is_told_of_the_checkout_that_was_built_alone() {
        for (checkout, told) in [
            (Some("0123456789ab"), "0123456789ab"),
            (Some("0123456789ab-dirty"), "0123456789ab-dirty"),
            (Some("ba9876543210-dirty"), "0123456789ab"),
            (None, "0123456789ab"),
        ] {
            assert_eq!(marked(BUILT, checkout), told, "{checkout:?}");
        }
    }

    #[test]
    fn a_checkout_has_changes_where_something_is_built_from_them() {
        let folder = tempfile::tempdir().unwrap();
        let put = |file: &str, text: &str| {
            let file = folder.path().join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        };
        put("bench/one.rs", "as it is");
        put("docs/page.md", "as it is");
        if git(folder.path(), &["init", "--quiet"]).is_none() {
            eprintln!("git is not there, and then nobody can tell");
            return;
        }
        git(folder.path(), &["add", "."]).unwrap();
        let who =
            ["-c", "user.name=a bench", "-c", "user.email=bench@localhost", "-c", "commit.gpgsign=false"];
        git(folder.path(), &[&who[..], &["commit", "--quiet", "--message=first"]].concat()).unwrap();
        let is_changed = || checkout(folder.path()).unwrap().ends_with(CHANGED);
        put("docs/page.md", "written anew");
        assert!(!is_changed());
        put("bench/one.rs", "written anew");
        assert!(is_changed());
    }

    #[test]
    fn a_page_is_of_one_commit_of_the_bench_and_of_the_broker() {
        let one = run(BUILT, Some(BUILT));
        assert_eq!(refusal(&one, &one), None);
        assert_eq!(
            refusal(&one, &run("ba9876543210", Some(BUILT))).unwrap(),
            "a page is of one commit: 1.json is of commit 0123456789ab, with pagewire 0.1.0 (commit 0123456789ab), 2.json of commit \
             ba9876543210, with pagewire 0.1.0 (commit 0123456789ab)"
        );
        for other in [run(BUILT, Some("ba9876543210")), run("0123456789ab-dirty", Some(BUILT))] {
            assert!(refusal(&one, &other).is_some(), "{other:?}");
        }
    }

    #[test]
    fn an_older_run_that_tells_fewer_digits_and_no_broker_may_be_of_the_same() {
        assert_eq!(refusal(&run("01234567", None), &run(BUILT, Some(BUILT))), None);
        assert_eq!(refusal(&run(BUILT, Some(BUILT)), &run("01234567", None)), None);
        assert!(refusal(&run("01234567", None), &run("01234568", None)).is_some());
    }

    #[test]
    fn a_broker_of_another_commit_is_told() {
        assert_eq!(apart(&run(BUILT, Some(BUILT))), None);
        assert_eq!(apart(&run("0123456789ab-dirty", Some(BUILT))), None);
        assert_eq!(apart(&run(BUILT, None)), None);
        assert!(
            apart(&run(BUILT, Some("ba9876543210")))
                .unwrap()
                .ends_with("pagewire 0.1.0 (commit ba9876543210)")
        );
        let older = Run { broker: Some("pagewire 0.1.0".to_owned()), ..run(BUILT, None) };
        assert!(apart(&older).is_some());
    }
}
