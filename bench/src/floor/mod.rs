//! The floor: what moving the bytes costs without a broker around it.
//!
//! ```text
//!   connection, a thread of its own:   receive a frame (two reads) ─┬─ Produce 9   check the CRC ─ pwrite ─ answer        hot.rs
//!                                                                   ├─ Fetch 12    header ─ sendfile                      hot.rs
//!                                                                   └─ anything else that the lab's drive asks            control.rs
//! ```
//!
//! It is no broker: no check but the CRC, no setting but one, no limit, nothing survives it. What it answers is in the protocol,
//! so that the client that measures it is the one that measures everybody. Topics have as many partitions as was asked for; a
//! request names one topic, a produce one partition of it, a fetch one or many. What is acknowledged is in the page cache, until
//! it is told as Kafka is (`log.flush.interval.messages`) that with acks=all it is to be on the disk before (held.rs).

mod control;
mod frame;
mod held;
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
        hot.held.settle_unless_more(&mut stream)?;
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
            _ => hot.held.settle(&mut stream).and_then(|()| control::answer(topics, frame, &mut stream)),
        }?;
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::Ordering::Relaxed;
    use std::thread;

    use pagewire_lab::drive::client::{Acks, Connection, ProduceFrame, batch};
    use pagewire_record::Codec;

    use super::*;
    use crate::change::{Change, FLUSH_MESSAGES};
    use crate::client;

    const TOPIC: &str = "some";

    /// With a topic of one partition.
    fn topics(dir: &Path) -> Topics {
        let topics = Topics::new(dir, ([127, 0, 0, 1], 1).into());
        topics.create(TOPIC, 1).unwrap();
        topics
    }

    /// A connection, and the floor's side of it.
    fn connected() -> (Connection, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let client = client::open(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    /// So many batches are there before the first is looked at: how many are answered.
    fn answered(topics: &Topics, batches: i32, acks: Acks) -> usize {
        let (mut client, stream) = connected();
        let batch = batch(1, 100, Codec::None).unwrap();
        let mut frame = ProduceFrame::in_version(PRODUCE_VERSION, TOPIC, 0, batch, acks).unwrap();
        (0..batches).for_each(|id| client.produce(&mut frame, id).unwrap());
        thread::scope(|scope| {
            scope.spawn(|| serve(topics, stream));
            let answered = (0..batches).take_while(|id| client.produced(&frame, *id).is_ok()).count();
            // Which ends who serves it.
            drop(client);
            answered
        })
    }

    #[test]
    fn whoever_waits_for_the_disk_shares_a_sync() {
        let dir = tempfile::tempdir().unwrap();
        let topics = topics(dir.path());
        let syncs = || topics.logs(TOPIC.as_bytes()).unwrap()[0].syncs.load(Relaxed);
        assert_eq!((answered(&topics, 5, Acks::All), syncs()), (5, 0), "nobody asked for it");
        topics.flush(true);
        assert_eq!((answered(&topics, 5, Acks::Leader), syncs()), (5, 0), "of others it is not wanted");
        assert_eq!((answered(&topics, 5, Acks::All), syncs()), (5, 1));
        topics.flush(false);
        assert_eq!((answered(&topics, 5, Acks::All), syncs()), (5, 1), "it was taken back");
    }

    #[test]
    fn what_is_not_on_the_disk_is_not_answered() {
        let dir = tempfile::tempdir().unwrap();
        // Takes what is written, and can be synced by nobody.
        std::os::unix::fs::symlink("/dev/null", dir.path().join(format!("{TOPIC}-0.log"))).unwrap();
        let topics = topics(dir.path());
        assert_eq!(answered(&topics, 1, Acks::All), 1);
        topics.flush(true);
        assert_eq!(answered(&topics, 1, Acks::All), 0);
    }

    #[test]
    fn it_is_told_to_sync_as_kafka_is_and_has_no_other_setting() {
        let dir = tempfile::tempdir().unwrap();
        let topics = topics(dir.path());
        let (mut client, stream) = connected();
        thread::scope(|scope| {
            scope.spawn(|| serve(&topics, stream));
            for value in [Some("1"), None] {
                Change::of_brokers(FLUSH_MESSAGES, value).ask(&mut client).unwrap();
                assert_eq!(topics.is_flushed(), value.is_some());
            }
            for (name, value) in [(FLUSH_MESSAGES, "2"), ("log.flush.interval.ms", "1")] {
                assert!(Change::of_brokers(name, Some(value)).ask(&mut client).is_err(), "{name}={value}");
            }
            drop(client);
        });
        assert!(!topics.is_flushed());
    }
}
