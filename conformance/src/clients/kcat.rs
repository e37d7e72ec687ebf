//! kcat, from Debian's package where we may install it.

use std::process::Command;

use anyhow::{Context, Result, bail};

use super::step;
use crate::harness::which;
use crate::outcome::Printer;
use crate::workspace::Workspace;

/// Finds or installs kcat; its suite is a script for a plain Python.
pub fn kcat(workspace: &Workspace, printer: &Printer) -> Result<Command> {
    let python = which("python3").context("python3 is missing")?;
    if which("kcat").is_none() {
        if !rustix::process::geteuid().is_root() || which("apt-get").is_none() {
            bail!("kcat is missing and this user cannot install it");
        }
        printer.note("installing kcat with apt-get");
        step(workspace, "apt-update", Command::new("apt-get").args(["update", "-qq"]))?;
        let mut install = Command::new("apt-get");
        step(
            workspace,
            "apt-kcat",
            install.args(["install", "-y", "-qq", "kcat"]).env("DEBIAN_FRONTEND", "noninteractive"),
        )?;
    }
    let mut command = Command::new(python);
    command.arg(workspace.sources("kcat").join("suite.py")).env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}
