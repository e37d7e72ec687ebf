//! One of the two brokers: its connections, and what a case has learnt from it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use pagewire_wire::testing::Kind;
use pagewire_wire::{ApiKey, ErrorCode, Reader, RequestHeader, ResponseHeader, Str, Writer};
use serde_json::Value as Json;

use super::decode;
use super::encode::{Form, sum};
use super::notation::{Changes, Fields, changes};
use super::step::{Act, Asked, Capture, Damage, Mode, Step, entry};
use super::variables::Variables;

/// No answer takes as long, and nothing that is asked again.
const PATIENCE: Duration = Duration::from_secs(20);
/// No case is answered with more.
const FRAME_MAX: usize = 16 << 20;
/// What the only broker says that has not loaded a coordinator yet: no case is about that.
const LOADING: [ErrorCode; 2] = [ErrorCode::CoordinatorLoadInProgress, ErrorCode::NotCoordinator];
/// What it says besides while something else is not done yet.
const BUSY: [ErrorCode; 2] = [ErrorCode::CoordinatorNotAvailable, ErrorCode::ConcurrentTransactions];
/// What is not ready yet is asked again after so long.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// What came of a request.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Heard {
    Answer(Json),
    /// Nothing, and the next request is answered.
    Nothing,
    /// The connection was closed.
    Closed,
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(answer) => write!(f, "{answer}"),
            Self::Nothing => f.write_str("no answer"),
            Self::Closed => f.write_str("closed"),
        }
    }
}

/// A broker.
#[derive(Debug)]
pub(super) struct Side {
    address: String,
    connections: BTreeMap<String, Connection>,
    /// Topics made in order to wait: Kafka's broker learns of changes in their order.
    barriers: u32,
    pub(super) variables: Variables,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    correlation_id: i32,
    sent: VecDeque<Sent>,
}

/// A request that is not answered yet.
#[derive(Debug, Clone, Copy)]
struct Sent {
    correlation_id: i32,
    api: ApiKey,
    version: i16,
}

impl Side {
    pub(super) fn new(address: &str) -> Self {
        let connections = BTreeMap::new();
        Self { address: address.to_owned(), connections, barriers: 0, variables: Variables::default() }
    }

    /// Has the coordinators of groups and of transactions, which begin when somebody asks for them.
    pub(super) fn prepare(&mut self) -> Result<()> {
        for kind in [0, 1] {
            let asked = changes(&format!("KeyType={kind} CoordinatorKeys=anybody"))?;
            self.must(ApiKey::FindCoordinator, 4, asked, &[])?;
        }
        Ok(())
    }

    /// Every case begins with fresh connections: nobody's session or wait is in its way.
    pub(super) fn hang_up(&mut self) {
        self.connections.clear();
    }

    /// Does one step. Something to compare comes of those that are asked for it.
    pub(super) fn step(&mut self, step: &Step, version: i16) -> Result<Option<Heard>> {
        let heard = match &step.act {
            Act::Topic { name, partitions, configs } => {
                self.topic(name, *partitions, configs)?;
                return Ok(None);
            }
            Act::Barrier => {
                self.barriers += 1;
                self.topic(&format!("barrier-{}-$run", self.barriers), 1, &[])?;
                return Ok(None);
            }
            Act::Send(asked) => {
                self.send(&step.on, asked, version)?;
                return Ok(None);
            }
            Act::Answer => self.answer(&step.on)?,
            Act::Request(asked) => self.request(step, asked, version)?,
        };
        for capture in &step.captures {
            self.capture(capture, &heard)?;
        }
        Ok(Some(heard).filter(|_| step.mode != Mode::Given))
    }

    fn capture(&mut self, capture: &Capture, heard: &Heard) -> Result<()> {
        let Capture { name, of, if_good } = capture;
        let answer = match heard {
            Heard::Answer(answer) => Some(answer),
            _ => None,
        };
        if *if_good && answer.is_none_or(is_error) {
            return Ok(());
        }
        let word = if of.starts_with(|sign: char| sign == '$' || sign.is_ascii_digit()) {
            sum(&self.variables.fill(of)?)?.to_string()
        } else {
            let value = answer.and_then(|answer| at(answer, of));
            let value = value.with_context(|| format!("no {of} in {heard:?}"))?;
            value.as_str().map_or_else(|| value.to_string(), str::to_owned)
        };
        self.variables.set(name, word);
        Ok(())
    }

