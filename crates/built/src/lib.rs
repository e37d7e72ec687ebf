//! Which commit this was built from, for whoever has a program or its figures and no checkout beside it.

/// Twelve digits of the commit that was checked out, whatever was changed besides; `unknown` without git, as of a source archive.
pub const COMMIT: &str = env!("PAGEWIRE_COMMIT");

/// As `pagewire --version` tells it.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (commit ", env!("PAGEWIRE_COMMIT"), ")");

/// The commit in what `pagewire --version` has told, unless that one is older than this.
pub fn commit_of(version: &str) -> Option<&str> {
    let (_, commit) = version.trim_end().strip_suffix(')')?.rsplit_once("(commit ")?;
    Some(commit)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_version_tells_its_commit_and_an_older_one_tells_none() {
        assert_eq!(commit_of(&format!("pagewire {VERSION}\n")), Some(COMMIT));
        assert_eq!(commit_of("pagewire 0.1.0\n"), None);
    }

    #[test]
    fn the_commit_is_the_one_that_is_checked_out() {
        let told = Command::new("git").args(["rev-parse", "HEAD"]).output();
        match told.ok().filter(|told| told.status.success()) {
            Some(told) if COMMIT != "unknown" => {
                assert!(String::from_utf8_lossy(&told.stdout).starts_with(COMMIT), "{COMMIT}");
            }
            _ => eprintln!("there is no checkout of ours here"),
        }
    }
}
