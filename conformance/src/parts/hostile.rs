//! Bytes that nobody sane sends. They may cost their sender the connection, and nobody else anything.
//!
//! One broker lives through all cases. After each the same must hold: the process runs, its memory is bounded, a topic
//! written before reads back identical, and a normal client is served. While they last, a bystander is served too and
//! the memory stays bounded. Everything is seeded: a failure comes again.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use pagewire_wire::messages::api_versions_request::ApiVersionsRequest;
use pagewire_wire::testing::Rng;

use super::frames::{self, Requests};
use super::{Cases, Context};
use crate::harness::raw::{self, Raw};
use crate::harness::{Broker, PATIENCE, until, until_right};

/// How much memory an attack may leave the broker with, on top of what it had.
const GROWTH_MAX: u64 = 256 << 20;
const TOPIC: &str = "treasure";
const BYSTANDER_TOPIC: &str = "bystander";
/// How long a thrown frame waits for an answer or the end of its connection. Parked requests never answer.
const MOMENT: Duration = Duration::from_millis(100);
const THROWERS: usize = 8;
/// What the broker may have open unless it raises that itself: fewer than the crowd has connections.
const DESCRIPTORS: u32 = 1024;
/// What half-sent frames take in all, at most: `pagewire.request.memory.max.bytes`, which is the default here.
const REQUEST_MEMORY: u64 = 256 << 20;
/// The bystander's rounds are this far apart.
const BYSTANDER_PAUSE: Duration = Duration::from_millis(50);
/// What it produces each time: more than the buffers that are for everybody hold.
const BYSTANDER_BYTES: usize = 64 << 10;

/// The part.
pub fn hostile(context: &Context<'_>, cases: &Cases<'_>) {
    let stage = match Stage::set(context) {
        Ok(stage) => stage,
        Err(error) => {
            cases.run("stage", || Err(error));
            return;
        }
    };
    let requests = Requests::new();
    let mut stage = stage;
    cases.run("lying_lengths", || stage.throw(frames::lying_lengths()));
    cases.run("random_bytes", || stage.throw(frames::random_bytes(1500)));
    cases.run("random_requests", || stage.throw(requests.whole(800)));
    cases.run("truncated_requests", || stage.throw(requests.truncated(1500)));
    cases.run("bit_flipped_requests", || stage.throw(requests.flipped(1500)));
    cases.run("huge_counts", || stage.throw(requests.huge_counts(1500)));
    cases.run("unknown_apis_and_versions", || stage.throw(frames::unknown_versions()));
    cases.run("broken_batches", || stage.batches(frames::broken_batches()?));
    cases.run("decompression_bombs", || stage.batches(frames::bombs()?));
    cases.run("decompression_bombs_side_by_side", || stage.bombs_at_once());
    cases.run("settings_of_very_many_groups", || stage.settings_of_groups());
    cases.run("requests_that_unfold_into_much", || stage.unfolding());
    cases.run("answers_that_nobody_reads", || stage.unread());
    cases.run("half_sent_frames_held_open", || stage.half_sent());
    cases.run("a_crowd_does_not_hurt_a_normal_client", || stage.crowd());
}

/// The broker that lives through it all.
struct Stage {
    broker: Broker,
    treasure: Bytes,
    resident: u64,
}

impl Stage {
    fn set(context: &Context<'_>) -> Result<Self> {
        let broker = Broker::start_with_descriptors(&context.binary, &[], Some(DESCRIPTORS))?;
        let mut client = Raw::connect(broker.address())?;
        client.create_topic(TOPIC, 1, &[])?;
        let value = Rng::new(1).bytes(100_000);
        for _ in 0..100 {
            client.append(TOPIC, 0, &raw::batch(&[&value, b"small"], None)?)?;
        }
        let treasure = client.read_all(TOPIC, 0)?;
        client.create_topic(BYSTANDER_TOPIC, 1, &[("retention.bytes", "1048576")])?;
        let resident = broker.resident_bytes()?;
        Ok(Self { broker, treasure, resident })
    }

    /// Everything that must hold after an attack.
    fn unharmed(&mut self) -> Result<()> {
        ensure!(self.broker.is_running(), "the broker ended: {}", self.broker.log_tail());
        let mut client = Raw::connect(self.broker.address())?;
        ensure!(client.read_all(TOPIC, 0)? == self.treasure, "a topic reads back different");
        until("a normal client served", || {
            client.create_topic("normal", 1, &[]).ok();
            Ok(client.append("normal", 0, &raw::batch(&[b"hello"], None)?).is_ok())
        })?;
        let resident = self.broker.resident_bytes()?;
        let most = self.resident + GROWTH_MAX;
        ensure!(resident <= most, "{} MiB resident, from {} MiB", resident >> 20, self.resident >> 20);
        Ok(())
    }

