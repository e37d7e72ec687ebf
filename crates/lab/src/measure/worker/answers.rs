//! The lines that a worker says: each bounded in length, and waited for neither for ever nor against the will of
//! whoever asked.

use std::io::Read;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// No answer is longer, in bytes.
const LINE_BYTES_MAX: usize = 64 << 10;
const READ_BYTES: usize = 4 << 10;
/// How often it is asked whether to go on waiting.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Takes lines from one end of a pipe.
#[derive(Debug)]
pub(super) struct Answers<R> {
    from: R,
    held: Vec<u8>,
}

impl<R: Read + AsFd> Answers<R> {
    pub(super) fn of(from: R) -> Self {
        Self { from, held: Vec::new() }
    }

    /// The next line without its end; `None` when there are no more.
    pub(super) fn next(
        &mut self,
        within: Duration,
        is_stopped: &dyn Fn() -> bool,
    ) -> anyhow::Result<Option<String>> {
        let began = Instant::now();
        loop {
            if let Some(end) = self.held.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.held.drain(..=end).take(end).collect();
                return Ok(Some(String::from_utf8(line)?));
            }
            ensure!(self.held.len() < LINE_BYTES_MAX, "an answer without an end");
            while !self.is_readable()? {
                if is_stopped() {
                    bail!("stopped");
                }
                ensure!(began.elapsed() < within, "no answer within {} s", within.as_secs());
            }
            let mut bytes = [0; READ_BYTES];
            match self.from.read(&mut bytes)? {
                0 => return Ok(None),
                got => self.held.extend_from_slice(bytes.get(..got).unwrap_or_default()),
            }
        }
    }

    /// Waits a moment for something to read, or the end.
    fn is_readable(&self) -> anyhow::Result<bool> {
        match poll(&mut [PollFd::new(&self.from, PollFlags::IN)], Some(&LOOK)) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    fn going_on() -> bool {
        false
    }

    #[test]
    fn lines_come_one_by_one_and_end_with_the_pipe() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut answers = Answers::of(reader);
        writer.write_all(b"one\ntwo\nrest").unwrap();
        assert_eq!(answers.next(LONG, &going_on).unwrap().as_deref(), Some("one"));
        assert_eq!(answers.next(LONG, &going_on).unwrap().as_deref(), Some("two"));
        drop(writer);
        assert_eq!(answers.next(LONG, &going_on).unwrap(), None);
    }

    #[test]
    fn silence_ends_at_the_deadline_or_when_somebody_stops_it() {
        let (reader, _writer) = std::io::pipe().unwrap();
        let mut answers = Answers::of(reader);
        let error = answers.next(Duration::ZERO, &going_on).unwrap_err();
        assert!(error.to_string().contains("no answer"), "{error}");
        assert_eq!(answers.next(LONG, &|| true).unwrap_err().to_string(), "stopped");
    }

    #[test]
    fn a_line_without_an_end_is_not_kept_for_ever() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let writing = std::thread::spawn(move || writer.write_all(&vec![b'x'; LINE_BYTES_MAX + READ_BYTES]));
        let mut answers = Answers::of(reader);
        assert!(answers.next(LONG, &going_on).unwrap_err().to_string().contains("without an end"));
        drop(answers);
        // It may have been cut off.
        let _ = writing.join().unwrap();
    }
}
