//! kafkajs, on the machine's Node.js.

use std::process::Command;

use anyhow::{Context, Result};

use super::step;
use crate::harness::which;
use crate::outcome::Printer;
use crate::workspace::{Stamp, Workspace, copy_tree};

/// kafkajs. The suite runs from a copy beside its installed packages, so that the checkout stays clean.
pub fn kafkajs(workspace: &Workspace, printer: &Printer) -> Result<Command> {
    let node = which("node").context("node is missing")?;
    let npm = which("npm").context("npm is missing")?;
    let (sources, folder) = (workspace.sources("js"), workspace.cache("js")?);
    let locked = [sources.join("package.json"), sources.join("package-lock.json")];
    let stamp = Stamp::over(&folder, &locked, "npm 1")?;
    copy_tree(&sources, &folder)?;
    if !stamp.holds() {
        printer.note("preparing the JavaScript client");
        let mut install = Command::new(npm);
        install.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder);
        step(workspace, "npm", &mut install)?;
        stamp.set()?;
    }
    let mut command = Command::new(node);
    command.arg(folder.join("suite.mjs"));
    Ok(command)
}