    fn request(&mut self, step: &Step, asked: &Asked, version: i16) -> Result<Heard> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.send(&step.on, asked, version)?;
            let heard = self.answer(&step.on)?;
            let codes = match &heard {
                Heard::Answer(answer) => error_codes(answer),
                _ => Vec::new(),
            };
            let any =
                |of: &[ErrorCode]| codes.iter().any(|code| of.iter().any(|known| known.code() == *code));
            let again = match step.mode {
                Mode::Compared => any(&LOADING),
                Mode::Settled => any(&LOADING) || any(&BUSY),
                Mode::Until(code) => !any(&[code]),
                Mode::Given => codes.iter().any(|code| *code != 0) || heard == Heard::Closed,
            };
            if !again {
                return Ok(heard);
            }
            ensure!(Instant::now() < deadline, "it never succeeds at {}: {heard:?}", self.address);
            std::thread::sleep(ASK_AGAIN);
        }
    }

    fn send(&mut self, on: &str, asked: &Asked, version: i16) -> Result<()> {
        let version = asked.version.unwrap_or(version);
        let shape = entry(asked.api, Kind::Request)?;
        let flexible = version >= shape.flexible_from;
        let mut body = Vec::new();
        let form = Form { version, flexible, variables: &self.variables };
        form.fields(&mut body, shape.fields, &asked.fields)?;
        let version = damage(&mut body, asked.damage, version);
        let connection = self.connection(on)?;
        connection.send(asked.api, version, &body);
        Ok(())
    }

    /// The answer to what was sent first on a connection.
    fn answer(&mut self, on: &str) -> Result<Heard> {
        let address = self.address.clone();
        let connection = self.connection(on)?;
        let sent = connection.sent.pop_front().context("nothing was sent")?;
        let heard = connection
            .receive(sent)
            .with_context(|| format!("{} v{} at {address}", sent.api, sent.version))?;
        if heard == Heard::Closed {
            self.connections.remove(on);
        }
        Ok(heard)
    }

    fn connection(&mut self, on: &str) -> Result<&mut Connection> {
        if !self.connections.contains_key(on) {
            let connection = Connection::open(&self.address)?;
            self.connections.insert(on.to_owned(), connection);
        }
        self.connections.get_mut(on).context("no connection")
    }

    /// Makes a topic and waits until all its partitions answer.
    fn topic(&mut self, name: &str, partitions: i32, configs: &[(String, String)]) -> Result<()> {
        let id = if name.contains('$') { "topic" } else { name };
        let each = configs.iter().map(|(name, value)| format!("{{Name={name} Value={value}}}"));
        let configs = each.collect::<Vec<_>>().join(" ");
        let made = changes(&format!(
            "Topics={{Name={name} NumPartitions={partitions} ReplicationFactor=1 Configs=[{configs}]}}"
        ))?;
        self.must(ApiKey::CreateTopics, 7, made, &[(id, "Topics.TopicId")])?;
        let each = (0..partitions).map(|index| format!("{{PartitionIndex={index} Timestamp=-1}}"));
        let each = each.collect::<Vec<_>>().join(" ");
        let asked = changes(&format!("ReplicaId=-1 Topics={{Name={name} Partitions=[{each}]}}"))?;
        self.must(ApiKey::ListOffsets, 7, asked, &[])
    }

    fn must(&mut self, api: ApiKey, version: i16, fields: Changes, captures: &[(&str, &str)]) -> Result<()> {
        let asked = Asked { api, version: Some(version), fields: Fields(fields), damage: None };
        let capture = |&(name, path): &(&str, &str)| Capture {
            name: name.to_owned(),
            of: path.to_owned(),
            if_good: false,
        };
        let captures = captures.iter().map(capture).collect();
        let step = Step { act: Act::Request(asked), mode: Mode::Given, on: String::new(), captures };
        self.step(&step, version).map(drop)
    }
}

/// Does to a body what is to be wrong with it; the version that its header says.
fn damage(body: &mut Vec<u8>, damage: Option<Damage>, version: i16) -> i16 {
    match damage {
        None => {}
        Some(Damage::Cut) => drop(body.pop()),
        Some(Damage::Empty) => body.clear(),
        Some(Damage::Longer) => body.extend([1, 2, 3]),
        Some(Damage::Tag) => {
            // The count of tags at the end was none: now there is the tag 99 with one byte.
            body.pop();
            body.extend([1, 99, 1, 0]);
        }
        Some(Damage::Version(other)) => return other,
    }
    version
}

