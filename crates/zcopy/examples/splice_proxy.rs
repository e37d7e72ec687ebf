//! A TCP proxy: every connection is relayed to one address, both ways, without its bytes being copied.
//!
//! ```text
//! cargo run --release -p pagewire-zcopy --example splice_proxy -- 127.0.0.1:9000 example.org:80
//! ```
//!
//! An end of stream is handed on, and the other direction goes on (half-close). Ctrl-C stops accepting, gives
//! connections up and prints what was relayed.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use pagewire_zcopy::{
    BufferPool, IoPool, PipeOptions, PoolOptions, Relay, RelayError, Relayed, Transfer, TransferOptions,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const USAGE: &str = "usage: splice_proxy LISTEN UPSTREAM
Relays TCP connections to LISTEN, such as 127.0.0.1:9000, to UPSTREAM, such as example.org:80. Port 0 takes a free one.";

/// Connections at once; who comes later waits to be accepted.
const CONNECTIONS_MAX: usize = 1024;
/// Rest after a connection could not be accepted.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);
/// Pipes at once. One is needed only while bytes wait for a socket; without one they are copied.
const PIPES_MAX: usize = 256;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        eprintln!("{USAGE}");
        return Ok(());
    }
    let [listen, upstream] = &words[..] else { return Err(USAGE.into()) };

    let pipes = PipeOptions { pipes_max: PIPES_MAX, ..PipeOptions::default() };
    let options = TransferOptions { pipes, ..TransferOptions::default() };
    let transfer = Transfer::new(options, BufferPool::new(PoolOptions::default()), IoPool::new(1, 1));

    let listener = TcpListener::bind(listen).await?;
    eprintln!("listening on {}", listener.local_addr()?);
    let mut connections = JoinSet::new();
    tokio::select! {
        failed = serve(&listener, upstream, &transfer, &mut connections) => failed?,
        stopped = tokio::signal::ctrl_c() => stopped?,
    }
    connections.shutdown().await;
    eprintln!("stopped; pipes: {:?}", transfer.pipes().usage());
    Ok(())
}

async fn serve(
    listener: &TcpListener,
    upstream: &str,
    transfer: &Transfer,
    connections: &mut JoinSet<()>,
) -> Result<(), Box<dyn Error>> {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let place = Arc::clone(&room).acquire_owned().await?;
        let (client, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: others will close theirs.
                eprintln!("accepting: {error}");
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        // Those that ended are forgotten.
        while connections.try_join_next().is_some() {}
        let (upstream, transfer) = (upstream.to_owned(), transfer.clone());
        connections.spawn(async move {
            match relay(client, &upstream, &transfer).await {
                Ok((there, back)) => eprintln!("{peer}: {} bytes there, {} back", there.bytes, back.bytes),
                Err(error) => eprintln!("{peer}: {error}"),
            }
            drop(place);
        });
    }
}

/// Both directions of one connection; the first that fails ends the other.
async fn relay(
    client: TcpStream,
    upstream: &str,
    transfer: &Transfer,
) -> Result<(Relayed, Relayed), Box<dyn Error + Send + Sync>> {
    let server = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let mut there = Relay::new(transfer).shut_down_at_end(true);
    let mut back = Relay::new(transfer).shut_down_at_end(true);
    let both: Result<_, RelayError> =
        tokio::try_join!(there.run(&client, &server), back.run(&server, &client));
    Ok(both?)
}
