//! franz-go, compiled into one program.

use std::process::Command;

use anyhow::{Context, Result};

use super::step;
use crate::harness::which;
use crate::outcome::Printer;
use crate::workspace::{Stamp, Workspace};

/// franz-go.
pub fn franz_go(workspace: &Workspace, printer: &Printer) -> Result<Command> {
    let go = which("go").context("go is missing")?;
    let (sources, folder) = (workspace.sources("go"), workspace.cache("go")?);
    let program = folder.join("franz-go-suite");
    let stamp = Stamp::over(&folder, std::slice::from_ref(&sources), "go 1")?;
    if !stamp.holds() || !program.is_file() {
        printer.note("compiling the Go client");
        let mut build = Command::new(go);
        build.args(["build", "-mod=readonly", "-o"]).arg(&program).arg(".").current_dir(&sources);
        step(workspace, "go", &mut build)?;
        stamp.set()?;
    }
    Ok(Command::new(program))
}
