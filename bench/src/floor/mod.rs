//! The floor: what moving the bytes costs without a broker around it.
//!
//! ```text
//!   connection, a thread of its own:   receive a frame (two reads) ─┬─ Produce 9   check the CRC ─ pwrite ─ answer        hot.rs
//!                                                                   ├─ Fetch 12    header ─ sendfile                      hot.rs
//!                                                                   └─ anything else that the lab's drive asks            control.rs
//! ```
//!
//! It is no broker: no check but the CRC, no setting, no limit, nothing survives it. What it answers is in the protocol, so
//! that the client that measures it is the one that measures everybody. Topics have as many partitions as was asked for; a
//! request names one topic, a produce one partition of it, a fetch one or many. What is acknowledged is in the page cache.

mod control;
mod frame;
mod hot;
mod log;

use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use pagewire_wire::{ApiKey, RequestPrefix};

use frame::Buffer;
use log::Topics;

use crate::client::{FETCH_VERSION, PRODUCE_VERSION};

/// Hidden first argument by which the bench starts itself as the floor.
pub(crate) const COMMAND: &str = "floor";

/// Serves at a port until it is killed. Its files go into a directory.
pub(crate) fn run(mut words: impl Iterator<Item = String>) -> Result<()> {
    let mut word = || words.next().context("a port and a directory are wanted");
    let (port, dir): (u16, _) = (word()?.parse()?, word()?);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let topics = Arc::new(Topics::new(dir.as_ref(), listener.local_addr()?));
    for stream in listener.incoming() {
        let (topics, stream) = (Arc::clone(&topics), stream?);
        std::thread::spawn(move || {
            // A client that hangs up ends its thread; there is nobody to tell.
            let _ = serve(&topics, stream);
        });
    }
    Ok(())
}

fn serve(topics: &Topics, mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Buffer::default();
    let mut hot = hot::Hot::of(topics);
    loop {
        let mut size = [0; 4];
        stream.read_exact(&mut size)?;
        let frame = buffer.of(u32::from_be_bytes(size) as usize)?;
        stream.read_exact(frame)?;
        let prefix = RequestPrefix::peek(frame).context("a short frame")?;
        let at_version = |version| {
            ensure!(prefix.api_version == version, "version {} of {}", prefix.api_version, prefix.api_key);
            Ok(())
        };
        match ApiKey::from_code(prefix.api_key) {
            Some(ApiKey::Produce) => {
                at_version(PRODUCE_VERSION).and_then(|()| hot.produce(frame, &mut stream))
            }
            Some(ApiKey::Fetch) => at_version(FETCH_VERSION).and_then(|()| hot.fetch(frame, &mut stream)),
            _ => control::answer(topics, frame, &mut stream),
        }?;
    }
}
