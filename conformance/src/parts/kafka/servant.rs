//! A virtual machine that stays and does what it is told, one call after the other: starting one costs a second of
//! processor time, and most calls cost less. The other side is `pagewire.Servant`.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::clients::KafkaClasses;
use crate::harness::{kill_group, lines_of};

/// It dies with this value.
#[derive(Debug)]
pub(super) struct Servant {
    child: Child,
    calls: ChildStdin,
    answers: Receiver<String>,
}

impl Servant {
    pub(super) fn start(classes: &KafkaClasses) -> Result<Self> {
        let mut command = classes.command("512m", "pagewire.Servant");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut child = command.spawn().context("cannot run java")?;
        let (calls, answers) = (child.stdin.take(), lines_of(child.stdout.take()));
        Ok(Self { child, calls: calls.context("java has no input")?, answers })
    }

    /// One call: broker, file for what is printed, class, arguments. Its exit code.
    pub(super) fn call(&mut self, words: &[&str], limit: Duration) -> Result<i32> {
        ensure!(words.iter().all(|word| !word.contains(['\t', '\n'])), "a word with a tab: {words:?}");
        writeln!(self.calls, "{}", words.join("\t")).context("java is gone")?;
        let answer = self.answers.recv_timeout(limit).context("no answer from java")?;
        answer.parse().with_context(|| format!("java answers {answer}"))
    }
}

impl Drop for Servant {
    fn drop(&mut self) {
        kill_group(&mut self.child);
    }
}
