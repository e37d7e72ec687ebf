//! A transfer that is like the ones before it takes no heap memory. Alone in its file, because it counts what the whole
//! process allocates.

mod common;

use std::alloc::System;
use std::fs::File;
use std::io::Read;
use std::net::TcpStream;
use std::sync::Arc;

use bytes::Bytes;
use common::{chill, file_of, pattern, runtime, tcp_pair, tokio_pair, transfer};
use pagewire_zcopy::{FileRange, Route, SendPlan, Transfer, TransferOptions};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const WARM_UP: usize = 1_000;
const TRANSFERS: usize = 1_000;
const HEADER: &[u8] = b"header of the response";
/// On both sides of what is copied unasked, and little enough to be taken while nobody reads.
const LENS: [u64; 2] = [3_000, 20_000];
const ROUTES: [Option<Route>; 3] = [None, Some(Route::Copy), Some(Route::Sendfile)];

/// What is sent, and how.
#[derive(Clone, Copy)]
struct Case {
    route: Option<Route>,
    len: u64,
    face: &'static str,
}

impl Case {
    /// Nothing was allocated in `counted`, for each of `TRANSFERS`.
    fn assert_none(self, counted: &Region<'_, System>) {
        let change = counted.change();
        // Once in 1,024 sockets whose kind matters, the kernel is looked at for TLS: a short text, dropped at once.
        let looks = usize::from(self.route.is_none() && self.len == LENS[1]);
        let Self { route, len, face } = self;
        assert!(
            change.allocations <= looks && change.reallocations == 0,
            "{route:?}, {len} bytes, {face}: {change:?}"
        );
    }
}

/// One plan, used over and over, and the peer of the socket that it is sent to.
struct Sending {
    plan: SendPlan,
    file: Arc<File>,
    len: u64,
    peer: TcpStream,
    received: Vec<u8>,
}

impl Sending {
    fn new(file: &Arc<File>, len: u64, peer: TcpStream) -> Self {
        let received = vec![0; HEADER.len() + len as usize];
        Self { plan: SendPlan::new(), file: Arc::clone(file), len, peer, received }
    }

    fn plan(&mut self) -> &mut SendPlan {
        self.plan.clear();
        self.plan.push_bytes(Bytes::from_static(HEADER));
        self.plan.push_file(FileRange::new(Arc::clone(&self.file), 4_099, self.len));
        &mut self.plan
    }

    fn receive(&mut self) {
        self.peer.read_exact(&mut self.received).expect("reading");
    }
}

fn blocking(transfer: &Transfer, file: &Arc<File>, case: Case) {
    let (sender, peer) = tcp_pair(false);
    let mut sending = Sending::new(file, case.len, peer);
    let mut send = |times: usize| {
        for _ in 0..times {
            transfer.send_blocking(&sender, sending.plan()).expect("sending");
            sending.receive();
        }
    };
    send(WARM_UP);
    let counted = Region::new(ALLOCATOR);
    send(TRANSFERS);
    case.assert_none(&counted);
}

fn on_tokio(transfer: &Transfer, file: &Arc<File>, case: Case) {
    runtime().block_on(async {
        let (sender, peer) = tokio_pair(false);
        let mut sending = Sending::new(file, case.len, peer);
        let mut send = async |times: usize| {
            for _ in 0..times {
                transfer.send(&sender, sending.plan()).await.expect("sending");
                sending.receive();
            }
        };
        send(WARM_UP).await;
        let counted = Region::new(ALLOCATOR);
        send(TRANSFERS).await;
        case.assert_none(&counted);
    });
}

#[test]
fn a_transfer_in_steady_state_allocates_nothing() {
    let control = Region::new(ALLOCATOR);
    drop(std::hint::black_box(vec![1]));
    assert_eq!(control.change().allocations, 1, "what is allocated is counted");
    let file = file_of(&pattern(100_000, 97));
    for route in ROUTES {
        let transfer = transfer(TransferOptions { route, ..TransferOptions::default() });
        for len in LENS {
            blocking(&transfer, &file, Case { route, len, face: "blocking" });
            on_tokio(&transfer, &file, Case { route, len, face: "on tokio" });
        }
        // What was read ahead once is remembered, and looked up by whatever is sent later.
        if chill(&file, 100_000) {
            for len in LENS {
                on_tokio(&transfer, &file, Case { route, len, face: "on tokio, hot after cold" });
            }
        }
    }
}
