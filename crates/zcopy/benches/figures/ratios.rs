//! What each way costs the sending thread, and how near `auto` comes to the best of them.

use std::fs::File;
use std::net::TcpStream;
use std::sync::Arc;

use pagewire_zcopy::{
    BufferPool, FileRange, IoPool, PoolOptions, Route, SendPlan, Transfer, TransferOptions,
};
use rustix::time::{ClockId, clock_gettime};

use crate::file::{drain, file, pair, set_cold};

const SIZES: [u64; 7] = [1 << 10, 4 << 10, 8 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20];
/// Many short rounds: what disturbs the machine lasts longer than one, and so disturbs all ways alike.
const ROUNDS: usize = 31;
const FILE_BYTES: u64 = 16 << 20;
/// Bytes sent in one round of one way, and responses at most.
const ROUND_BYTES: u64 = FILE_BYTES;
const RESPONSES_MAX: u64 = 2048;
const HEADER: &[u8] = &[b'h'; 60];

enum Way {
    Bare,
    By(Route, Transfer),
    Auto(Transfer),
}

impl Way {
    fn all() -> Vec<Self> {
        let transfer = |route| {
            let options = TransferOptions { route, ..TransferOptions::default() };
            Transfer::new(options, BufferPool::new(PoolOptions::default()), IoPool::new(1, 16))
        };
        let routes = Route::ALL.into_iter().map(|route| Self::By(route, transfer(Some(route))));
        [Self::Bare, Self::Auto(transfer(None))].into_iter().chain(routes).collect()
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Bare => "bare sendfile",
            Self::By(route, _) => route.name(),
            Self::Auto(_) => "auto",
        }
    }

    /// Sends one response: a header and a range.
    fn send(&self, socket: &TcpStream, file: &Arc<File>, offset: u64, len: u64) {
        match self {
            Self::Bare => bare(socket, file, offset, len),
            Self::By(_, transfer) | Self::Auto(transfer) => {
                let mut plan = SendPlan::from(bytes::Bytes::from_static(HEADER));
                plan.push_file(FileRange::new(Arc::clone(file), offset, len));
                transfer.send_blocking(socket, &mut plan).expect("sent");
            }
        }
    }

    /// Whether the last responses really went this way.
    fn is_refused(&self) -> bool {
        matches!(self, Self::By(route, transfer) if transfer.stats().snapshot().routes[route.index()].bytes == 0)
    }
}

/// What everything is compared with: `send(MSG_MORE)` and a loop of `sendfile`, and nothing else.
fn bare(socket: &TcpStream, file: &File, mut offset: u64, len: u64) {
    rustix::net::send(socket, HEADER, rustix::net::SendFlags::MORE).expect("sent");
    let end = offset + len;
    while offset < end {
        let count = (end - offset) as usize;
        rustix::fs::sendfile(socket, file, Some(&mut offset), count).expect("sent");
    }
}

fn thread_cpu() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// CPU seconds per GB of one round.
fn round(way: &Way, file: &Arc<File>, len: u64, cold: bool) -> Option<f64> {
    let (sender, receiver) = pair();
    let drained = drain(receiver);
    let responses = (ROUND_BYTES / len).min(RESPONSES_MAX);
    let whole = FileRange::new(Arc::clone(file), 0, responses * len);
    if !set_cold(&whole, cold) {
        return None;
    }
    let before = thread_cpu();
    for response in 0..responses {
        way.send(&sender, file, response * len, len);
    }
    let cpu = thread_cpu() - before;
    drop(sender);
    drained.join().expect("the receiver");
    Some(cpu / (responses * len) as f64 * 1e9)
}

fn spread(mut samples: Vec<f64>) -> (f64, f64, f64) {
    samples.sort_by(f64::total_cmp);
    (samples[0], samples[samples.len() / 2], samples[samples.len() - 1])
}

/// The median of the ratios within each round.
fn ratio(samples: &[f64], to: &[f64]) -> f64 {
    spread(samples.iter().zip(to).map(|(one, other)| one / other).collect()).1
}

pub(crate) fn run() {
    let file = file(FILE_BYTES);
    println!("CPU seconds of the sending thread per GB, min/median/max of {ROUNDS} interleaved rounds;");
    println!("ratios are medians of the rounds' ratios");
    for cold in [false, true] {
        for len in SIZES {
            one_size(&file, len, cold);
        }
    }
}

/// Samples by way, and in each the rounds in their order. `None` where the file does not become cold.
fn measure(ways: &[Way], file: &Arc<File>, len: u64, cold: bool) -> Option<Vec<Vec<f64>>> {
    let mut samples = vec![Vec::new(); ways.len()];
    for number in 0..=ROUNDS {
        // Each round begins with another way, so that none always comes after the same one.
        for step in 0..ways.len() {
            let at = (number + step) % ways.len();
            let cpu = round(&ways[at], file, len, cold)?;
            // The first round warms up.
            if number > 0 {
                samples[at].push(cpu);
            }
        }
    }
    Some(samples)
}

fn one_size(file: &Arc<File>, len: u64, cold: bool) {
    let ways = Way::all();
    let Some(samples) = measure(&ways, file, len, cold) else {
        println!("this file system does not let go of its pages; no cold figures");
        return;
    };
    let medians: Vec<_> = samples.iter().cloned().map(spread).collect();
    let routes = (0..ways.len()).filter(|&at| matches!(ways[at], Way::By(..)) && !ways[at].is_refused());
    let best = routes.min_by(|&a, &b| medians[a].1.total_cmp(&medians[b].1)).unwrap_or(0);
    println!("\n{} KiB, {}", len / 1024, if cold { "cold" } else { "hot" });
    for (at, (min, median, max)) in medians.iter().enumerate() {
        let name = ways[at].name();
        if ways[at].is_refused() {
            println!("  {name:<14} refused by this system");
            continue;
        }
        let (to_bare, to_best) = (ratio(&samples[at], &samples[0]), ratio(&samples[at], &samples[best]));
        println!(
            "  {name:<14} {min:.3}/{median:.3}/{max:.3}   {to_bare:.2} x bare   {to_best:.2} x {}",
            ways[best].name()
        );
    }
}
