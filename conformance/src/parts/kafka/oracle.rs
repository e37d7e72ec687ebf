//! Calls main methods of Kafka's classes and of our own Java side, from any thread.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use super::servant::Servant;
use crate::clients::KafkaClasses;
use crate::parts::Context;

/// No call takes as long, however slow the machine.
const LIMIT: Duration = Duration::from_mins(5);
/// Where there is no broker to speak to.
const NOWHERE: &str = "127.0.0.1:1";
/// How much of a failed call's output is told.
const TOLD_MAX: usize = 2000;

/// Kafka's classes, and virtual machines that wait for the next call.
#[derive(Debug)]
pub(in crate::parts) struct Oracle {
    classes: KafkaClasses,
    idle: Mutex<Vec<Servant>>,
    calls: AtomicU64,
    scratch: TempDir,
}

impl Oracle {
    /// Fetches and compiles what is not there yet.
    pub(in crate::parts) fn of(context: &Context<'_>) -> Result<Self> {
        let classes = KafkaClasses::of(context.workspace, context.printer)?;
        Ok(Self {
            classes,
            idle: Mutex::default(),
            calls: AtomicU64::default(),
            scratch: tempfile::tempdir()?,
        })
    }

    /// What it calls from.
    pub(in crate::parts) fn classes(&self) -> &KafkaClasses {
        &self.classes
    }

    /// Calls a class that speaks to no broker; everything it printed.
    pub(in crate::parts) fn call(&self, class: &str, arguments: &[&str]) -> Result<String> {
        self.call_at(NOWHERE, class, arguments)
    }

    /// The same of a class whose lines count where they begin with an equals sign; those, without it.
    pub(in crate::parts) fn told(
        &self,
        address: &str,
        class: &str,
        arguments: &[&str],
    ) -> Result<Vec<String>> {
        let printed = self.call_at(address, class, arguments)?;
        Ok(printed.lines().filter_map(|line| line.strip_prefix("= ")).map(str::to_owned).collect())
    }

    /// Calls a class of ours that speaks to this broker; everything it printed. A call that fails, by its exit code or
    /// because it takes too long, costs its virtual machine.
    pub(in crate::parts) fn call_at(&self, address: &str, class: &str, arguments: &[&str]) -> Result<String> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut servant = idle.map_or_else(|| Servant::start(&self.classes), Ok)?;
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let file = self.scratch.path().join(number.to_string());
        let place = file.display().to_string();
        let words = [&[address, place.as_str(), class][..], arguments].concat();
        let called = servant.call(&words, LIMIT);
        let printed = fs::read(&file).unwrap_or_default();
        let printed = String::from_utf8_lossy(&printed).into_owned();
        let code = called.with_context(|| format!("{class} {arguments:?}"))?;
        ensure!(code == 0, "{class} ended with {code}: {}", tail(&printed));
        fs::remove_file(&file)?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(servant);
        Ok(printed)
    }
}

fn tail(text: &str) -> String {
    let skipped = text.chars().count().saturating_sub(TOLD_MAX);
    text.chars().skip(skipped).collect()
}
