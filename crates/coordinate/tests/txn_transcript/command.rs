//! What a command line asks of the shard.

use std::ops::Deref;
use std::sync::Arc;

use pagewire_coordinate::Token;
use pagewire_coordinate::txn::{Add, End, Init, Input, Outcome, TxnVersion};

use super::play::Line;

/// A line of a transcript, as what it asks for.
pub(crate) struct Command(Line);

impl Deref for Command {
    type Target = Line;

    fn deref(&self) -> &Line {
        &self.0
    }
}

impl Command {
    pub(crate) fn parse(line: &str) -> Self {
        Self(Line::parse(line))
    }

    /// `id:epoch`.
    pub(crate) fn producer(&self, name: &str) -> Option<(i64, i16)> {
        let (id, epoch) = self.field(name)?.split_once(':').unwrap();
        Some((id.parse().unwrap(), epoch.parse().unwrap()))
    }

    /// `topic:partition`.
    pub(crate) fn partitions(&self, name: &str) -> Vec<(Arc<str>, i32)> {
        let one = |item: &str| {
            let (topic, partition) = item.split_once(':').unwrap();
            (Arc::from(topic), partition.parse().unwrap())
        };
        self.list(name).map(one).collect()
    }

    pub(crate) fn input(&self) -> Option<Input> {
        let token = Token(self.word(0).parse().unwrap_or(0));
        let transactional_id = self.text("id");
        let (producer_id, producer_epoch) = self.producer("producer").unwrap_or((-1, -1));
        let version = if self.has("v2") { TxnVersion::EpochPerTransaction } else { TxnVersion::Classic };
        Some(match self.verb.as_str() {
            "init" => Input::Init(Init {
                token,
                transactional_id,
                timeout_ms: self.number("timeout", 60_000),
                expected: self.producer("from"),
            }),
            "add" => Input::Add(Add {
                token,
                transactional_id,
                producer_id,
                producer_epoch,
                partitions: self.partitions("partitions"),
                version,
            }),
            "commit" | "abort" => Input::End(End {
                token,
                transactional_id,
                producer_id,
                producer_epoch,
                outcome: if self.verb == "commit" { Outcome::Commit } else { Outcome::Abort },
                version,
            }),
            _ => return None,
        })
    }
}
