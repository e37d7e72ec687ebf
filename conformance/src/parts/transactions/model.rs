//! The words of this part: places, values, and what a client was told to do and answered. Nothing here acts.

use std::fmt;

use anyhow::{Context as _, Result, bail};

/// Where writers write and transformers read.
pub(super) const SOURCE: &str = "source";
/// Where writers write and transformers write.
pub(super) const TARGET: &str = "target";
/// Partitions of each.
pub(super) const PARTITIONS: i32 = 3;

/// A partition of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) topic: &'static str,
    pub(super) partition: i32,
}

impl Place {
    /// All there are.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        [SOURCE, TARGET].into_iter().flat_map(Self::of)
    }

    /// Those of one topic.
    pub(super) fn of(topic: &'static str) -> impl Iterator<Item = Self> {
        (0..PARTITIONS).map(move |partition| Self { topic, partition })
    }

    fn parse(topic: &str, partition: &str) -> Result<Self> {
        let topic = [SOURCE, TARGET].into_iter().find(|known| *known == topic).context("an unknown topic")?;
        Ok(Self { topic, partition: partition.parse()? })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.topic, self.partition)
    }
}

/// A transaction's number. No two clients, and no two instances of one, use the same.
pub(super) type Txn = u64;

/// A partition and an offset in it.
pub(super) type At = (Place, i64);

/// What a record carries; `TXN.SEQ`, then `<TOPIC/PARTITION/OFFSET` of what it was made of, then `~` and padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Value {
    pub(super) txn: Txn,
    /// The how manieth of its transaction.
    pub(super) seq: u32,
    pub(super) made_of: Option<At>,
}

impl Value {
    /// One that no client wrote is a fault.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let read = || -> Result<Self> {
            let text = text.split('~').next().unwrap_or(text);
            let (id, source) = text.split_once('<').map_or((text, None), |(id, source)| (id, Some(source)));
            let (txn, seq) = id.split_once('.').context("no number")?;
            let made_of = source.map(|source| at(source, '/')).transpose()?;
            Ok(Self { txn: txn.parse()?, seq: seq.parse()?, made_of })
        };
        read().with_context(|| format!("{text} is no value of ours"))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.txn, self.seq)?;
        match self.made_of {
            Some((place, offset)) => write!(f, "<{}/{}/{offset}", place.topic, place.partition),
            None => Ok(()),
        }
    }
}

fn at(text: &str, between: char) -> Result<At> {
    let parts: Vec<&str> = text.split(between).collect();
    let [topic, partition, offset] = parts[..] else { bail!("{text} is no place") };
    Ok((Place::parse(topic, partition)?, offset.parse()?))
}

/// One call of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    /// Ends what an earlier instance left open, and fences it off.
    Init,
    Begin(Txn),
    /// Goes to this place, with so much padding.
    Send(Place, Value, usize),
    Flush,
    /// Where the group is to go on, if the transaction is committed.
    Offsets(Txn, Vec<At>),
    Commit(Txn),
    Abort(Txn),
    /// Which records were acknowledged since this was asked last.
    Acked,
    /// Where the group stands. The consumer goes on from there.
    Committed,
    /// Takes what its group gives it of the source, from where the group stands.
    Subscribe,
    Seek(Vec<At>),
    Poll,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Init => f.write_str("init"),
            Self::Begin(_) => f.write_str("begin"),
            Self::Send(place, value, padding) => {
                write!(f, "send {} {} {value}~{:.<padding$}", place.topic, place.partition, "")
            }
            Self::Flush => f.write_str("flush"),
            Self::Offsets(_, next) => write_all(f, "offsets", next.iter().copied()),
            Self::Commit(_) => f.write_str("commit"),
            Self::Abort(_) => f.write_str("abort"),
            Self::Acked => f.write_str("acked"),
            Self::Committed => write_all(f, "committed", Place::of(SOURCE).map(|place| (place, 0))),
            Self::Subscribe => write!(f, "subscribe {SOURCE}"),
            Self::Seek(positions) => write_all(f, "seek", positions.iter().copied()),
            Self::Poll => f.write_str("poll"),
        }
    }
}

