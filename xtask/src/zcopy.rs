//! The transfer crate by itself: it is a library for others too, with every set of features, and it builds where only
//! the copy exists.

use std::path::Path;

use anyhow::Result;

use crate::report::Outcome;
use crate::run::{Step, cargo};

/// The default, and what other programs may choose.
const FEATURES: &[&[&str]] = &[
    &[],
    &["--no-default-features"],
    &["--no-default-features", "--features", "tokio"],
    &["--no-default-features", "--features", "tokio,uring"],
    &["--no-default-features", "--features", "tokio,ktls"],
    &["--no-default-features", "--features", "uring"],
];
/// Systems without anything but the copy.
const TARGETS: &[&str] = &["aarch64-apple-darwin", "x86_64-pc-windows-gnu"];

/// Checks all of them.
pub(crate) fn check(root: &Path) -> Result<Outcome> {
    for features in FEATURES {
        let mut words = vec!["clippy", "--package", "pagewire-zcopy"];
        words.extend(*features);
        words.extend(["--", "-D", "warnings"]);
        let checked = cargo(root, &words).run()?;
        if checked != Outcome::Passed {
            return Ok(checked);
        }
    }
    for target in TARGETS {
        // Without a way to the standard library for that system there is nothing to check against. That is said, and is
        // not "skipped": where nothing may be skipped, a download that is not to be had would fail all that was
        // checked.
        if Step::new(root, "rustup", &["target", "add", target]).run().ok() != Some(Outcome::Passed) {
            println!("without {target}: its standard library cannot be had");
            continue;
        }
        let words = ["clippy", "--package", "pagewire-zcopy", "--target", target, "--", "-D", "warnings"];
        let checked = cargo(root, &words).run()?;
        if checked != Outcome::Passed {
            return Ok(checked);
        }
    }
    Ok(Outcome::Passed)
}
