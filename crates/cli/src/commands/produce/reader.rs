//! Lines of a file or of standard input, read on a thread of their own, because reading standard input blocks.
//!
//! Lines travel in small heaps: as many as are there already, so that a line typed by hand goes at once.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, bail};
use tokio::sync::mpsc;

/// Longest line, in bytes; a broker takes about 1 MiB unless told otherwise.
const LINE_BYTES: usize = 64 << 20;
/// Most bytes of a heap, unless one line alone is larger.
const HEAP_BYTES: usize = 256 << 10;
/// Heaps that wait.
const WAITING: usize = 4;

/// A line without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// From 1.
    pub(super) number: u64,
    /// Its bytes.
    pub(super) text: Vec<u8>,
}

type Heap = anyhow::Result<Vec<Line>>;

/// Starts reading `path` (`-` is standard input); also says its size in bytes, if it has one.
pub(super) fn start(path: &Path) -> anyhow::Result<(mpsc::Receiver<Heap>, Option<u64>)> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let mut size = None;
    let source: Box<dyn Read + Send> = if path.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
        size = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|about| about.len());
        Box::new(file)
    };
    std::thread::Builder::new().name("lines".to_owned()).spawn(move || {
        let mut lines = Lines { source: BufReader::with_capacity(HEAP_BYTES, source), number: 0 };
        while let Some(heap) = lines.heap().transpose() {
            let failed = heap.is_err();
            // When nobody listens any more there is nothing left to do.
            if sender.blocking_send(heap).is_err() || failed {
                return;
            }
        }
    })?;
    Ok((receiver, size))
}

struct Lines<R> {
    source: BufReader<R>,
    number: u64,
}

impl<R: Read> Lines<R> {
    /// The next lines, `None` at the end: waits for one, adds those that are there already.
    fn heap(&mut self) -> anyhow::Result<Option<Vec<Line>>> {
        let (mut heap, mut size) = (Vec::new(), 0);
        while let Some(line) = self.line()? {
            size += line.text.len();
            heap.push(line);
            if size >= HEAP_BYTES || !self.source.buffer().contains(&b'\n') {
                return Ok(Some(heap));
            }
        }
        Ok((!heap.is_empty()).then_some(heap))
    }

    fn line(&mut self) -> anyhow::Result<Option<Line>> {
        let mut text = Vec::new();
        let mut bounded = (&mut self.source).take(LINE_BYTES as u64 + 1);
        let read = bounded.read_until(b'\n', &mut text).context("the lines cannot be read")?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        if text.last() == Some(&b'\n') {
            text.pop();
        } else if text.len() > LINE_BYTES {
            bail!("line {} is longer than {LINE_BYTES} bytes", self.number);
        }
        Ok(Some(Line { number: self.number, text }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let mut lines = Lines { source: BufReader::new(text), number: 0 };
        let mut all = Vec::new();
        while let Some(heap) = lines.heap().unwrap() {
            all.extend(heap.into_iter().map(|line| (line.number, line.text)));
        }
        all
    }

    #[test]
    fn every_line_counts_the_last_one_without_an_end_too() {
        assert_eq!(lines(b"a\n\nb"), [(1, b"a".to_vec()), (2, vec![]), (3, b"b".to_vec())]);
        assert_eq!(lines(b"a\n"), [(1, b"a".to_vec())]);
        assert!(lines(b"").is_empty());
    }

    #[test]
    fn a_line_without_end_costs_a_bounded_amount() {
        let mut lines = Lines { source: BufReader::new(io::repeat(b'x')), number: 0 };
        assert!(lines.heap().unwrap_err().to_string().contains("longer than"));
    }
}