fn write_all(f: &mut fmt::Formatter<'_>, word: &str, all: impl Iterator<Item = At>) -> fmt::Result {
    f.write_str(word)?;
    all.into_iter().try_for_each(|(place, offset)| write!(f, " {place}:{offset}"))
}

/// What is to be done about a call that failed, as the client's documentation says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// The same call once more.
    Retry,
    /// The transaction has to be aborted.
    Abort,
    /// This client can do nothing any more.
    Replace,
}

/// A client's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    Positions(Vec<At>),
    Records(Vec<(At, Value)>),
    Failed(Remedy, String),
}

impl Answer {
    /// Reads the line that answers `call`.
    pub(super) fn parse(call: &Call, line: &str) -> Result<Self> {
        let (verdict, rest) = line.split_once(' ').unwrap_or((line, ""));
        let words = || rest.split(' ').filter(|word| !word.is_empty());
        match (verdict, call) {
            ("fail", _) => {
                let (remedy, why) = rest.split_once(' ').unwrap_or((rest, ""));
                let remedy = match remedy {
                    "retry" => Remedy::Retry,
                    "abort" => Remedy::Abort,
                    "fatal" => Remedy::Replace,
                    other => bail!("{other} is no remedy"),
                };
                Ok(Self::Failed(remedy, why.to_owned()))
            }
            ("ok", Call::Poll | Call::Acked) => {
                Ok(Self::Records(words().map(record).collect::<Result<_>>()?))
            }
            ("ok", Call::Committed) => {
                Ok(Self::Positions(words().map(|word| at(word, ':')).collect::<Result<_>>()?))
            }
            ("ok", _) => Ok(Self::Done),
            _ => bail!("{line} answers {call:?}"),
        }
    }
}

fn record(word: &str) -> Result<(At, Value)> {
    let parts: Vec<&str> = word.splitn(4, ':').collect();
    let [topic, partition, offset, value] = parts[..] else { bail!("{word} is no record") };
    Ok(((Place::parse(topic, partition)?, offset.parse()?), Value::parse(value)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Place = Place { topic: SOURCE, partition: 0 };

    #[test]
    fn a_value_reads_back_from_what_was_sent() {
        for made_of in [None, Some((FIRST, 17))] {
            let value = Value { txn: 3_000_001, seq: 4, made_of };
            let line = Call::Send(FIRST, value, 10).to_string();
            let sent = line.rsplit(' ').next().expect("a value");
            assert!(sent.ends_with("~.........."), "{sent}");
            assert_eq!(Value::parse(sent).expect("ours"), value);
        }
        for wrong in ["", "1", "1.x", "1.2<source/0", "1.2<other/0/1", "1.2<source/0/1/2"] {
            assert!(Value::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn answers_are_read_by_what_was_asked() {
        let records = Answer::parse(&Call::Poll, "ok source:0:5:1.2~.. target:2:7:3.4<source/0/5~");
        let Ok(Answer::Records(records)) = records else { panic!("{records:?}") };
        assert_eq!(records[0], ((FIRST, 5), Value { txn: 1, seq: 2, made_of: None }));
        assert_eq!(records[1].1.made_of, Some((FIRST, 5)));
        let failed = Answer::parse(&Call::Commit(1), "fail abort it broke").expect("an answer");
        assert_eq!(failed, Answer::Failed(Remedy::Abort, "it broke".to_owned()));
        assert_eq!(Answer::parse(&Call::Begin(1), "ok").expect("an answer"), Answer::Done);
        let positions = Answer::parse(&Call::Committed, "ok source:0:9").expect("an answer");
        assert_eq!(positions, Answer::Positions(vec![(FIRST, 9)]));
        assert!(Answer::parse(&Call::Poll, "what").is_err());
    }
}
