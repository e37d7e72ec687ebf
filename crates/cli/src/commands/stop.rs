//! Ctrl-C, SIGTERM and SIGHUP (a terminal that closes): the first asks for a clean end, a second Ctrl-C ends the
//! program at once.
//!
//! Whoever started the program with SIGHUP ignored (`nohup`) wants it to outlive the terminal: then it stays ignored.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// SIGHUP in a mask of signals, where signal 1 is the lowest bit.
const HANGUP: u64 = 1;

/// A token that the first signal cancels. Must be called inside the runtime.
pub(super) fn on_signal() -> std::io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = hangup()?;
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = received(&mut hangup) => {}
        }
        stop.cancel();
        interrupt.recv().await;
        std::process::exit(i32::from(crate::STOPPED));
    });
    Ok(token)
}

/// The closing of the terminal; `None` where it is to be ignored.
fn hangup() -> std::io::Result<Option<Signal>> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    (!ignores_hangup(&status)).then(|| signal(SignalKind::hangup())).transpose()
}

/// When it comes: never, if it is ignored.
async fn received(hangup: &mut Option<Signal>) {
    match hangup {
        Some(hangup) => {
            hangup.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether the process of this `/proc/PID/status` ignores SIGHUP.
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & HANGUP != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_started_by_nohup_outlives_its_terminal() {
        assert!(ignores_hangup("Name:\tpagewire\nSigIgn:\t0000000000001001\n"));
        assert!(!ignores_hangup("Name:\tpagewire\nSigIgn:\t0000000000001000\n"));
        assert!(!ignores_hangup(""));
    }
}
