//! Answers that are parked half sent, because their reader is slow, while what they are of goes. The right bytes come,
//! or the connection is closed; never other bytes. And fetches that wait at a position which goes meanwhile: they are
//! told at once.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use pagewire_record::Codec;
use pagewire_wire::messages::fetch_request::FetchRequest;
use socket2::{Domain, Socket, Type};

use crate::configs::{SET, TOPIC, change};
use crate::harness::{Broker, Client, FetchAt, Fetched, batch, keyed, now_ms, until};
use crate::offsets::delete_before;

/// Ends a test that would wait forever.
const NEVER: Duration = Duration::from_mins(1);
const MIB: usize = 1 << 20;
/// Records of a MiB each. Most are in the first segment: more than sockets hold on both ends.
const RECORDS: i64 = 30;
const SEGMENT_BYTES: &str = "25000000";
const FIRST: &str = "t-0/00000000000000000000.log";

/// A reader that takes little and then nothing for a while.
struct Slow {
    stream: TcpStream,
    got: Vec<u8>,
}

impl Slow {
    fn ask(broker: &Broker, frame: &[u8]) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        // Before it connects, so that no larger window is ever offered.
        socket.set_recv_buffer_size(16 << 10).unwrap();
        socket.connect(&broker.address().into()).unwrap();
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(NEVER)).unwrap();
        stream.write_all(frame).unwrap();
        let mut got = vec![0; 100_000];
        stream.read_exact(&mut got).unwrap();
        Self { stream, got }
    }

    /// Everything that comes, up to so many bytes.
    fn rest(mut self, len: usize) -> Vec<u8> {
        let mut piece = vec![0; 1 << 16];
        while self.got.len() < len {
            match self.stream.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => self.got.extend_from_slice(&piece[..read]),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
                    break;
                }
            }
        }
        self.got
    }
}

/// A broker that looks often at what is to go, and its topic.
fn filled(route: &str) -> (Broker, Client) {
    let broker = Broker::with(&[
        ("log.retention.check.interval.ms", "50"),
        ("log.cleaner.backoff.ms", "10"),
        ("pagewire.transfer.route", route),
    ]);
    let mut client = broker.client();
    fill(&mut client, 'a');
    (broker, client)
}

/// Old records that differ in every MiB, and from those with another letter.
fn fill(client: &mut Client, letter: char) {
    let configs = [
        ("segment.bytes", SEGMENT_BYTES),
        ("max.message.bytes", "2000000"),
        ("file.delete.delay.ms", "0"),
        ("retention.ms", "-1"),
        ("min.cleanable.dirty.ratio", "0.01"),
    ];
    client.create_topic_with("t", 1, &configs);
    for number in 0..RECORDS {
        let value = format!("{letter}{number:07}").repeat(MIB / 8);
        client.produce("t", 0, keyed(Codec::None, &[(now_ms() - 60_000, Some("k"), Some(&value))]));
    }
}

/// A fetch of the whole first segment, and its answer as it is now, both as they are on the wire.
fn asked(broker: &Broker) -> (Bytes, Vec<u8>) {
    let mut quick = broker.client();
    let everything =
        FetchAt { max_bytes: i32::MAX, partition_max_bytes: i32::MAX, ..FetchAt::now("t", &[(0, 0)]) };
    let (_, frame) = quick.frame(&everything.request(), 12);
    quick.send_bytes(&frame);
    let answer = quick.next_frame().unwrap();
    assert!(answer.len() > 20 * MIB, "{}", answer.len());
    let size = u32::try_from(answer.len()).unwrap();
    (frame, [&size.to_be_bytes()[..], &answer].concat())
}

fn first(broker: &Broker) -> PathBuf {
    broker.dir().join(FIRST)
}

/// Unlinks what waits for that, as the broker does after a while.
fn unlink_deleted(broker: &Broker) {
    let dirs = fs::read_dir(broker.dir()).unwrap().map(|entry| entry.unwrap().path());
    for dir in dirs.filter(|path| path.is_dir()) {
        if dir.extension().is_some_and(|mark| mark.to_string_lossy().ends_with("-delete")) {
            // The broker may be faster.
            let _ = fs::remove_dir_all(&dir);
            continue;
        }
        let files = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
        for file in files.filter(|path| path.extension().is_some_and(|mark| mark == "deleted")) {
            let _ = fs::remove_file(file);
        }
    }
}

fn by_retention(broker: &Broker, client: &mut Client) {
    assert_eq!(change(client, (TOPIC, "t"), &[("retention.ms", SET, Some("1000"))], false).0, 0);
    until("all is too old", || client.list_offset("t", 0, -2, 7).1 == RECORDS);
    until("renamed", || !first(broker).exists());
}

