//! Apache Kafka as the rival: its classes from Maven, one node, its own defaults and the virtual machine's options that its
//! start script gives.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::broker::{KAFKA, SOON_DELETED};
use crate::node::Recipe;
use crate::prepared;

/// What `bin/kafka-server-start.sh` gives the virtual machine.
const OPTIONS: [&str; 7] = [
    "-Xmx1G",
    "-Xms1G",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
];
/// Sixteen bytes, in the form of Kafka's ids.
const CLUSTER_ID: &str = "cGFnZXdpcmUtYmVuY2htaw";
const PROPERTIES: &str = "server.properties";

/// Its classes, as the virtual machine takes them.
fn classes() -> Result<String> {
    let jars = prepared::found("java/lib", "java")?;
    Ok(format!("{}/*", jars.display()))
}

/// Its version, as the name of its classes' file has it.
pub(crate) fn version() -> Option<String> {
    const CLIENTS: &str = "kafka-clients-";
    let folder = classes().ok()?;
    let mut names = fs::read_dir(folder.trim_end_matches('*')).ok()?.flatten().map(|entry| entry.file_name());
    names.find_map(|name| version_of(name.to_str()?.strip_prefix(CLIENTS)?))
}

/// `4.3.1.jar`, and not `4.3.1-test.jar`.
fn version_of(name: &str) -> Option<String> {
    let version = name.strip_suffix(".jar")?;
    version.chars().all(|one| one.is_ascii_digit() || one == '.').then(|| version.to_owned())
}

/// Kafka with these lines more in its settings.
pub(crate) fn recipe(set: &[String]) -> Result<Recipe> {
    let classes = classes()?;
    let mut words = vec!["java".to_owned()];
    words.extend(OPTIONS.map(str::to_owned));
    words.extend(["-cp".to_owned(), classes.clone(), "kafka.Kafka".into(), format!("{{dir}}/{PROPERTIES}")]);
    let recipe = Recipe::of(KAFKA, words).with(set);
    Ok(recipe.prepared_by(move |dir, port, settings| format(dir, port, &classes, settings)))
}

/// A command of Kafka's, if its classes are there.
pub(crate) fn command(class: &str) -> Result<Command> {
    let mut command = Command::new("java");
    command.args(["-Xmx512m", "-cp", &classes()?, class]);
    Ok(command)
}

/// Writes the settings that a single node needs at this port, and formats its directory unless that was done.
fn format(dir: &Path, port: u16, classes: &str, set: &[String]) -> Result<()> {
    let (data, file) = (dir.join("data"), dir.join(PROPERTIES));
    let listeners = format!("PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{}", port + 1);
    let own = [
        "process.roles=broker,controller".to_owned(),
        "node.id=1".to_owned(),
        "controller.listener.names=CONTROLLER".to_owned(),
        "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT".to_owned(),
        format!("listeners={listeners}"),
        format!("advertised.listeners={listeners}"),
        format!("controller.quorum.voters=1@127.0.0.1:{}", port + 1),
        format!("log.dirs={}", data.display()),
        "offsets.topic.replication.factor=1".to_owned(),
        "transaction.state.log.replication.factor=1".to_owned(),
        "transaction.state.log.min.isr=1".to_owned(),
        SOON_DELETED.to_owned(),
    ];
    let lines: Vec<&str> = own.iter().chain(set).map(String::as_str).collect();
    fs::write(&file, lines.join("\n"))?;
    if data.join("meta.properties").exists() {
        return Ok(());
    }
    let formatted = Command::new("java")
        .args(["-Xmx256m", "-cp", classes, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"])
        .arg(&file)
        .stdin(Stdio::null())
        .output()
        .context("java cannot be run")?;
    ensure!(formatted.status.success(), "Kafka's storage: {}", String::from_utf8_lossy(&formatted.stderr));
    Ok(())
}
