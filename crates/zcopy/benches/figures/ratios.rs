//! What each way costs, and how near `auto` comes to the best of them on the same face, blocking or on tokio.
//!
//! Hot, only the sending thread works for its way, and its CPU is what counts. Cold, the threads of the I/O pool read
//! what `auto` on tokio sends, and the other ways read by themselves: so it is the CPU of the whole process, with that
//! of the receiver in it, which is the same for all.

use std::fs::File;
use std::net::TcpStream;
use std::sync::Arc;

use pagewire_zcopy::{
    BufferPool, FileRange, IoPool, PoolOptions, Route, SendPlan, Transfer, TransferOptions,
};
use tokio::runtime::Runtime;

use crate::file::{drain, file, for_tokio, pair, process_cpu, runtime, set_cold, settled, thread_cpu};

const SIZES: [u64; 7] = [1 << 10, 4 << 10, 8 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20];
/// Many short rounds: what disturbs the machine lasts longer than one, and so disturbs all ways alike.
const ROUNDS: usize = 31;
const FILE_BYTES: u64 = 16 << 20;
/// Bytes sent in one round of one way, and responses at most.
const ROUND_BYTES: u64 = FILE_BYTES;
const RESPONSES_MAX: u64 = 2048;
const HEADER: &[u8] = &[b'h'; 60];

/// Routes that are compared on an event loop as well: those that `auto` may take.
const ON_TOKIO: [Route; 3] = [Route::Copy, Route::Sendfile, Route::Splice];

/// A way, with the route that is forced, if one is.
enum Way {
    Bare,
    Blocking(Option<Route>, Transfer),
    /// Looks whether the file is in the page cache, and has it read ahead where it is not, as a thread that may wait
    /// does not.
    Tokio(Option<Route>, Transfer, Runtime),
}

impl Way {
    fn all() -> Vec<Self> {
        let transfer = |route| {
            let options = TransferOptions { route, ..TransferOptions::default() };
            Transfer::new(options, BufferPool::new(PoolOptions::default()), IoPool::new(1, 16))
        };
        let with_auto =
            |routes: &[Route]| [None].into_iter().chain(routes.iter().copied().map(Some)).collect::<Vec<_>>();
        let blocking = with_auto(&Route::ALL).into_iter().map(|route| Self::Blocking(route, transfer(route)));
        let tokio =
            with_auto(&ON_TOKIO).into_iter().map(|route| Self::Tokio(route, transfer(route), runtime()));
        [Self::Bare].into_iter().chain(blocking).chain(tokio).collect()
    }

    fn name(&self) -> String {
        let of = |route: &Option<Route>| route.map_or("auto", Route::name);
        match self {
            Self::Bare => "bare sendfile".to_owned(),
            Self::Blocking(route, _) => of(route).to_owned(),
            Self::Tokio(route, ..) => format!("{} on tokio", of(route)),
        }
    }

    /// Whether it is a single route, for what is sent as `other` sends.
    fn is_route_beside(&self, other: &Self) -> bool {
        match self {
            Self::Bare => false,
            Self::Blocking(route, _) => route.is_some() && !matches!(other, Self::Tokio(..)),
            Self::Tokio(route, ..) => route.is_some() && matches!(other, Self::Tokio(..)),
        }
    }

    /// Sends the responses, one after another, closes the socket, and waits for whoever still reads ahead. What `clock`
    /// said before the first and after the last of them.
    fn send(
        &self,
        socket: TcpStream,
        responses: impl Iterator<Item = FileRange>,
        clock: fn() -> f64,
    ) -> (f64, f64) {
        match self {
            Self::Bare => {
                let began = clock();
                responses.for_each(|range| bare(&socket, &range));
                (began, clock())
            }
            Self::Blocking(_, transfer) => {
                let began = clock();
                for range in responses {
                    transfer.send_blocking(&socket, &mut plan(range)).expect("sent");
                }
                (began, clock())
            }
            Self::Tokio(_, transfer, runtime) => {
                let told = runtime.block_on(async {
                    let socket = for_tokio(socket);
                    let began = clock();
                    for range in responses {
                        transfer.send(&socket, &mut plan(range)).await.expect("sent");
                    }
                    (began, clock())
                });
                settled(transfer.io());
                told
            }
        }
    }

    /// Whether the last responses really went this way.
    fn is_refused(&self) -> bool {
        let (Self::Blocking(Some(route), transfer) | Self::Tokio(Some(route), transfer, _)) = self else {
            return false;
        };
        transfer.stats().snapshot().routes[route.index()].bytes == 0
    }
}

/// One response: a header and a range.
fn plan(range: FileRange) -> SendPlan {
    let mut plan = SendPlan::from(bytes::Bytes::from_static(HEADER));
    plan.push_file(range);
    plan
}

/// What everything is compared with: `send(MSG_MORE)` and a loop of `sendfile`, and nothing else.
fn bare(socket: &TcpStream, range: &FileRange) {
    rustix::net::send(socket, HEADER, rustix::net::SendFlags::MORE).expect("sent");
    let (mut offset, end) = (range.offset(), range.offset() + range.len());
    while offset < end {
        let count = (end - offset) as usize;
        rustix::fs::sendfile(socket, range.file(), Some(&mut offset), count).expect("sent");
    }
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
    let ranges = (0..responses).map(|response| whole.part(response * len, len));
    let clock = if cold { process_cpu } else { thread_cpu };
    let (began, sent) = way.send(sender, ranges, clock);
    drained.join().expect("the receiver");
    let ended = if cold { clock() } else { sent };
    Some((ended - began) / (responses * len) as f64 * 1e9)
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
    println!(
        "CPU seconds per GB, min/median/max of {ROUNDS} interleaved rounds; ratios are medians of the rounds' ratios"
    );
    println!(
        "hot: of the sending thread; cold: of the whole process, with the I/O pool's threads and the receiver in it"
    );
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
    println!("\n{} KiB, {}", len / 1024, if cold { "cold" } else { "hot" });
    for (at, (min, median, max)) in medians.iter().enumerate() {
        let name = ways[at].name();
        if ways[at].is_refused() {
            println!("  {name:<18} refused by this system");
            continue;
        }
        let routes =
            (0..ways.len()).filter(|&of| ways[of].is_route_beside(&ways[at]) && !ways[of].is_refused());
        let best = routes.min_by(|&a, &b| medians[a].1.total_cmp(&medians[b].1)).unwrap_or(0);
        let (to_bare, to_best) = (ratio(&samples[at], &samples[0]), ratio(&samples[at], &samples[best]));
        println!(
            "  {name:<18} {min:.3}/{median:.3}/{max:.3}   {to_bare:.2} x bare   {to_best:.2} x {}",
            ways[best].name()
        );
    }
}
