//! Several log directories, of which one may be away.

mod away;
mod back;
mod behind;
mod cordoned;
mod moved;
mod put_back;
mod removed;

use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use pagewire_wire::messages::{
    describe_log_dirs_request::DescribeLogDirsRequest, describe_log_dirs_response::DescribeLogDirsResult,
};
use tempfile::TempDir;

use crate::harness::{Broker, Client, batch};

/// KAFKA_STORAGE_ERROR.
pub(crate) const STORAGE_ERROR: i16 = 56;

/// A broker on two directories.
pub(crate) struct Two {
    pub(crate) broker: Broker,
    pub(crate) dirs: [PathBuf; 2],
    _root: TempDir,
}

impl Two {
    fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        let dirs = ["one", "two"].map(|name| root.path().join(name));
        let listed = dirs.each_ref().map(|dir| dir.to_str().unwrap()).join(",");
        Self { broker: Broker::with(&[("log.dirs", &listed)]), dirs, _root: root }
    }

    /// Stops, puts a file where the second directory is, and starts again.
    fn lose_second(&mut self) {
        self.broker.stop();
        fs::rename(&self.dirs[1], self.aside()).unwrap();
        fs::write(&self.dirs[1], "not a directory").unwrap();
        self.broker.restart();
    }

    fn find_second(&mut self) {
        self.broker.stop();
        fs::remove_file(&self.dirs[1]).unwrap();
        fs::rename(self.aside(), &self.dirs[1]).unwrap();
        self.broker.restart();
    }

    /// Partitions in `lost` begin at 0, in the second directory; the others of "t" go on. Also after a restart.
    fn begins_anew_with(&mut self, lost: &[i32]) {
        for round in 0..2 {
            for partition in 0..4 {
                let first = i64::from(!lost.contains(&partition));
                let offset = self.broker.client().produce("t", partition, batch(&["y"]));
                assert_eq!(offset, first + round, "partition {partition}");
            }
            self.broker.restart();
        }
        assert_eq!(self.of(1, "t"), lost);
    }

    /// Moves the content of the second directory away, as an unmount does, whether or not a broker runs.
    fn unmount_second(&self) {
        fs::rename(&self.dirs[1], self.aside()).unwrap();
        fs::create_dir(&self.dirs[1]).unwrap();
    }

    fn mount_second(&self) {
        fs::remove_dir(&self.dirs[1]).unwrap();
        fs::rename(self.aside(), &self.dirs[1]).unwrap();
    }

    /// Asks for the second directory; the answer.
    fn online(&self, empty: bool) -> String {
        online(&self.dirs[0], &self.dirs[1], empty)
    }

    pub(crate) fn aside(&self) -> PathBuf {
        self.dirs[1].with_extension("aside")
    }

    /// The partitions of a topic in a directory.
    pub(crate) fn of(&self, dir: usize, topic: &str) -> Vec<i32> {
        let names = fs::read_dir(&self.dirs[dir]).unwrap().map(|entry| entry.unwrap().file_name());
        let mut found: Vec<i32> = names
            .filter_map(|name| name.to_str()?.strip_prefix(topic)?.strip_prefix('-')?.parse().ok())
            .collect();
        found.sort_unstable();
        found
    }
}

/// Asks the broker whose first directory is `home` for a directory; the answer.
pub(crate) fn online(home: &Path, dir: &Path, empty: bool) -> String {
    let dir = dir.to_str().unwrap();
    let request = format!("{{\"verb\":\"online\",\"dir\":\"{dir}\",\"empty\":{empty}}}\n");
    let mut socket = UnixStream::connect(home.join("control.sock")).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

fn described(client: &mut Client) -> Vec<DescribeLogDirsResult> {
    client.call(&DescribeLogDirsRequest { topics: None, ..Default::default() }, 4).results
}

pub(crate) fn leaders(client: &mut Client, topic: &'static str) -> Vec<(i16, i32, usize)> {
    let partitions = client.describe_topic(topic).partitions;
    partitions.iter().map(|p| (p.error_code, p.leader_id, p.isr_nodes.len())).collect()
}

/// A broker with a topic of four partitions, a record in each.
pub(crate) fn with_records() -> Two {
    let two = Two::start();
    let mut client = two.broker.client();
    client.create_topic("t", 4);
    for partition in 0..4 {
        client.produce("t", partition, batch(&["x"]));
    }
    two
}
