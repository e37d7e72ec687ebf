//! kcat, from Debian's package where we may install it.

use std::process::Command;

use anyhow::{Context, Result};

use super::debian;
use crate::harness::which;
use crate::outcome::Printer;
use crate::workspace::Workspace;

/// Finds or installs kcat; its suite is a script for a plain Python.
pub fn kcat(workspace: &Workspace, printer: &Printer) -> Result<Command> {
    let python = which("python3").context("python3 is missing")?;
    debian::program(workspace, printer, "kcat")?;
    let mut command = Command::new(python);
    command.arg(workspace.sources("kcat").join("suite.py")).env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}
