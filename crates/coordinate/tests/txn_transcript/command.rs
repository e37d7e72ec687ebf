//! One command line: a verb, words without `=` and fields with one.

use std::collections::BTreeMap;
use std::sync::Arc;

use pagewire_coordinate::Token;
use pagewire_coordinate::txn::{Add, End, Init, Input, Outcome, TxnVersion};

pub(crate) struct Command {
    pub(crate) verb: String,
    words: Vec<String>,
    fields: BTreeMap<String, String>,
}

impl Command {
    pub(crate) fn parse(line: &str) -> Self {
        let mut parts = line.split_whitespace();
        let verb = parts.next().unwrap().to_owned();
        let (mut words, mut fields) = (Vec::new(), BTreeMap::new());
        for part in parts {
            match part.split_once('=') {
                Some((name, value)) => _ = fields.insert(name.to_owned(), value.to_owned()),
                None => words.push(part.to_owned()),
            }
        }
        Self { verb, words, fields }
    }

    pub(crate) fn word(&self, index: usize) -> &str {
        self.words.get(index).map_or("", String::as_str)
    }

    pub(crate) fn has(&self, word: &str) -> bool {
        self.words.iter().any(|had| had == word)
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.field(name).unwrap_or("").to_owned()
    }

    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str, otherwise: T) -> T {
        self.field(name).map_or(otherwise, |text| text.parse().ok().unwrap())
    }

    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        self.field(name).unwrap_or("").split(',').filter(|item| !item.is_empty()).collect()
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
        self.list(name).into_iter().map(one).collect()
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
