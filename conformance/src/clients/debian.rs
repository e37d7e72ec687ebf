//! Programs from Debian's packages, where we may install them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::step;
use crate::harness::which;
use crate::outcome::Printer;
use crate::workspace::Workspace;

/// Finds `program`, or installs the package of that name and finds it then.
pub(super) fn program(workspace: &Workspace, printer: &Printer, program: &str) -> Result<PathBuf> {
    if let Some(found) = which(program) {
        return Ok(found);
    }
    if !rustix::process::geteuid().is_root() || which("apt-get").is_none() {
        bail!("{program} is missing and this user cannot install it");
    }
    printer.note(&format!("installing {program} with apt-get"));
    step(workspace, "apt-update", Command::new("apt-get").args(["update", "-qq"]))?;
    let mut install = Command::new("apt-get");
    install.args(["install", "-y", "-qq", program]).env("DEBIAN_FRONTEND", "noninteractive");
    step(workspace, &format!("apt-{program}"), &mut install)?;
    which(program).with_context(|| format!("{program} is missing although its package is installed"))
}
