//! One step of a case, and how it is written: `on second until REBALANCE_IN_PROGRESS Heartbeat 3 GroupId=g -> epoch=Epoch`.
//!
//! ```text
//! STEP   WORDS WHAT [-> NAME=PATH ...] [=> NAME=PATH ...]
//! WORDS  given | settled | until ERROR | on CONNECTION | send
//! WHAT   * CHANGES | NAMED CHANGES | API VERSION FIELDS | answer | barrier | topic NAME PARTITIONS SETTING=VALUE ...
//! ```
//!
//! `->` gives names to what the answer says, `=>` does where the answer has no error in it: to the value at a path of the answer,
//! or to a sum, `=> next=$next+1`.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use pagewire_wire::testing::{ALL, Entry, Kind};
use pagewire_wire::{ApiKey, ErrorCode};

use super::notation::{Fields, changes};

/// One thing that is done.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) act: Act,
    pub(super) mode: Mode,
    /// The name of a connection.
    pub(super) on: String,
    /// What becomes of the answer besides.
    pub(super) captures: Vec<Capture>,
}

/// A variable, and what it takes of the answer: the value at a path, or a sum of what has a name already.
#[derive(Debug, Clone)]
pub(super) struct Capture {
    pub(super) name: String,
    pub(super) of: String,
    /// Only of an answer that has no error in it.
    pub(super) if_good: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Act {
    Topic {
        name: String,
        partitions: i32,
        configs: Vec<(String, String)>,
    },
    /// Waits until the broker has heard of everything that was changed before.
    Barrier,
    Request(Asked),
    /// Sends only.
    Send(Asked),
    /// Waits for what was sent.
    Answer,
}

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) api: ApiKey,
    /// `None`: the version that the case is run in.
    pub(super) version: Option<i16>,
    pub(super) fields: Fields,
    pub(super) damage: Option<Damage>,
}

/// What is wrong with a frame besides its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    /// Its last byte is missing.
    Cut,
    /// There is nothing after the header.
    Empty,
    /// There are bytes after the body.
    Longer,
    /// A tagged field that nobody knows, in flexible versions.
    Tag,
    /// A version that nobody has, in the header alone.
    Version(i16),
}

/// What becomes of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It must be without an error, in the end.
    Given,
    /// It is compared when it says neither that the coordinator is busy nor that it is loading.
    Settled,
    /// It is compared when it says this: what another connection sent was heard then.
    Until(ErrorCode),
    Compared,
}

/// The request's or response's row.
pub(super) fn entry(api: ApiKey, kind: Kind) -> Result<&'static Entry> {
    let wanted = |entry: &&Entry| entry.kind == kind && entry.key == Some(api.code());
    ALL.iter().find(wanted).with_context(|| format!("{api} has no schema"))
}

/// What the words of steps mean.
#[derive(Debug, Clone, Default)]
pub(super) struct Words {
    /// What `*` asks.
    pub(super) api: Option<ApiKey>,
    pub(super) base: Fields,
    pub(super) named: BTreeMap<String, Asked>,
}

impl Words {
    pub(super) fn step(&self, line: &str) -> Result<Step> {
        let (line, if_good) = line.split_once(" => ").unwrap_or((line, ""));
        let (line, always) = line.split_once(" -> ").unwrap_or((line, ""));
        let mut captures = captured(always, false)?;
        captures.extend(captured(if_good, true)?);
        let (mut mode, mut on, mut send, mut rest) = (Mode::Compared, String::new(), false, line);
        let act = loop {
            let (word, after) = split(rest);
            match word {
                "given" => mode = Mode::Given,
                "settled" => mode = Mode::Settled,
                "until" => {
                    let (name, after) = split(after);
                    let code = ErrorCode::all().find(|code| code.name() == name);
                    mode = Mode::Until(code.with_context(|| format!("no error is named {name}"))?);
                    rest = after;
                    continue;
                }
                "send" => send = true,
                "on" => {
                    let (name, after) = split(after);
                    name.clone_into(&mut on);
                    rest = after;
                    continue;
                }
                "answer" => break Act::Answer,
                "barrier" => break Act::Barrier,
                "topic" => break topic(after)?,
                _ if send => break Act::Send(self.asked(rest)?),
                _ => break Act::Request(self.asked(rest)?),
            }
            rest = after;
        };
        Ok(Step { act, mode, on, captures })
    }

    /// `* CHANGES`, `NAME CHANGES` or `API VERSION FIELDS`.
    pub(super) fn asked(&self, text: &str) -> Result<Asked> {
        let (word, rest) = split(text);
        if word == "*" {
            let fields = self.base.with(&changes(rest)?)?;
            return Ok(Asked {
                api: self.api.context("no API is what * stands for")?,
                version: None,
                fields,
                damage: None,
            });
        }
        if let Some(named) = self.named.get(word) {
            let fields = named.fields.with(&changes(rest)?)?;
            return Ok(Asked { fields, ..named.clone() });
        }
        let api = ApiKey::from_name(word).with_context(|| format!("no API or request is named {word}"))?;
        let (version, rest) = split(rest);
        let version = Some(version.parse().with_context(|| format!("{version} is no version"))?);
        Ok(Asked { api, version, fields: Fields(changes(rest)?), damage: None })
    }
}

fn captured(text: &str, if_good: bool) -> Result<Vec<Capture>> {
    let one = |word: &str| {
        let (name, of) = word.split_once('=').with_context(|| format!("{word} is no NAME=PATH"))?;
        Ok(Capture { name: name.to_owned(), of: of.to_owned(), if_good })
    };
    text.split_whitespace().map(one).collect()
}

/// The first word, and what follows it.
pub(super) fn split(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

fn topic(text: &str) -> Result<Act> {
    let mut words = text.split_whitespace();
    let (name, partitions) = (words.next().context("no name")?, words.next().context("no partitions")?);
    let configs = words.map(|word| {
        let (name, value) = word.split_once('=').with_context(|| format!("{word} is no NAME=VALUE"))?;
        Ok((name.to_owned(), value.to_owned()))
    });
    let configs = configs.collect::<Result<_>>()?;
    Ok(Act::Topic { name: name.to_owned(), partitions: partitions.parse()?, configs })
}
