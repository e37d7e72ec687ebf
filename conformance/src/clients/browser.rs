//! A page in Chromium, from Debian's package where we may install it, driven from Node.js.

use std::process::Command;

use anyhow::Result;

use super::{debian, node};
use crate::outcome::Printer;
use crate::workspace::Workspace;

/// The lab's report. It finds the browser in `CHROMIUM` and leaves its screenshots in `SCREENSHOTS`.
pub fn report(workspace: &Workspace, printer: &Printer) -> Result<Command> {
    let mut command = node::script(workspace, printer, "browser", "report.mjs")?;
    command
        .env("CHROMIUM", debian::program(workspace, printer, "chromium")?)
        .env("SCREENSHOTS", workspace.cache("screenshots")?);
    Ok(command)
}
