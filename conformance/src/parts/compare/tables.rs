//! The files of the comparison: `compare/cases/*.txt` and `compare/differences.txt`.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use super::differ::{Known, known};
use super::script::{Script, parse};
use crate::workspace::Workspace;

/// All of them.
#[derive(Debug)]
pub(super) struct Tables {
    /// In the order of the APIs' keys.
    pub(super) scripts: Vec<Script>,
    pub(super) known: Vec<Known>,
}

impl Tables {
    pub(super) fn read(workspace: &Workspace) -> Result<Self> {
        let folder = workspace.sources("compare");
        let mut scripts = Vec::new();
        for entry in fs::read_dir(folder.join("cases")).context("there are no cases")? {
            let path = entry?.path();
            let text = fs::read_to_string(&path)?;
            scripts.push(parse(&text).with_context(|| path.display().to_string())?);
        }
        scripts.sort_by_key(|script| script.api.code());
        ensure!(scripts.is_sorted_by(|one, other| one.api < other.api), "an API has two files");
        let known = known(&fs::read_to_string(folder.join("differences.txt"))?).context("differences.txt")?;
        for row in &known {
            ensure!(scripts.iter().any(|script| script.api.name() == row.api), "{row}: no such file");
        }
        Ok(Self { scripts, known })
    }
}
