//! The real binary, and a broker made of it.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "helpers of tests; not every file uses all"
)]

pub mod namespace;

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longest time that anything here may take.
const LIMIT: Duration = Duration::from_mins(1);

/// The binary, without settings from the environment of whoever runs the tests.
pub fn pagewire() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pagewire"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PAGEWIRE_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Run {
    /// Standard output of a run that went well.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    /// Standard error of a run that ended so.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        self.err
    }
}

/// Runs the binary.
pub fn run(args: &[&str]) -> Run {
    pagewire().args(args).output().unwrap().into()
}

/// Runs a command that reads `input`.
pub fn feed(mut command: Command, input: &[u8]) -> Run {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // Who ends early reads no more: its exit code says why.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output.into()
}

/// A broker on a free port, killed when dropped.
pub struct Broker {
    child: Child,
    pub address: String,
    pub dir: TempDir,
    log: File,
}

impl Broker {
    /// Starts one with these options besides.
    pub fn start(options: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), options)
    }

    /// Starts one on what another has left.
    pub fn start_in(dir: TempDir, options: &[&str]) -> Self {
        Self::start_on(dir, &[], options)
    }

    /// Starts one whose first log directory is in `dir`, and the others elsewhere.
    pub fn start_on(dir: TempDir, others: &[PathBuf], options: &[&str]) -> Self {
        let dirs = std::iter::once(dir.path().join("data")).chain(others.iter().cloned());
        let dirs: Vec<String> = dirs.map(|dir| dir.display().to_string()).collect();
        let log_dirs = format!("log.dirs={}", dirs.join(","));
        // Of a file all is read that was written, where a pipe's reader may be late.
        let log = tempfile::tempfile().unwrap();
        let mut child = pagewire()
            .args(["serve", "--listen", "127.0.0.1:0", "--set", &log_dirs])
            // Groups that start at once, so that tests take no longer than they must.
            .args(["--set", "group.initial.rebalance.delay.ms=0", "--set", "offsets.topic.num.partitions=1"])
            .args(options)
            .stdout(Stdio::piped())
            .stderr(log.try_clone().unwrap())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next().unwrap_or_else(|| panic!("{}", text(&log))).unwrap();
        let address = line.strip_prefix("ready on ").unwrap_or_else(|| panic!("{line}")).to_owned();
        // Whoever holds the pipe must read on: there is nothing more to come.
        std::thread::spawn(move || assert_eq!(lines.next().and_then(Result::ok), None));
        Self { child, address, dir, log }
    }

    /// What its log says so far.
    pub fn told(&self) -> String {
        text(&self.log)
    }

    /// How many lines of it say this.
    pub fn told_times(&self, what: &str) -> usize {
        self.told().lines().filter(|line| line.contains(what)).count()
    }

    /// A client command for it.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = pagewire();
        command.env("PAGEWIRE_BOOTSTRAP", &self.address).args(args);
        command
    }

    /// Runs a client command.
    pub fn run(&self, args: &[&str]) -> Run {
        self.command(args).output().unwrap().into()
    }

    /// Runs a client command that reads `input`.
    pub fn run_with(&self, args: &[&str], input: &[u8]) -> Run {
        feed(self.command(args), input)
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Waits until it has ended by itself: its exit code, and its directory.
    pub fn wait(mut self) -> (Option<i32>, TempDir) {
        let code = wait(&mut self.child);
        let dir = std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap());
        (code, dir)
    }
}

/// All that is in a file, whose place for the next write is left where it is.
fn text(file: &File) -> String {
    let mut bytes = vec![0; file.metadata().unwrap().len().try_into().unwrap()];
    file.read_exact_at(&mut bytes, 0).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Drop for Broker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("its log:\n{}", self.told());
        }
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal by its name.
pub fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Waits for a process to end by itself.
pub fn wait(child: &mut Child) -> Option<i32> {
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the process has not ended");
}

/// A fact is not tried here, for this reason. Told where nobody hides it, as what tests that pass print is hidden, and where
/// `cargo xtask test` finds it for its table.
pub fn skipped(why: &str) {
    let test = std::thread::current();
    let _ = writeln!(std::io::stdout(), "{}: skipped: {why}", test.name().unwrap_or_default());
}

/// Tries until it is so.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// JSON, one value a line.
pub fn lines(out: &str) -> Vec<serde_json::Value> {
    out.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}
