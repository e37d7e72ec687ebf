//! Pages made from the code's own tables, by the binary that holds them.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use crate::run::cargo;

/// Each page and the hidden argument by which `pagewire` prints it.
const PAGES: &[(&str, &str)] = &[("docs/settings.md", "settings"), ("docs/apis.md", "apis")];

/// Writes the pages, or compares them. `Ok(false)`: a committed page is out of date.
pub(crate) fn pages(root: &Path, check: bool) -> Result<bool> {
    let mut current = true;
    for (file, page) in PAGES {
        let text =
            cargo(root, &["run", "--quiet", "--package", "pagewire-cli", "--", "docs", page]).output()?;
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
