//! Suites on the machine's Node.js, each run from a copy beside its installed packages, so that the checkout stays
//! clean.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::step;
use crate::harness::which;
use crate::outcome::Printer;
use crate::workspace::{Stamp, Workspace, copy_tree};

/// Node.js, about to run `script` of `conformance/<name>` with the packages of its lock file.
pub(super) fn script(workspace: &Workspace, printer: &Printer, name: &str, script: &str) -> Result<Command> {
    let node = which("node").context("node is missing")?;
    let mut command = Command::new(node);
    command.arg(prepare(workspace, printer, name)?.join(script));
    Ok(command)
}

fn prepare(workspace: &Workspace, printer: &Printer, name: &str) -> Result<PathBuf> {
    let npm = which("npm").context("npm is missing")?;
    let (sources, folder) = (workspace.sources(name), workspace.cache(name)?);
    let locked = [sources.join("package.json"), sources.join("package-lock.json")];
    let stamp = Stamp::over(&folder, &locked, "npm 1")?;
    copy_tree(&sources, &folder)?;
    if !stamp.holds() {
        printer.note(&format!("preparing the JavaScript packages of {name}"));
        let mut install = Command::new(npm);
        install.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder);
        step(workspace, &format!("npm-{name}"), &mut install)?;
        stamp.set()?;
    }
    Ok(folder)
}
