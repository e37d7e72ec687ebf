//! Standard output, buffered. A reader that has gone away (`| head -1`) ends the program quietly: it is an error
//! here, [`ClosedPipe`], which `main` turns into exit code 0.

use std::fmt::Display;
use std::io::{self, BufWriter, Stdout, Write};

use serde::Serialize;

/// Nobody reads standard output any more.
#[derive(Debug, thiserror::Error)]
#[error("standard output is closed")]
pub(crate) struct ClosedPipe;

/// Standard output.
#[derive(Debug)]
pub(crate) struct Out {
    buffer: BufWriter<Stdout>,
}

impl Out {
    /// Standard output; one at a time.
    pub(crate) fn new() -> Self {
        Self { buffer: BufWriter::with_capacity(64 << 10, io::stdout()) }
    }

    /// Writes bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.buffer.write_all(bytes).map_err(closed)
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, text: impl Display) -> anyhow::Result<()> {
        writeln!(self.buffer, "{text}").map_err(closed)
    }

    /// Writes a JSON document for programs that read the whole of it, indented for people who look.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> anyhow::Result<()> {
        self.line(serde_json::to_string_pretty(value)?)
    }

    /// Writes a JSON document on a line of its own.
    pub(crate) fn json_line(&mut self, value: &impl Serialize) -> anyhow::Result<()> {
        self.line(serde_json::to_string(value)?)
    }

    /// Hands over what is buffered.
    pub(crate) fn flush(&mut self) -> anyhow::Result<()> {
        self.buffer.flush().map_err(closed)
    }
}

fn closed(error: io::Error) -> anyhow::Error {
    if error.kind() == io::ErrorKind::BrokenPipe {
        ClosedPipe.into()
    } else {
        anyhow::Error::new(error).context("standard output")
    }
}

/// A line on standard error. Whether anybody reads it does not matter.
pub(crate) fn complain(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}
