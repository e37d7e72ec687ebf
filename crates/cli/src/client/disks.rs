//! The brokers' log directories: what DescribeLogDirs says of them, and what of it explains why something does not go on.

use std::path::Path;
use std::time::Duration;

use pagewire_log::OnlineCommand;
use pagewire_wire::messages::describe_log_dirs_request::DescribeLogDirsRequest;
use pagewire_wire::messages::describe_log_dirs_response::DescribeLogDirsResult;

use super::routing::{Client, Target};
use super::{Error, Result};

/// With less left than this, in bytes, a disk is full: a batch or an index page does not fit any more.
const FULL_BELOW: i64 = 1 << 20;
/// A look that explains why something waits does not itself wait longer.
const LOOK: Duration = Duration::from_secs(2);

/// A log directory of a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directory {
    /// Whose it is.
    pub(crate) node: i32,
    /// Its path there.
    pub(crate) path: String,
    /// The first one of that broker, which it lists first: the broker is found by it.
    pub(crate) home: String,
    /// Kafka's error code; 0 is none.
    pub(crate) error: i16,
    /// Size of its file system in bytes; `None` where the broker does not say.
    pub(crate) total_bytes: Option<u64>,
    /// What can still be written.
    pub(crate) usable_bytes: Option<u64>,
    /// Partitions in it.
    pub(crate) partitions: usize,
    /// Their bytes.
    pub(crate) bytes: u64,
}

/// How a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Condition {
    /// Nothing is known against it.
    Ok,
    /// Nothing can be written to it for lack of room.
    Full,
    /// Some of its partitions are not served or take no writes.
    Incomplete,
    /// Its disk does not answer: who writes to it waits.
    Hanging,
    /// It takes no writes; what is in it may be readable.
    Offline,
}

impl Directory {
    /// How it is.
    pub(crate) fn condition(&self) -> Condition {
        match self.usable_bytes {
            _ if self.error != 0 => Condition::Offline,
            Some(left) if left < FULL_BELOW.unsigned_abs() => Condition::Full,
            _ => Condition::Ok,
        }
    }

    /// What that means, in words; empty where all is well.
    pub(crate) fn note(&self) -> &'static str {
        match self.condition() {
            Condition::Ok => "",
            Condition::Full => {
                "what does not fit is refused: make room (delete topics, shorten their retention, move other files away)"
            }
            Condition::Offline if self.total_bytes.is_some() => {
                "takes no writes, or some of its partitions take none or are not served: its broker's log says why"
            }
            Condition::Offline => "nothing in it is served: its broker's log says why",
            Condition::Hanging => "its disk does not answer",
            Condition::Incomplete => {
                "some of its partitions take no writes or are not served: its broker's log says why"
            }
        }
    }

    /// What there is to say against it.
    fn complaint(&self) -> Option<String> {
        let Self { node, path, home, .. } = self;
        let online = OnlineCommand { dir: Path::new(path), home: Path::new(home), empty: false };
        match self.condition() {
            Condition::Ok => None,
            Condition::Hanging => {
                Some(format!("the disk of log directory {path} of broker {node} does not answer"))
            }
            Condition::Full => Some(format!("the disk of broker {node} is full ({path}): make room on it")),
            Condition::Offline | Condition::Incomplete if self.total_bytes.is_some() => Some(format!(
                "the log directory {path} of broker {node} takes no writes, or not for all of its partitions: \
                 `pagewire cluster` says why, `{online}` opens it again when the cause is gone"
            )),
            Condition::Offline | Condition::Incomplete => Some(format!(
                "the log directory {path} of broker {node} is not there, and nothing in it is served: \
                 `pagewire cluster` says why, `{online}` opens it when it is back"
            )),
        }
    }
}

fn directory(node: i32, home: &str, result: &DescribeLogDirsResult) -> Directory {
    let known = |bytes: i64| u64::try_from(bytes).ok();
    let partitions = || result.topics.iter().flat_map(|topic| &topic.partitions);
    Directory {
        node,
        path: result.log_dir.to_string(),
        home: home.to_owned(),
        error: result.error_code,
        total_bytes: known(result.total_bytes),
        usable_bytes: known(result.usable_bytes),
        partitions: partitions().count(),
        bytes: partitions().filter_map(|partition| known(partition.partition_size)).sum(),
    }
}

impl Client {
    /// The log directories of all nodes that can be asked.
    pub(crate) async fn directories(&mut self) -> Result<Vec<Directory>> {
        let nodes: Vec<i32> = self.cluster().nodes.keys().copied().collect();
        let mut found = Vec::new();
        for node in nodes {
            let deadline = self.deadline().at_most(LOOK);
            let request = DescribeLogDirsRequest { topics: None, ..DescribeLogDirsRequest::default() };
            match self.call_once(Target::Node(node), i16::MAX, deadline, |_| request).await {
                Ok(answer) => {
                    let home =
                        answer.results.first().map(|first| first.log_dir.to_string()).unwrap_or_default();
                    found.extend(answer.results.iter().map(|result| directory(node, &home, result)));
                }
                // It does not have the API, or is not there: then nothing is known.
                Err(Error::Encode(error)) => return Err(error.into()),
                Err(error) => tracing::debug!(%error, node, "its log directories are not known"),
            }
        }
        Ok(found)
    }

    /// What the brokers' disks have to do with it that something does not go on, if anything.
    pub(crate) async fn disk_trouble(&mut self) -> Option<String> {
        self.directories().await.ok()?.iter().find_map(Directory::complaint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(error_code: i16, total_bytes: i64, usable_bytes: i64) -> Directory {
        let log_dir = "/data".into();
        directory(
            3,
            "/home",
            &DescribeLogDirsResult {
                error_code,
                log_dir,
                total_bytes,
                usable_bytes,
                ..DescribeLogDirsResult::default()
            },
        )
    }

    #[test]
    fn a_directory_is_full_only_where_the_broker_says_how_much_is_left() {
        assert_eq!(with(0, 1 << 30, 1 << 29).condition(), Condition::Ok);
        assert_eq!(with(0, 1 << 30, 0).condition(), Condition::Full);
        assert_eq!(with(0, -1, -1).condition(), Condition::Ok, "brokers before 3.3");
        assert_eq!(with(56, -1, -1).condition(), Condition::Offline);
        assert!(with(0, 1 << 30, 0).complaint().is_some_and(|told| told.contains("broker 3 is full")));
        assert_eq!(with(0, 1 << 30, 1 << 29).complaint(), None);
        let told = with(56, -1, -1).complaint().expect("it is offline");
        assert!(told.contains("`pagewire log online /data --data-dir /home`"), "{told}");
    }
}