fn by_deletion_of_records(broker: &Broker, client: &mut Client) {
    delete_before(client, "t", 0, RECORDS - 1);
    until("retention takes what lies below the log start", || !first(broker).exists());
}

fn by_compaction(broker: &Broker, client: &mut Client) {
    let before = fs::metadata(first(broker)).unwrap();
    assert_eq!(change(client, (TOPIC, "t"), &[("cleanup.policy", SET, Some("compact"))], false).0, 0);
    // For a moment there is none of that name.
    let is_another = || fs::metadata(first(broker)).is_ok_and(|now| now.ino() != before.ino());
    until("compacted", || broker.cleaner().cleans > 0 && is_another());
    assert!(fs::metadata(first(broker)).unwrap().len() < before.len());
}

/// Its namesake has other records in files of the same names and lengths.
fn by_deletion_of_the_topic(_: &Broker, client: &mut Client) {
    crate::topics::delete(client, "t");
    fill(client, 'b');
}

/// Has the answer parked while `goes`; the bytes that came and those that should.
fn parked_while(route: &str, goes: fn(&Broker, &mut Client)) -> (Vec<u8>, Vec<u8>) {
    let (broker, mut client) = filled(route);
    let (frame, expected) = asked(&broker);
    let slow = Slow::ask(&broker, &frame);
    goes(&broker, &mut client);
    unlink_deleted(&broker);
    (slow.rest(expected.len()), expected)
}

fn gets_all_of_it(route: &str, goes: fn(&Broker, &mut Client)) {
    let (got, expected) = parked_while(route, goes);
    let same = got.iter().zip(&expected).take_while(|(got, expected)| got == expected).count();
    assert_eq!((same, got.len()), (expected.len(), expected.len()), "{route}");
}

#[test]
fn a_slow_reader_gets_what_retention_has_removed_meanwhile_whatever_the_route() {
    for route in ["sendfile", "copy", "splice", "mmap", "uring", "direct"] {
        gets_all_of_it(route, by_retention);
    }
}

#[test]
fn a_slow_reader_gets_what_was_deleted_by_request_meanwhile() {
    gets_all_of_it("sendfile", by_deletion_of_records);
}

#[test]
fn a_slow_reader_gets_the_records_as_they_were_before_they_were_compacted() {
    gets_all_of_it("sendfile", by_compaction);
    gets_all_of_it("mmap", by_compaction);
}

#[test]
fn a_slow_reader_gets_the_records_of_its_topic_and_none_of_its_namesake() {
    gets_all_of_it("sendfile", by_deletion_of_the_topic);
    gets_all_of_it("uring", by_deletion_of_the_topic);
}

/// No broker cuts a file that it serves; a person or a file system may.
#[test]
fn a_slow_reader_of_a_file_that_was_cut_meanwhile_is_disconnected() {
    for route in ["sendfile", "copy", "splice", "mmap", "uring"] {
        let (got, expected) = parked_while(route, |broker, _| {
            let file = fs::OpenOptions::new().write(true).open(first(broker)).unwrap();
            file.set_len(16 * MIB as u64).unwrap();
        });
        assert!(got.len() < expected.len() && expected.starts_with(&got), "{route}: {} bytes", got.len());
    }
}

#[test]
fn who_waits_at_records_that_retention_removes_is_told_that_they_are_gone() {
    let broker = Broker::start();
    let (mut reader, mut admin) = (broker.client(), broker.client());
    admin.create_topic("t", 1);
    admin.produce("t", 0, keyed(Codec::None, &[(now_ms() - 60_000, None, Some("old"))]));
    let more = FetchAt { min_bytes: 1 << 20, ..FetchAt::parked("t", &[(0, 0)]) };
    let asked = reader.send(&more.request(), 12);
    assert_eq!(change(&mut admin, (TOPIC, "t"), &[("retention.ms", SET, Some("1000"))], false).0, 0);
    assert_eq!(reader.receive::<FetchRequest>(asked, 12).errors(), [(0, 1)]);
}

/// It will not grow: what there is of it is all that will come at this position.
#[test]
fn who_waits_for_more_of_a_segment_that_is_closed_for_its_age_gets_what_there_is() {
    let broker = Broker::with(&[("log.retention.check.interval.ms", "50")]);
    let (mut reader, mut admin) = (broker.client(), broker.client());
    admin.create_topic_with("t", 1, &[("segment.ms", "1000")]);
    admin.produce("t", 0, batch(&["x"]));
    let more = FetchAt { min_bytes: 1 << 20, ..FetchAt::parked("t", &[(0, 0)]) };
    let asked = reader.send(&more.request(), 12);
    assert!(!reader.receive::<FetchRequest>(asked, 12).records().is_empty());
}
