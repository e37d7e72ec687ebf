//! One process of a client, told each call by a line and answering by a line.
//!
//! ```text
//!   init  begin  flush  commit  abort        ok
//!   send TOPIC PARTITION VALUE               ok            taken, not yet acknowledged
//!   offsets TOPIC:PARTITION:OFFSET ...       ok            into the transaction
//!   seek TOPIC:PARTITION:OFFSET ...          ok
//!   subscribe TOPIC                          ok            a share of it; committed, then, is of that share
//!   committed TOPIC:PARTITION:0 ...          ok TOPIC:PARTITION:OFFSET ...         and goes on there
//!   poll                                     ok TOPIC:PARTITION:OFFSET:VALUE ...
//!   acked                                    ok TOPIC:PARTITION:OFFSET:VALUE ...   since it was asked last
//!   any                                      fail retry|abort|fatal WHY
//! ```
//!
//! Its first line says that it is there. It dies with this value.

use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use super::model::Call;
use crate::harness::{kill_group, lines_of, tail};

/// No call takes as long, with a broker that is killed in it and started again.
const LIMIT: Duration = Duration::from_secs(100);

/// A running process.
#[derive(Debug)]
pub(super) struct Client {
    child: Child,
    calls: ChildStdin,
    answers: Receiver<String>,
    log: PathBuf,
}

impl Client {
    /// Runs it; what it complains of goes into `log`. It may take a while until it answers.
    pub(super) fn start(mut command: Command, log: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file).process_group(0);
        let mut child = command.spawn().context("cannot run a client")?;
        let (calls, answers) = (child.stdin.take(), lines_of(child.stdout.take()));
        let client = Self { child, calls: calls.context("no input")?, answers, log: log.to_owned() };
        client.answer().context("the client does not start")?;
        Ok(client)
    }

    /// Tells it what to do.
    pub(super) fn post(&mut self, call: &Call) -> Result<()> {
        writeln!(self.calls, "{call}").with_context(|| format!("the client is gone: {}", self.said()))
    }

    /// What it answers to that.
    pub(super) fn answer(&self) -> Result<String> {
        let answer = self.answer_within(LIMIT)?;
        answer.with_context(|| format!("no answer within {LIMIT:?}: {}", self.said()))
    }

    /// The same of a call that may never be answered.
    pub(super) fn answer_within(&self, limit: Duration) -> Result<Option<String>> {
        match self.answers.recv_timeout(limit) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => bail!("the client ended: {}", self.said()),
        }
    }

    /// What it has answered already.
    pub(super) fn answered(&self) -> Option<String> {
        self.answers.try_recv().ok()
    }

    /// It does nothing until it is woken.
    pub(super) fn stop(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// It goes on.
    pub(super) fn wake(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("no process id")?;
        kill_process_group(group, signal).context("cannot signal a client")
    }

    fn said(&self) -> String {
        tail(&self.log).unwrap_or_default()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        kill_group(&mut self.child);
    }
}
