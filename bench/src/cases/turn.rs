//! A case's turn on a broker.

use std::cell::RefCell;
use std::path::Path;

use anyhow::Result;
use pagewire_lab::drive::{Alone, Busy, Known, Latencies};

use super::beside::Way;
use crate::broker::{Broker, OURS};
use crate::routes::RouteBytes;

/// What a case is run with.
pub(crate) struct Turn<'t> {
    pub(crate) broker: &'t Broker,
    /// How much is written, where that is not the case's own.
    pub(crate) mib: u64,
    /// The processes of all brokers of the run.
    pub(crate) pids: &'t [u32],
    /// By which route those like ours sent that the case started.
    pub(crate) sent: &'t RefCell<RouteBytes>,
    /// What must be known to read its figures.
    pub(crate) known: &'t RefCell<Known>,
}

impl Turn<'_> {
    /// Begins to watch what work costs a process. The CPU of the run's other brokers is not the machine's for it.
    pub(super) fn watch(&self, pid: u32) -> Result<Busy> {
        Busy::start(pid, &self.others(pid))
    }

    /// A round of the tail, and what must be known to read it.
    pub(super) fn tail(&self, tail: &mut Alone) -> Result<Latencies> {
        let (latencies, known) = tail.run()?;
        self.known.borrow_mut().add(known);
        Ok(latencies)
    }

    /// What was done so far was to warm up, and nobody reads its figures.
    pub(super) fn is_warm(&self) {
        self.known.take();
    }

    /// How this process is measured alone and beside something.
    pub(super) fn way(&self, pid: u32) -> Way {
        Way::new(pid, self.others(pid))
    }

    /// The one that the case started, and that serves from this directory, is about to end: by which route did it send?
    pub(super) fn ends(&self, dir: &Path) {
        if self.broker.name == OURS
            && let Some(sent) = RouteBytes::known(dir)
        {
            self.sent.borrow_mut().add(&sent);
        }
    }

    fn others(&self, pid: u32) -> Vec<u32> {
        self.pids.iter().copied().filter(|other| *other != pid).collect()
    }
}
