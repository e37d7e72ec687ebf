//! The suites in other languages: what each needs, how it is called, and reading its lines.

mod browser;
mod debian;
mod go;
mod java;
mod js;
mod kcat;
mod node;
mod python;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::harness::{kill_group, run_to_end};
use crate::outcome::{Case, Outcome, Printer};
use crate::workspace::Workspace;

pub use browser::report;
pub use go::franz_go;
pub use java::{Classes as KafkaClasses, clients as java_clients, tools as java_tools};
pub use js::kafkajs;
pub use kcat::kcat;
pub use python::{aiokafka, environment as python_with_clients, kafka_python, librdkafka};

/// Fetching or building may take this long; a first run compiles and downloads.
const PREPARE_LIMIT: Duration = Duration::from_mins(10);

/// A broker to test, seen from outside.
#[derive(Debug, Clone)]
pub struct Target {
    /// `HOST:PORT`.
    pub bootstrap: String,
    /// Its log directory, when it can be read.
    pub data_dir: Option<std::path::PathBuf>,
}

/// Prepares a suite and answers the command that runs it. An error is the reason why it is skipped.
pub type Prepare = fn(&Workspace, &Printer) -> Result<Command>;

/// Tells a client suite which broker to test.
pub fn aim(command: &mut Command, target: &Target) {
    command.env("BOOTSTRAP", &target.bootstrap);
    if let Some(directory) = &target.data_dir {
        command.env("DATA_DIR", directory);
    }
}

/// Runs a suite to its end or for `limit`; its standard error goes to `log`.
pub fn run(
    suite: &str,
    mut command: Command,
    cases: &[String],
    limit: Duration,
    log: &Path,
    printer: &Printer,
) -> Result<Vec<Case>> {
    command.args(cases);
    let errors = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(errors)
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot run {}", command.get_program().to_string_lossy()))?;
    let stdout = child.stdout.take().context("the suite has no standard output")?;
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // The receiver leaves only when the suite's time is up.
            let _ = sender.send(line);
        }
    });
    let deadline = Instant::now() + limit;
    let mut found = Vec::new();
    let timed_out = loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                if let Some(case) = Case::from_line(&line) {
                    printer.case(suite, &case);
                    found.push(case);
                }
            }
            Err(RecvTimeoutError::Timeout) => break true,
            Err(RecvTimeoutError::Disconnected) => break false,
        }
    };
    let all_ok = !found.iter().any(|case| matches!(case.outcome, Outcome::Failed(_)));
    let trouble = if timed_out {
        kill_group(&mut child);
        Some(format!("not finished after {} s; see {}", limit.as_secs(), log.display()))
    } else {
        let status = child.wait()?;
        (all_ok && !status.success()).then(|| format!("ended with {status}; see {}", log.display()))
    };
    if let Some(reason) = trouble {
        let case = Case { name: "suite".to_owned(), outcome: Outcome::Failed(reason) };
        printer.case(suite, &case);
        found.push(case);
    }
    Ok(found)
}

/// Runs one preparing step; an error carries the end of what it printed.
fn step(workspace: &Workspace, name: &str, command: &mut Command) -> Result<()> {
    let log = workspace.cache("logs")?.join(format!("prepare-{name}.log"));
    let ended = run_to_end(command, &log, PREPARE_LIMIT)?;
    if !ended.success() {
        let last: Vec<&str> = ended.output.lines().rev().take(3).collect();
        bail!(
            "{name} failed (see {}): {}",
            log.display(),
            last.into_iter().rev().collect::<Vec<_>>().join(" | ")
        );
    }
    Ok(())
}
