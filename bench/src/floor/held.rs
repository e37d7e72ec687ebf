//! Answers of a connection that wait for the disk.
//!
//! ```text
//!   append a ─ fdatasync ······▶ answer a ─ append b, c, d ─ fdatasync ▶ answer b, c, d
//!              b, c, d come meanwhile
//! ```
//!
//! They are held as long as the next request is there already, and then one sync is for all of them. How many that are is the
//! client's window: whoever waits for its answers sends nothing.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;

use anyhow::Result;

use super::log::Log;

#[derive(Default)]
pub(super) struct Held {
    answers: Vec<u8>,
    /// Whose sync they wait for, each once.
    logs: Vec<Arc<Log>>,
}

impl Held {
    /// This answer waits until what is in the log is on the disk.
    pub(super) fn push(&mut self, answer: &[u8], log: &Arc<Log>) {
        self.answers.extend_from_slice(answer);
        if !self.logs.iter().any(|held| Arc::ptr_eq(held, log)) {
            self.logs.push(Arc::clone(log));
        }
    }

    /// Answers now, unless the next request is there already.
    pub(super) fn settle_unless_more(&mut self, stream: &mut TcpStream) -> Result<()> {
        if self.logs.is_empty() || rustix::io::ioctl_fionread(&*stream)? > 0 {
            return Ok(());
        }
        self.settle(stream)
    }

    /// Answers, once it is on the disk.
    pub(super) fn settle(&mut self, stream: &mut TcpStream) -> Result<()> {
        if self.logs.is_empty() {
            return Ok(());
        }
        self.logs.drain(..).try_for_each(|log| log.sync())?;
        stream.write_all(&self.answers)?;
        self.answers.clear();
        Ok(())
    }
}
