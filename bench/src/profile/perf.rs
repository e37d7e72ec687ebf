//! `perf`, which watches a process from when it is asked to until it is told to end.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;

use super::counts;

/// Says that it begins, and lives until its input ends. `perf` lets it begin once it watches, and ends with it.
const UNTIL_TOLD: [&str; 3] = ["sh", "-c", "echo; exec cat"];
const REFUSED: &str = "it takes root, or kernel.perf_event_paranoid at -1";

/// What it does of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Stacks, many times a second.
    Sample,
    /// System calls by name, and what the processor counts.
    Count,
}

impl Look {
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Sample => &["record", "-q", "-F", "1999", "--call-graph", "fp"],
            Self::Count => &["stat", "-x", ",", "-e", counts::CALLS, "-e", counts::HARDWARE],
        }
    }

    /// Where in a directory it leaves what it saw.
    pub(super) fn file(self, dir: &Path) -> PathBuf {
        dir.join(match self {
            Self::Sample => "perf.data",
            Self::Count => "counts.csv",
        })
    }
}

/// One that watches.
struct Perf {
    child: Child,
    /// It ends with this.
    until: Option<ChildStdin>,
}

impl Perf {
    /// Begins; it watches when this returns.
    fn start(words: &[&str], pid: u32, to: &Path) -> Result<Self> {
        let mut child = Command::new("perf")
            .args(words)
            .arg("-o")
            .arg(to)
            .args(["-p", &pid.to_string(), "--"])
            .args(UNTIL_TOLD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("perf cannot be run: install linux-perf")?;
        let until = child.stdin.take();
        let begins = child.stdout.as_mut().context("perf says nothing")?.read(&mut [0])?;
        let mut perf = Self { child, until };
        if begins == 0 {
            perf.end()?;
            bail!("perf does not watch: {REFUSED}");
        }
        Ok(perf)
    }

    /// It sees no more. That it has told its last may take it seconds: it has a counter for each call in each thread.
    fn tell_to_end(&mut self) {
        self.until = None;
    }

    /// Ends, and has written down what it saw.
    fn end(&mut self) -> Result<()> {
        self.tell_to_end();
        let status = self.child.wait()?;
        // A process that ends before it is told so takes what lives until then with it, by this signal.
        let is_over = status.success() || status.signal() == Some(Signal::TERM.as_raw());
        ensure!(is_over, "perf ended with {status}: {REFUSED}");
        Ok(())
    }
}

/// Looks at one process after the other.
pub(super) struct Eye {
    dir: PathBuf,
    /// What it does now, between rounds nothing.
    look: Option<Look>,
    perf: Option<Perf>,
    failed: Option<anyhow::Error>,
}

impl Eye {
    pub(super) fn of(dir: &Path) -> Self {
        Self { dir: dir.to_path_buf(), look: None, perf: None, failed: None }
    }

    /// From now on looks so, at this process.
    pub(super) fn open(&mut self, look: Look, pid: u32) {
        self.look = Some(look);
        self.turn(pid);
    }

    /// If it is open, looks at this process, and no more at the one before.
    pub(super) fn turn(&mut self, pid: u32) {
        self.stop();
        let Some(look) = self.look.filter(|_| self.failed.is_none()) else { return };
        match Perf::start(look.words(), pid, &look.file(&self.dir)) {
            Ok(perf) => self.perf = Some(perf),
            Err(why) => self.failed = Some(why),
        }
    }

    /// Looks no more. What was seen is there once it is asked for.
    pub(super) fn close(&mut self) {
        self.perf.iter_mut().for_each(Perf::tell_to_end);
        self.look = None;
    }

    fn stop(&mut self) {
        let ended = self.perf.take().map_or(Ok(()), |mut perf| perf.end());
        self.failed = self.failed.take().or(ended.err());
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Once all is written down that was seen; what kept it from seeing, if something did.
    pub(super) fn seen(&mut self) -> Result<()> {
        self.stop();
        self.failed.take().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::ChildStdout;

    use super::*;

    #[test]
    fn perf_watches_from_its_start_to_its_end_and_no_longer() {
        let dir = tempfile::tempdir().unwrap();
        let (file, mut echo) = (dir.path().join("counts.csv"), Echo::start());
        echo.ask(50);
        // One event: to let go of hundreds of them takes seconds.
        let words = ["stat", "-x", ",", "-e", "syscalls:sys_enter_write"];
        let mut perf = match Perf::start(&words, echo.child.id(), &file) {
            Ok(perf) => perf,
            Err(why) => return eprintln!("perf may not be used here: {why:#}"),
        };
        echo.ask(1234);
        perf.end().unwrap();
        echo.ask(50);
        let csv = std::fs::read_to_string(file).unwrap();
        assert_eq!(counts::calls(&csv), [(1234, "write".to_owned())], "{csv}");
    }

    /// A process that writes once for each time that it is asked.
    struct Echo {
        child: Child,
        to: ChildStdin,
        from: ChildStdout,
    }

    impl Echo {
        fn start() -> Self {
            let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let (to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
            Self { child, to, from }
        }

        fn ask(&mut self, times: usize) {
            for _ in 0..times {
                self.to.write_all(b"?").unwrap();
                self.from.read_exact(&mut [0]).unwrap();
            }
        }
    }

    impl Drop for Echo {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    #[test]
    fn an_eye_that_is_closed_turns_to_nobody() {
        let mut eye = Eye::of(Path::new("/nowhere"));
        eye.turn(std::process::id());
        assert!(eye.perf.is_none() && eye.seen().is_ok());
    }
}
