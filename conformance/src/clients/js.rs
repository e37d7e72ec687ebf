//! kafkajs, on the machine's Node.js.

use std::process::Command;

use anyhow::Result;

use super::node;
use crate::outcome::Printer;
use crate::workspace::Workspace;

/// kafkajs.
pub fn kafkajs(workspace: &Workspace, printer: &Printer) -> Result<Command> {
    node::script(workspace, printer, "js", "suite.mjs")
}
