//! Starting a worker, and speaking to it.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};

use super::WORD;
use super::answers::Answers;
use super::protocol::{Answer, Order};
use crate::watch::Watch;

/// The longest that an order takes: writing and dropping a file of some GB on a slow disk.
const ANSWER_WAIT: Duration = Duration::from_mins(10);

/// The program that becomes a worker when its first argument is [`WORD`]: as a rule this very one.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
    args: Vec<OsString>,
}

impl Program {
    /// The program at `path`, whose arguments are to be these.
    pub fn new(path: impl Into<PathBuf>, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self { path: path.into(), args: args.into_iter().map(Into::into).collect() }
    }

    /// The program that runs, with [`WORD`].
    ///
    /// # Errors
    /// Where the system does not tell which program this is.
    pub fn this() -> std::io::Result<Self> {
        // By its descriptor, not its name: another may have been put into its place meanwhile.
        let path = PathBuf::from("/proc/self/exe");
        let path = if path.exists() { path } else { std::env::current_exe()? };
        Ok(Self::new(path, [WORD]))
    }
}

/// A running worker. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Worker {
    name: &'static str,
    child: Child,
    orders: ChildStdin,
    answers: Answers<ChildStdout>,
}

impl Worker {
    pub(crate) fn start(program: &Program, name: &'static str) -> anyhow::Result<Self> {
        let mut child = Command::new(&program.path)
            .args(&program.args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A group of its own: Ctrl-C is for whoever asked for the measurement, who then prints what there is.
            .process_group(0)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.path.display()))?;
        let orders = child.stdin.take().context("a pipe to the worker")?;
        let answers = Answers::of(child.stdout.take().context("a pipe from the worker")?);
        Ok(Self { name, child, orders, answers })
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Gives an order; its answer is to be waited for.
    pub(crate) fn order(&mut self, order: &Order) -> anyhow::Result<()> {
        let mut line = serde_json::to_string(order)?;
        line.push('\n');
        self.orders.write_all(line.as_bytes()).with_context(|| format!("the {} is gone", self.name))
    }

    /// Waits for the answer to the oldest order without one, until `watch` says stop. A worker whose answer was not
    /// waited for is of no use any more.
    pub(crate) fn answer(&mut self, watch: &dyn Watch) -> anyhow::Result<Answer> {
        let line = self.answers.next(ANSWER_WAIT, &|| watch.is_stopped());
        let Some(line) = line.with_context(|| format!("waiting for the {}", self.name))? else {
            bail!("the {} has ended without an answer", self.name);
        };
        match serde_json::from_str(&line).with_context(|| format!("what the {} said", self.name))? {
            Answer::Failed(why) => bail!("{why}"),
            answer => Ok(answer),
        }
    }

    /// An order and its answer.
    pub(crate) fn ask(&mut self, order: &Order, watch: &dyn Watch) -> anyhow::Result<Answer> {
        self.order(order)?;
        self.answer(watch)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
