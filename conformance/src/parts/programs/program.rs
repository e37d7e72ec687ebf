//! One process of a program of Kafka's. It dies with this value, and everything it started with it.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::node::last_lines;
use crate::harness::{kill_group, tail, until};

/// What a virtual machine ends with when it was asked to by SIGTERM.
const ENDED_BY_TERM: i32 = 128 + 15;
/// What a virtual machine ends a dump of its threads with.
const DUMPED: &str = "JNI global ref";

/// A running process.
pub(super) struct Program {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Runs it; what it says goes behind what was said by those of its name before.
    pub(super) fn start(name: &str, mut command: Command, directory: &Path) -> Result<Self> {
        let log = directory.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log)?;
        command.current_dir(directory).stdin(Stdio::piped()).stdout(file.try_clone()?).stderr(file);
        let child = command.process_group(0).spawn().with_context(|| format!("cannot run {name}"))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// The end of what it said.
    pub(super) fn said(&self) -> String {
        tail(&self.log).unwrap_or_default()
    }

    /// Fails if it has logged an error.
    pub(super) fn complains_of_nothing(&self) -> Result<()> {
        let said = fs::read_to_string(&self.log)?;
        let complaint = said.lines().find(|line| line.contains(" ERROR "));
        ensure!(complaint.is_none(), "{} complains: {complaint:?}", self.name);
        Ok(())
    }

    /// Fails if it has ended by itself.
    pub(super) fn lives(&mut self) -> Result<()> {
        let ended = self.child.try_wait()?;
        ensure!(ended.is_none(), "{} ended with {ended:?}: {}", self.name, last_lines(&self.said()));
        Ok(())
    }

    /// SIGKILL: it gets no chance to say anything more to its broker.
    pub(super) fn kill(mut self) -> Result<()> {
        self.lives()?;
        kill_group(&mut self.child);
        Ok(())
    }

    /// SIGTERM, and its orderly end.
    pub(super) fn stop(mut self) -> Result<()> {
        self.lives()?;
        self.signal(Signal::TERM)?;
        let status = self.ended()?;
        let orderly = status.success() || status.code() == Some(ENDED_BY_TERM);
        ensure!(orderly, "{} ended with {status}: {}", self.name, last_lines(&self.said()));
        Ok(())
    }

    /// Closes its input, by which it knows that it has done enough, and waits until it has ended well.
    pub(super) fn finish(mut self) -> Result<String> {
        drop(self.child.stdin.take());
        let status = self.ended()?;
        ensure!(status.success(), "{} ended with {status}: {}", self.name, last_lines(&self.said()));
        Ok(self.said())
    }

    fn ended(&mut self) -> Result<ExitStatus> {
        let mut status = None;
        until(&format!("the end of {}", self.name), || {
            status = self.child.try_wait()?;
            Ok(status.is_some())
        })
        .with_context(|| {
            let said = last_lines(&self.said());
            let at = self.stacks().unwrap_or_else(|error| format!("{error:#}"));
            format!("{} says: {said}, and is at: {at}", self.name)
        })?;
        status.context("no status")
    }

    /// Where its threads are within Kafka's code. A virtual machine that is asked by SIGQUIT writes it, and goes on.
    fn stacks(&self) -> Result<String> {
        let before = fs::read_to_string(&self.log)?.len();
        self.signal(Signal::QUIT)?;
        let mut dump = String::new();
        until("a dump of threads", || {
            dump = fs::read_to_string(&self.log)?.split_off(before);
            Ok(dump.contains(DUMPED))
        })?;
        Ok(within_kafka(&dump))
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("no process id")?;
        Ok(kill_process(pid, signal)?)
    }
}

/// Of a dump of threads those that run code of Kafka's: each one's name, and where it is, the innermost first.
fn within_kafka(dump: &str) -> String {
    let threads = dump.split("\n\n").filter(|thread| thread.contains("at org.apache.kafka."));
    let told = threads.map(|thread| {
        let name = thread.trim_start().split('"').nth(1).unwrap_or_default();
        let frames = thread.lines().filter_map(|line| line.trim_start().strip_prefix("at "));
        format!("{name}: {}", frames.collect::<Vec<_>>().join(" < "))
    });
    let told = told.collect::<Vec<_>>().join(" | ");
    if told.is_empty() { "nothing of Kafka's".to_owned() } else { told }
}

impl Drop for Program {
    fn drop(&mut self) {
        // The number of one that has ended may be another's by now.
        if matches!(self.child.try_wait(), Ok(None)) {
            kill_group(&mut self.child);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::within_kafka;

    const DUMP: &str = "Full thread dump OpenJDK 64-Bit Server VM:

\"DistributedHerder\" #31 prio=5 waiting on condition
   java.lang.Thread.State: WAITING (parking)
\tat jdk.internal.misc.Unsafe.park(java.base/Native Method)
\t- parking to wait for <0x1>
\tat org.apache.kafka.connect.runtime.Herder.stop(Herder.java:7)

\"VM Thread\" os_prio=0 runnable

JNI global refs: 25, weak refs: 0
";

    #[test]
    fn threads_within_kafka_are_told_with_where_they_are() {
        let told = "DistributedHerder: jdk.internal.misc.Unsafe.park(java.base/Native Method) < \
                    org.apache.kafka.connect.runtime.Herder.stop(Herder.java:7)";
        assert_eq!(within_kafka(DUMP), told);
        assert_eq!(within_kafka("Full thread dump"), "nothing of Kafka's");
    }
}
