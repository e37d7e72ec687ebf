//! Running a command with its output passing through.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::report::Outcome;

/// Exit code by which a suite says that it could not run here, its reasons being on its output.
const SKIPPED: i32 = 77;

/// A command to run in the repository.
pub(crate) struct Step {
    command: Command,
    shown: String,
}

/// `cargo` with these arguments, the same one that runs this.
pub(crate) fn cargo(root: &Path, args: &[&str]) -> Step {
    Step::new(root, &std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()), args)
}

impl Step {
    pub(crate) fn new(root: &Path, program: &str, args: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(args).current_dir(root).stdin(Stdio::null());
        let name =
            Path::new(program).file_name().map_or(program.into(), |n| n.to_string_lossy().into_owned());
        Self { command, shown: format!("{name} {}", args.join(" ")) }
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it and judges by the exit code.
    pub(crate) fn run(mut self) -> Result<Outcome> {
        let status = self.command.status().with_context(|| format!("{} could not be started", self.shown))?;
        Ok(match status.code() {
            Some(0) => Outcome::Passed,
            Some(SKIPPED) => Outcome::Skipped("see the reasons above".into()),
            _ => Outcome::Failed(format!("{} ended with {status}", self.shown)),
        })
    }

    /// Runs it and takes what it prints.
    pub(crate) fn output(mut self) -> Result<String> {
        let output = self.command.stderr(Stdio::inherit()).output();
        let output = output.with_context(|| format!("{} could not be started", self.shown))?;
        if !output.status.success() {
            bail!("{} ended with {}", self.shown, output.status);
        }
        String::from_utf8(output.stdout).with_context(|| format!("{} printed no text", self.shown))
    }
}
