//! A command run to its end, with its input, its output and a time limit.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// Longer than any command of ours takes unless it hangs.
const LIMIT: Duration = Duration::from_secs(45);

/// What a command did.
#[derive(Debug, Clone)]
pub struct Ran {
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// Itself, if its exit code is 0.
    pub fn succeeded(self) -> Result<Self> {
        ensure!(self.code == 0, "exit code {}: {}", self.code, self.err.trim());
        Ok(self)
    }
}

/// Runs a command with this text on its standard input.
pub fn run(command: &mut Command, input: &str) -> Result<Ran> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (mut stdin, mut stdout, mut stderr) = (
        child.stdin.take().context("no input")?,
        child.stdout.take().context("no output")?,
        child.stderr.take().context("no errors")?,
    );
    let input = input.to_owned();
    // It may end before it has read everything, and may print before it reads: three streams, three threads.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        stdout.read_to_end(&mut text).map(|_| text)
    });
    let complaints = std::thread::spawn(move || {
        let mut text = Vec::new();
        stderr.read_to_end(&mut text).map(|_| text)
    });
    let deadline = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            bail!("not ended after {LIMIT:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let text = |bytes: std::thread::Result<std::io::Result<Vec<u8>>>| -> Result<String> {
        let bytes = bytes.map_err(|_| anyhow::anyhow!("a reader panicked"))??;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let ran =
        Ran { code: status.code().unwrap_or(-1), out: text(reader.join())?, err: text(complaints.join())? };
    writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))?;
    Ok(ran)
}
