//! The Python clients, in one virtual environment.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::step;
use crate::harness::which;
use crate::outcome::Printer;
use crate::workspace::{Stamp, Workspace};

/// librdkafka, through confluent-kafka.
pub fn librdkafka(workspace: &Workspace, printer: &Printer) -> Result<Command> {
    suite(workspace, printer, "librdkafka_suite.py")
}

/// kafka-python.
pub fn kafka_python(workspace: &Workspace, printer: &Printer) -> Result<Command> {
    suite(workspace, printer, "kafka_python_suite.py")
}

/// aiokafka.
pub fn aiokafka(workspace: &Workspace, printer: &Printer) -> Result<Command> {
    suite(workspace, printer, "aiokafka_suite.py")
}

fn suite(workspace: &Workspace, printer: &Printer, script: &str) -> Result<Command> {
    let mut command = Command::new(environment(workspace, printer)?);
    command.arg(workspace.sources("python").join(script)).env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}

/// The environment's Python, made from `requirements.txt` when that changed.
pub fn environment(workspace: &Workspace, printer: &Printer) -> Result<PathBuf> {
    let base = which("python3").context("python3 is missing")?;
    let folder = workspace.cache("python")?;
    let requirements = workspace.sources("python").join("requirements.txt");
    let python = folder.join("venv").join("bin").join("python");
    let stamp = Stamp::over(&folder, std::slice::from_ref(&requirements), "venv 1")?;
    if !stamp.holds() || !python.is_file() {
        printer.note("preparing the Python clients");
        step(workspace, "venv", Command::new(base).args(["-m", "venv", "--clear"]).arg(folder.join("venv")))?;
        let mut install = Command::new(&python);
        install.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--only-binary=:all:",
            "-r",
        ]);
        step(workspace, "pip", install.arg(requirements))?;
        stamp.set()?;
    }
    Ok(python)
}
