//! Looking on while the lab works: a progress line on standard error, and Ctrl-C, which ends the work with what there
//! is.

use pagewire_lab::drive::client::Stop;
use pagewire_lab::watch::Watch;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::Stopped;
use crate::commands::stop;
use crate::output::progress::Progress;

/// Looks on.
#[derive(Debug)]
pub(super) struct Looking {
    stop: CancellationToken,
    progress: Progress,
    done: u64,
    /// Where signals are waited for.
    runtime: Runtime,
}

impl Looking {
    pub(super) fn new() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let stop = runtime.block_on(async { stop::on_signal() })?;
        let mut looking = Self { stop, progress: Progress::new(false, None), done: 0, runtime };
        if cfg!(debug_assertions) {
            looking.note(
                "this program was built without optimisation: what it does by itself costs more than it need",
            );
        }
        Ok(looking)
    }

    /// To be called when everything is printed, with what was printed: work that was stopped is not done.
    pub(super) fn end_with(&mut self, printed: &str) -> anyhow::Result<()> {
        if self.stop.is_cancelled() {
            self.note(&format!("stopped: {printed}"));
        }
        self.end()
    }

    /// The same, where what was printed says by itself that it is not all.
    pub(super) fn end(&self) -> anyhow::Result<()> {
        if self.stop.is_cancelled() { Err(Stopped.into()) } else { Ok(()) }
    }

    /// A flag for threads that do not come by here: set when the work is to end.
    pub(super) fn flag(&self) -> Stop {
        let (flag, token) = (Stop::default(), self.stop.clone());
        let set = flag.clone();
        self.runtime.spawn(async move {
            token.cancelled().await;
            set.set();
        });
        flag
    }

    /// Prints, with the progress line out of the way meanwhile.
    pub(super) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.progress.aside(print)
    }

    /// Takes the progress line away, so that results can be printed.
    pub(super) fn clear(&self) {
        self.progress.clear();
    }
}

impl Watch for Looking {
    fn begin(&mut self, steps: u64) {
        self.progress.clear();
        self.progress = Progress::steps(steps);
        self.done = 0;
    }

    fn step(&mut self, what: &str) {
        self.progress.set(self.done, what.to_owned());
        self.done += 1;
    }

    fn skip(&mut self, steps: u64) {
        self.done += steps;
    }

    fn note(&mut self, line: &str) {
        self.progress.note(&format!("note: {line}"));
    }

    fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }
}
