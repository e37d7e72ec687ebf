//! The library's own sending, by one route or by its choice.

use std::fs::File;
use std::net::TcpStream;
use std::sync::Arc;

use bytes::Bytes;
use pagewire_zcopy::{
    BufferPool, FileRange, IoPool, PoolOptions, Route, SendPlan, Transfer, TransferOptions,
};

use super::{Carry, Moved};

/// Threads and queue of the pool that reads ahead; a blocking sender does not use it.
const IO_THREADS: usize = 1;
const IO_QUEUE: usize = 16;

/// Sends by [`Transfer::send_blocking`].
pub(super) struct Library {
    transfer: Transfer,
    route: Option<Route>,
    file: Arc<File>,
    plan: SendPlan,
}

impl Library {
    pub(super) fn new(route: Option<Route>, file: Arc<File>) -> Self {
        let options = TransferOptions { route, ..TransferOptions::default() };
        let buffers = BufferPool::new(PoolOptions::default());
        let transfer = Transfer::new(options, buffers, IoPool::new(IO_THREADS, IO_QUEUE));
        Self { transfer, route, file, plan: SendPlan::with_capacity(2) }
    }
}

impl Carry for Library {
    fn carry(&mut self, socket: &TcpStream, header: &Bytes, offset: u64, len: u64) -> anyhow::Result<Moved> {
        self.plan.clear();
        if !header.is_empty() {
            self.plan.push_bytes(header.clone());
        }
        self.plan.push_file(FileRange::new(Arc::clone(&self.file), offset, len));
        let sent = self.transfer.send_blocking(socket, &mut self.plan)?;
        let by_way = self.route.map_or(len, |route| sent.by(route));
        Ok(Moved { by_way, calls: sent.calls })
    }

    fn refusal(&self) -> Option<String> {
        let route = self.route?;
        if self.transfer.refused().contains(route) {
            return Some(format!("the kernel does not have {}, or forbids it", route.name()));
        }
        let counts = self.transfer.stats().snapshot().routes;
        let refused = counts.iter().any(|counts| counts.route == route && counts.refusals > 0);
        refused.then(|| format!("the kernel refused {} for this file and socket", route.name()))
    }

    fn reported_copied(&self) -> Option<f64> {
        let counts = self.transfer.stats().snapshot().zerocopy;
        (counts.completions > 0).then(|| counts.copied as f64 / counts.completions as f64)
    }
}
