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
    suite(workspace, printer, "pagewire.Clients")
}

/// Kafka's own command-line tools.
pub fn tools(workspace: &Workspace, printer: &Printer) -> Result<Command> {
    suite(workspace, printer, "pagewire.Tools")
}

fn suite(workspace: &Workspace, printer: &Printer, class: &str) -> Result<Command> {
    Ok(Classes::of(workspace, printer)?.command("512m", class))
}

/// Where Java finds Kafka, the broker included.
#[derive(Debug)]
pub struct Classes {
    java: PathBuf,
    path: String,
}

impl Classes {
    /// Fetches and compiles what is not there yet.
    pub fn of(workspace: &Workspace, printer: &Printer) -> Result<Self> {
        let java = which("java").context("java is missing")?;
        let folder = compiled(workspace, printer)?;
        Ok(Self { java, path: format!("{0}/classes:{0}/lib/*", folder.display()) })
    }

    /// Those of another version of Kafka's broker alone, fetched if they are not there yet.
    pub fn of_version(workspace: &Workspace, version: &str) -> Result<Self> {
        let java = which("java").context("java is missing")?;
        let maven = which("mvn").context("mvn is missing")?;
        let (project, folder) =
            (workspace.sources("java").join("pom.xml"), workspace.cache(&format!("kafka-{version}"))?);
        let stamp = Stamp::over(&folder, std::slice::from_ref(&project), "maven 1")?;
        if !stamp.holds() {
            let mut fetch = Command::new(maven);
            fetch.args(["-q", "-B", "-ntp", "-f"]).arg(project).arg("dependency:copy-dependencies");
            fetch.args([format!("-Doutput={}", folder.display()), format!("-Dkafka={version}")]);
            fetch.arg("-DbrokerOnly");
            step(workspace, &format!("kafka-{version}"), &mut fetch)?;
            stamp.set()?;
        }
        Ok(Self { java, path: format!("{}/lib/*", folder.display()) })
    }

    /// A virtual machine that runs this class, with this much memory at most.
    pub fn command(&self, heap: &str, class: &str) -> Command {
        let mut command = Command::new(&self.java);
        command.arg(format!("-Xmx{heap}"));
        // Short-lived and on few cores: the quick compiler and the plain collector start fastest.
        command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", &self.path, class]);
        command
    }
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
