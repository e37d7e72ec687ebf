//! The library's own sending, by one route or by its choice.

use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pagewire_zcopy::{
    BufferPool, CopyReport, FileRange, IoPool, PoolOptions, Route, SendPlan, Transfer, TransferOptions,
    ktls_available,
};

use super::{Carry, Moved};
use crate::record::KernelWord;

/// Threads and queue of the pool that reads ahead; a blocking sender does not use it.
const IO_THREADS: usize = 1;
const IO_QUEUE: usize = 16;
/// The kernel has its say when the peer has acknowledged what was sent; so long is waited for it.
const WORD_WAIT: Duration = Duration::from_millis(500);

/// Sends by [`Transfer::send_blocking`].
pub(super) struct Library {
    transfer: Transfer,
    route: Option<Route>,
    file: Arc<File>,
    plan: SendPlan,
    /// Sends that the kernel did not speak of in time.
    silent: u64,
}

impl Library {
    pub(super) fn new(route: Option<Route>, file: Arc<File>) -> Self {
        let options = TransferOptions { route, ..TransferOptions::default() };
        let buffers = BufferPool::new(PoolOptions::default());
        let transfer = Transfer::new(options, buffers, IoPool::new(IO_THREADS, IO_QUEUE));
        Self { transfer, route, file, plan: SendPlan::with_capacity(2), silent: 0 }
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
        Ok(Moved { by_way, calls: sent.calls, took: sent.file_bytes })
    }

    fn refusal(&self) -> Option<String> {
        let route = self.route?;
        let told = self.transfer.stats().snapshot();
        if route == Route::Uring && told.uring.no_buffer > 0 {
            return Some(
                "all of its buffers were on their way at times, and those bytes were copied".to_owned(),
            );
        }
        let counts = told.routes;
        counts.iter().any(|counts| counts.route == route && counts.refusals > 0).then_some(())?;
        Some(why(route, self.transfer.refused_with(route)))
    }

    fn word(&mut self, socket: &TcpStream) -> anyhow::Result<Option<KernelWord>> {
        let Some(route) = self.route else { return Ok(None) };
        let report = self.transfer.copy_report_within(route, socket, self.silent, WORD_WAIT)?;
        // A socket that is gone answers no more: it is not waited for again.
        self.silent = report.map_or(0, CopyReport::silent);
        Ok(report.map(|CopyReport { sends, reported, copied }| KernelWord {
            sends,
            completions: reported,
            copied,
        }))
    }
}

/// Why a route was refused: what has to be there first, and else what the kernel said.
fn why(route: Route, said: Option<io::Error>) -> String {
    if route == Route::Ktls {
        return match ktls_available() {
            Err(missing) => missing.to_string(),
            Ok(()) => "the kernel has it, but this socket has no TLS session set up".to_owned(),
        };
    }
    match said {
        Some(error) => format!("the kernel refuses {}: {error}", route.name()),
        None => format!("{} is not built into this program", route.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_with_its_errno_and_kernel_tls_with_what_is_missing() {
        let said = why(Route::Direct, Some(io::Error::from_raw_os_error(22)));
        assert!(said.contains("direct") && said.contains("os error 22"), "{said}");
        match ktls_available() {
            Err(missing) => assert_eq!(why(Route::Ktls, None), missing.to_string()),
            Ok(()) => assert!(why(Route::Ktls, None).contains("TLS session")),
        }
    }
}
