//! Pages made from the project's own tables, by the binary that reads them.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use crate::run::cargo;

/// Each page, and the package and the arguments that print it.
const PAGES: &[(&str, &str, &[&str])] = &[
    ("docs/settings.md", "pagewire-cli", &["docs", "settings"]),
    ("docs/apis.md", "pagewire-cli", &["docs", "apis"]),
    ("docs/compatibility.md", "pagewire-conformance", &["--page"]),
];

/// Writes the pages, or compares them. `Ok(false)`: a committed page is out of date.
pub(crate) fn pages(root: &Path, check: bool) -> Result<bool> {
    let mut current = true;
    for (file, package, arguments) in PAGES {
        let words = [&["run", "--quiet", "--package", *package, "--"][..], *arguments].concat();
        let text = cargo(root, &words).output()?;
        let path = root.join(file);
        if check {
            if fs::read_to_string(&path).ok().as_deref() != Some(text.as_str()) {
                println!("{file} is out of date: run `cargo xtask docs`");
                current = false;
            }
        } else {
            fs::write(&path, text).with_context(|| format!("{file} cannot be written"))?;
            println!("{file} written");
        }
    }
    Ok(current)
}