impl Connection {
    fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("cannot reach {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, correlation_id: 0, sent: VecDeque::new() })
    }

    /// A connection that is closed already shows when the answer is read.
    fn send(&mut self, api: ApiKey, version: i16, body: &[u8]) {
        self.correlation_id += 1;
        let correlation_id = self.correlation_id;
        let client_id = Some(Str::from("compare"));
        let header = RequestHeader { api_key: api, api_version: version, correlation_id, client_id };
        let mut writer = Writer::with_capacity(header.encoded_len());
        // A client id of seven letters can be written.
        let _ = header.encode(&mut writer);
        let (header, _) = writer.finish();
        let length = u32::try_from(header.len() + body.len()).unwrap_or(u32::MAX);
        let _ = self.stream.write_all(&[&length.to_be_bytes(), &header[..], body].concat());
        self.sent.push_back(Sent { correlation_id, api, version });
    }

    fn receive(&mut self, sent: Sent) -> Result<Heard> {
        // A Produce without acknowledgement is answered by silence, which shows by what comes after it.
        let probe = sent.api == ApiKey::Produce;
        if probe {
            self.send(ApiKey::ApiVersions, 0, &[]);
            self.sent.pop_back();
        }
        let Some(frame) = self.frame()? else { return Ok(Heard::Closed) };
        let mut reader = Reader::new(frame.clone());
        let refused = sent.api == ApiKey::ApiVersions && frame.get(4..6) == Some(&[0, 35]);
        let version = if refused { 0 } else { sent.version };
        let id = frame.first_chunk().map(|id| i32::from_be_bytes(*id)).context("no correlation id")?;
        if probe && id == self.correlation_id {
            return Ok(Heard::Nothing);
        }
        let header = ResponseHeader::decode(&mut reader, sent.api, version)?;
        ensure!(header.correlation_id == sent.correlation_id, "an answer to {id}");
        let body = frame.get(reader.position()..).context("no body")?;
        let shape = entry(sent.api, Kind::Response)?;
        let answer = decode::body(body, shape.fields, version, version >= shape.flexible_from)?;
        if probe && self.frame()?.is_none() {
            bail!("the connection was closed after the answer");
        }
        Ok(Heard::Answer(answer))
    }

    /// The next frame without its length; none if the connection is closed.
    fn frame(&mut self) -> Result<Option<Bytes>> {
        let mut length = [0; 4];
        match self.stream.read_exact(&mut length) {
            Ok(()) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error).context("no answer"),
        }
        let length = usize::try_from(i32::from_be_bytes(length))?;
        ensure!(length <= FRAME_MAX, "an answer of {length} bytes");
        let mut frame = vec![0; length];
        self.stream.read_exact(&mut frame)?;
        Ok(Some(frame.into()))
    }
}

/// Every error code in an answer.
fn error_codes(answer: &Json) -> Vec<i16> {
    fn add(answer: &Json, found: &mut Vec<i16>) {
        match answer {
            Json::Array(list) => list.iter().for_each(|element| add(element, found)),
            Json::Object(fields) => {
                for (name, value) in fields {
                    match value.as_i64() {
                        Some(code) if name.ends_with("ErrorCode") => found.push(code as i16),
                        _ => add(value, found),
                    }
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    add(answer, &mut found);
    found
}

/// Whether anything in it was refused.
pub(super) fn is_error(answer: &Json) -> bool {
    error_codes(answer).iter().any(|code| *code != 0)
}

/// The value at a path; of a list its first element, or the one whose number stands in the path.
pub(super) fn at<'a>(answer: &'a Json, path: &str) -> Option<&'a Json> {
    path.split('.').try_fold(answer, |value, name| match (value, name.parse::<usize>()) {
        (Json::Array(list), Ok(number)) => list.get(number),
        (Json::Array(list), Err(_)) => list.first()?.get(name),
        (value, _) => value.get(name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_go_through_lists_and_error_codes_are_found_anywhere() {
        let answer =
            json!({ "ErrorCode": 0, "Topics": [{ "Id": "a", "PartitionErrorCode": 6 }, { "Id": "b" }] });
        assert_eq!(at(&answer, "Topics.Id"), Some(&json!("a")));
        assert_eq!(at(&answer, "Topics.1.Id"), Some(&json!("b")));
        assert_eq!(at(&answer, "Topics.2.Id"), None);
        assert_eq!(error_codes(&answer), [0, 6]);
    }
}