    /// Throws every frame on a connection of its own.
    fn throw(&mut self, frames: impl Iterator<Item = Vec<u8>>) -> Result<()> {
        let frames: Vec<Vec<u8>> = frames.collect();
        ensure!(!frames.is_empty(), "nothing to throw");
        let address = self.broker.address().to_owned();
        let refused = AtomicU64::new(0);
        self.beside(|| {
            std::thread::scope(|scope| {
                for chunk in frames.chunks(frames.len().div_ceil(THROWERS)) {
                    let (address, refused) = (&address, &refused);
                    scope.spawn(move || {
                        for frame in chunk {
                            if throw_one(address, frame).is_err() {
                                refused.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    });
                }
            });
            Ok(())
        })?;
        let refused = refused.into_inner();
        ensure!(
            refused == 0,
            "{refused} of {} connections were not even accepted: {}",
            frames.len(),
            self.broker.log_tail()
        );
        self.unharmed()
    }

    /// Produces every batch; none may be taken.
    fn batches(&mut self, batches: Vec<(&'static str, Bytes)>) -> Result<()> {
        for (name, batch) in batches {
            let mut client = Raw::connect(self.broker.address())?;
            // A closed connection is an answer too.
            if let Ok(answer) = client.produce(TOPIC, 0, batch, 1) {
                ensure!(answer.error_code != 0, "{name} was accepted at offset {}", answer.base_offset);
            }
        }
        self.unharmed()
    }

    fn bombs_at_once(&mut self) -> Result<()> {
        let bombs = frames::bombs()?;
        let address = self.broker.address().to_owned();
        self.beside(|| {
            std::thread::scope(|scope| {
                for (_, bomb) in bombs.iter().cycle().take(24) {
                    let address = &address;
                    scope.spawn(move || {
                        Raw::connect(address).and_then(|mut client| client.produce(TOPIC, 0, bomb.clone(), 1))
                    });
                }
            });
            Ok(())
        })?;
        self.unharmed()
    }

    /// Every group has settings, also one that nobody ever made: few bytes ask for many.
    fn settings_of_groups(&mut self) -> Result<()> {
        let address = self.broker.address().to_owned();
        self.beside(|| {
            for groups in [90_000, 1_000_000] {
                let mut client = Raw::connect(&address)?;
                let answer = client.call(&frames::settings_of_groups(groups), 4);
                ensure!(answer.is_err(), "settings of {groups} groups were answered");
            }
            Ok(())
        })?;
        self.unharmed()
    }

    /// Frames of a few MiB that name a million topics each.
    fn unfolding(&mut self) -> Result<()> {
        let frame = frames::many_topics()?;
        let address = self.broker.address().to_owned();
        self.beside(|| {
            let mut held = Vec::new();
            for _ in 0..8 {
                let mut client = Raw::connect(&address)?;
                client.stream().set_write_timeout(Some(MOMENT))?;
                // The broker may stop reading, or close: both are answers.
                let _ = (0..4).try_for_each(|_| client.stream().write_all(&frame));
                held.push(client);
            }
            for client in &mut held {
                let _ = client.receive_frame();
            }
            Ok(())
        })?;
        self.unharmed()
    }

    /// Small requests with large answers, behind one that is not answered for a long time.
    fn unread(&mut self) -> Result<()> {
        let address = self.broker.address().to_owned();
        let end = Raw::connect(&address)?.offset(TOPIC, 0, -1)?;
        let (parked, described) = (frames::parked_fetch(TOPIC, end)?, frames::describe_broker()?);
        self.beside(|| {
            let mut held = Vec::new();
            for _ in 0..200 {
                let mut client = Raw::connect(&address)?;
                client.stream().set_write_timeout(Some(MOMENT))?;
                client.stream().write_all(&parked)?;
                let _ = (0..60).try_for_each(|_| client.stream().write_all(&described));
                held.push(client);
            }
            // Each round of the bystander's looks at the memory that all of this takes.
            let mut client = Raw::connect(&address)?;
            for _ in 0..40 {
                client.append(BYSTANDER_TOPIC, 0, &raw::batch(&[b"still served"], None)?)?;
                std::thread::sleep(BYSTANDER_PAUSE);
            }
            drop(held);
            Ok(())
        })?;
        until_right("memory given back", || self.unharmed())
    }

    fn half_sent(&mut self) -> Result<()> {
        // Frames that are large, that are the usual size, and a few that are very large.
        for (count, announced, sent) in
            [(200, 90 << 20, HALF), (200, 1_900_000, HALF), (3, 95 << 20, 90 << 20)]
        {
            let address = self.broker.address().to_owned();
            self.beside(|| {
                let held = half_sent_frames(&address, count, announced, sent)?;
                let mut client = Raw::connect(&address)?;
                let value = vec![7; BYSTANDER_BYTES];
                for _ in 0..20 {
                    client.append(BYSTANDER_TOPIC, 0, &raw::batch(&[&value], None)?)?;
                }
                drop(held);
                Ok(())
            })?;
            until_right("memory given back", || self.unharmed())?;
        }
        self.unharmed()
    }

    /// Runs an attack with a bystander beside it, who must be served meanwhile, and watches the memory.
    fn beside(&self, attack: impl FnOnce() -> Result<()>) -> Result<()> {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let bystander = scope.spawn(|| self.stand_by(&over));
            let attacked = attack();
            over.store(true, Ordering::Release);
            let stood = bystander.join().map_err(|_| anyhow::anyhow!("the bystander panicked"))?;
            stood.context("a bystander during the attack")?;
            attacked
        })
    }

    /// Produces, reads and looks at the broker's memory until the attack is over, and once at least.
    fn stand_by(&self, over: &AtomicBool) -> Result<()> {
        let mut client = Raw::connect(self.broker.address())?;
        let most = self.resident + GROWTH_MAX + REQUEST_MEMORY;
        let value = vec![7; BYSTANDER_BYTES];
        loop {
            let last = over.load(Ordering::Acquire);
            let asked = Instant::now();
            let offset = client.append(BYSTANDER_TOPIC, 0, &raw::batch(&[&value], None)?)?;
            client.fetch(BYSTANDER_TOPIC, 0, offset, 1 << 20)?;
            let waited = asked.elapsed();
            ensure!(waited < PATIENCE, "it waited {waited:?}");
            let resident = self.broker.resident_bytes()?;
            ensure!(resident <= most, "{} MiB resident, from {} MiB", resident >> 20, self.resident >> 20);
            if last {
                return Ok(());
            }
            std::thread::sleep(BYSTANDER_PAUSE);
        }
    }

    fn crowd(&mut self) -> Result<()> {
        let address = self.broker.address().to_owned();
        let treasure = self.treasure.clone();
        self.beside(|| {
            let mut idle = Vec::new();
            for _ in 0..1000 {
                let mut client = Raw::connect(&address)?;
                client
                    .call(&ApiVersionsRequest::default(), 0)
                    .context("one of a thousand idle connections")?;
                idle.push(client);
            }
            let half = half_sent_frames(&address, 200, 90 << 20, HALF)?;
            let mut deaf = Vec::new();
            for _ in 0..50 {
                let mut client = Raw::connect(&address)?;
                for _ in 0..20 {
                    client.send(&raw::fetch_request(TOPIC, 0, 0, 4 << 20), raw::FETCH)?;
                }
                deaf.push(client);
            }
            for _ in 0..20 {
                let mut client = Raw::connect(&address)?;
                client.append(BYSTANDER_TOPIC, 0, &raw::batch(&[b"hello"], None)?)?;
                ensure!(client.read_all(TOPIC, 0)? == treasure, "a topic reads back different");
            }
            drop((idle, half, deaf));
            Ok(())
        })?;
        until_right("memory given back", || self.unharmed())
    }
}

/// Sends the bytes, closes its own side, and reads whatever comes back for a moment.
fn throw_one(address: &str, frame: &[u8]) -> Result<()> {
    let mut stream = TcpStream::connect(address).context("not accepted")?;
    stream.set_read_timeout(Some(MOMENT))?;
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    // The broker may close before it has read everything: that is its right.
    let _ = stream.write_all(frame);
    let _ = stream.shutdown(Shutdown::Write);
    let mut sink = vec![0; 64 * 1024];
    let mut total = 0;
    loop {
        match stream.read(&mut sink) {
            Ok(0) => return Ok(()),
            Ok(read) => total += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Ok(()),
        }
        ensure!(total < 256 << 20, "more than 256 MiB came back");
    }
}

/// What a half-sent frame holds, usually.
const HALF: usize = 1_500_000;

/// Connections that announced a Produce of so many bytes and sent the first `sent` of them, or as many as the broker
/// takes.
fn half_sent_frames(address: &str, count: usize, announced: i32, sent: usize) -> Result<Vec<TcpStream>> {
    let mut start = announced.to_be_bytes().to_vec();
    start.extend_from_slice(&frames::header(0, 9));
    start.resize(sent, 0);
    let mut held = Vec::new();
    for _ in 0..count {
        let mut stream = TcpStream::connect(address)?;
        // A broker that has given what it gives stops reading.
        stream.set_write_timeout(Some(MOMENT))?;
        if let Err(error) = stream.write_all(&start) {
            let stopped = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            // Or takes back what it gave, from the one who shows least for it.
            let given_up = matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe);
            ensure!(stopped || given_up, "a half-sent frame: {error}");
        }
        held.push(stream);
    }
    Ok(held)
}
