//! Which `pagewire` to test.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::workspace::Workspace;

/// The binary named by the caller or by `PAGEWIRE_BIN`, else a debug build of this checkout.
pub fn find_or_build(workspace: &Workspace, named: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(path) = named.or_else(|| std::env::var_os("PAGEWIRE_BIN").map(PathBuf::from)) {
        ensure!(path.is_file(), "{} is not a file", path.display());
        return path.canonicalize().context("cannot resolve the binary's path");
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--package", "pagewire-cli"])
        .current_dir(workspace.root())
        .status()
        .context("cannot run cargo to build the binary")?;
    ensure!(status.success(), "the binary does not build");
    Ok(workspace.target().join("debug").join("pagewire"))
}
