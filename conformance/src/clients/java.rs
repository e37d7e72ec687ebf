//! Java's own clients and command-line tools, from Maven's artifacts.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::step;
use crate::harness::which;
use crate::outcome::Printer;
use crate::workspace::{Stamp, Workspace};

/// Kafka's own Java clients.
pub fn clients(workspace: &Workspace, printer: &Printer) -> Result<Command> {
    command(workspace, printer, "pagewire.Clients")
}

/// Kafka's own command-line tools.
pub fn tools(workspace: &Workspace, printer: &Printer) -> Result<Command> {
    command(workspace, printer, "pagewire.Tools")
}

/// A class, ours or Kafka's.
pub fn command(workspace: &Workspace, printer: &Printer, class: &str) -> Result<Command> {
    let java = which("java").context("java is missing")?;
    let folder = compiled(workspace, printer)?;
    let path = format!("{0}/classes:{0}/lib/*", folder.display());
    let mut command = Command::new(java);
    // Short-lived and on few cores: the quick compiler and the plain collector start fastest.
    command.args(["-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", &path, class]);
    Ok(command)
}

/// The folder with `classes` and `lib`, compiled when the project changed.
fn compiled(workspace: &Workspace, printer: &Printer) -> Result<PathBuf> {
    let maven = which("mvn").context("mvn is missing")?;
    let (sources, folder) = (workspace.sources("java"), workspace.cache("java")?);
    let stamp = Stamp::over(&folder, &[sources.join("pom.xml"), sources.join("src")], "maven 1")?;
    if !stamp.holds() {
        printer.note("compiling the Java clients");
        let mut build = Command::new(maven);
        build.args(["-q", "-B", "-ntp", "-f"]).arg(sources.join("pom.xml"));
        build.arg(format!("-Doutput={}", folder.display())).args(["compile", "dependency:copy-dependencies"]);
        step(workspace, "maven", &mut build)?;
        stamp.set()?;
    }
    Ok(folder)
}
