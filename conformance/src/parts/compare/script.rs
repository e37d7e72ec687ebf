//! A file of cases: the requests of one API, and what must be there before they make sense.
//!
//! ```text
//! # a comment
//! api Fetch 4 11 18                        the API and the versions of it that are compared
//! topic orders 2 segment.bytes=1048576     a topic; its id is $orders
//! given Produce 9 Acks=-1 ...              a request that must succeed, asked again until it does; not compared
//! batch = Produce 9 Acks=-1 ...            a name for a request, for the lines below
//! base MaxWaitMs=0 Topics={...}            the request that cases change
//! unsent records_null Kafka never answers  what is not sent, and why
//!
//! past_the_end Topics.Partitions.FetchOffset=99       a case: the base with changes, in each version that has them
//! only_there @9-18 Topics.Partitions.LeaderEpoch=1    the same in some of the versions, or in others: @7,8
//! in_steps:                                           a case of several requests, in this order
//!   given batch Acks=1                                one that must succeed
//!   settled batch Acks=1                              asked again while the coordinator is busy, then compared
//!   until FENCED_EPOCH * Epoch=1                      asked again until it answers with that error, then compared
//!   * MaxWaitMs=1 -> session=SessionId                the base in the version; $session is what it answered
//!   Heartbeat 4 GroupId=g-$run                        another API, or this in one version; $run is new each time
//!   on second send * ...                              on another connection, without waiting
//!   on second answer                                  what was sent there is answered now
//!   barrier                                           the broker has heard of all changes before this
//! ```
//!
//! A line goes on where the next is indented further. A case whose changes no compared version has is an error.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use anyhow::{Context as _, Result, bail, ensure};
use pagewire_wire::testing::shape::Field;
use pagewire_wire::testing::{ALL, Entry, Kind};
use pagewire_wire::{ApiKey, ErrorCode};

use super::notation::{Fields, changes};

/// A file of cases.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) api: ApiKey,
    /// The lowest, one in the middle and the highest, or fewer.
    pub(super) versions: Vec<i16>,
    pub(super) given: Vec<Step>,
    pub(super) cases: Vec<Case>,
    /// What is not sent, and why.
    pub(super) unsent: Vec<(String, String)>,
}

/// A case, in some versions.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) versions: Vec<i16>,
    pub(super) steps: Vec<Step>,
}

/// One thing that is done.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) act: Act,
    pub(super) mode: Mode,
    /// The name of a connection.
    pub(super) on: String,
    /// Variables and the paths of the answer whose values they take.
    pub(super) captures: Vec<(String, String)>,
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

/// Reads a file.
pub(super) fn parse(text: &str) -> Result<Script> {
    let mut file: Option<File> = None;
    for (at, block) in blocks(text) {
        let line = || format!("line {at}: {}", block.first().map_or("", |(_, line)| line.as_str()));
        match &mut file {
            None => file = Some(File::open(&block).with_context(line)?),
            Some(file) => file.block(&block).with_context(line)?,
        }
    }
    let mut script = file.context("an empty file")?.script;
    let frames = frames(&script)?;
    script.cases.extend(frames);
    Ok(script)
}

/// A line at the margin with those that are indented below it, each with what continues it; comments are gone.
type Block = Vec<(usize, String)>;

fn blocks(text: &str) -> Vec<(usize, Block)> {
    let mut blocks: Vec<(usize, Block)> = Vec::new();
    for (at, raw) in text.lines().enumerate() {
        let line = raw.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let indent = raw.len() - raw.trim_start().len();
        match blocks.last_mut().filter(|_| indent > 0) {
            None => blocks.push((at + 1, vec![(0, line.to_owned())])),
            Some((_, block)) => {
                let in_steps = block.first().is_some_and(|(_, first)| first.ends_with(':'));
                match block.last_mut() {
                    Some((before, last)) if !in_steps || (*before > 0 && indent > *before) => {
                        *last = format!("{last} {line}");
                    }
                    _ => block.push((indent, line.to_owned())),
                }
            }
        }
    }
    blocks
}

/// A file that is being read.
struct File {
    script: Script,
    base: Fields,
    named: BTreeMap<String, Asked>,
}

impl File {
    fn open(block: &Block) -> Result<Self> {
        let (_, line) = block.first().context("no line")?;
        let mut words = line.split_whitespace();
        ensure!(words.next() == Some("api"), "the first line is not: api NAME VERSION...");
        let name = words.next().context("no name")?;
        let api = ApiKey::from_name(name).with_context(|| format!("no API is named {name}"))?;
        let versions = words.map(str::parse).collect::<Result<Vec<i16>, _>>()?;
        ensure!(!versions.is_empty() && versions.is_sorted(), "versions are not in order");
        let script = Script { api, versions, given: Vec::new(), cases: Vec::new(), unsent: Vec::new() };
        Ok(Self { script, base: Fields::default(), named: BTreeMap::new() })
    }

    fn block(&mut self, block: &Block) -> Result<()> {
        let (_, first) = block.first().context("no line")?;
        let (word, rest) = split(first);
        if let ("=", asked) = split(rest) {
            let asked = self.asked(asked)?;
            self.named.insert(word.to_owned(), asked);
        } else if matches!(word, "given" | "topic") {
            let step = self.step(first)?;
            self.script.given.push(step);
        } else if word == "unsent" {
            let (name, why) = split(rest);
            self.script.unsent.push((name.to_owned(), why.to_owned()));
        } else if word == "base" {
            self.base = Fields(changes(rest)?);
        } else {
            let case = self.case(word, rest, block.get(1..).unwrap_or_default())?;
            ensure!(
                self.script.cases.iter().all(|known| known.name != case.name),
                "{} is there already",
                case.name
            );
            self.script.cases.push(case);
        }
        Ok(())
    }

    fn case(&self, word: &str, rest: &str, below: &[(usize, String)]) -> Result<Case> {
        let name = word.trim_end_matches(':');
        let has_steps = word.ends_with(':') || rest.ends_with(':');
        let (versions, rest) = self.versions(rest)?;
        if !has_steps {
            ensure!(below.is_empty(), "steps of a case that says of none: its first line ends with a colon");
            let changes = changes(rest)?;
            let shape = entry(self.script.api, Kind::Request)?.fields;
            let has = |version: &i16| {
                changes.is_empty() || changes.iter().any(|(path, _)| exists(shape, path, *version))
            };
            let versions: Vec<i16> = versions.into_iter().filter(has).collect();
            ensure!(!versions.is_empty(), "no compared version has these fields");
            let steps = vec![self.compared(self.base.with(&changes)?)];
            return Ok(Case { name: name.to_owned(), versions, steps });
        }
        ensure!(!below.is_empty(), "a case without steps");
        let rest = rest.trim_end_matches(':').trim();
        ensure!(rest.is_empty(), "what is this: {rest}");
        let steps: Vec<Step> = below.iter().map(|(_, line)| self.step(line)).collect::<Result<_>>()?;
        Ok(Case { name: name.to_owned(), versions, steps })
    }

    /// The versions a case is run in, and what follows them.
    fn versions<'t>(&self, rest: &'t str) -> Result<(Vec<i16>, &'t str)> {
        let Some(spec) = rest.strip_prefix('@') else { return Ok((self.script.versions.clone(), rest)) };
        let (spec, rest) = split(spec);
        let spec = spec.trim_end_matches(':');
        let found = match spec.split_once('-') {
            Some((first, last)) => {
                let range: RangeInclusive<i16> = first.parse()?..=last.parse()?;
                self.script.versions.iter().copied().filter(|version| range.contains(version)).collect()
            }
            None => spec.split(',').map(str::parse).collect::<Result<Vec<i16>, _>>()?,
        };
        ensure!(!found.is_empty(), "no compared version lies in {spec}");
        Ok((found, rest))
    }

    fn compared(&self, fields: Fields) -> Step {
        let asked = Asked { api: self.script.api, version: None, fields, damage: None };
        Step { act: Act::Request(asked), mode: Mode::Compared, on: String::new(), captures: Vec::new() }
    }

    fn step(&self, line: &str) -> Result<Step> {
        let (line, captures) = line.split_once(" -> ").unwrap_or((line, ""));
        let captures = captures.split_whitespace().map(|word| {
            let (name, path) = word.split_once('=').with_context(|| format!("{word} is no NAME=PATH"))?;
            Ok((name.to_owned(), path.to_owned()))
        });
        let captures = captures.collect::<Result<Vec<_>>>()?;
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
    fn asked(&self, text: &str) -> Result<Asked> {
        let (word, rest) = split(text);
        if word == "*" {
            let fields = self.base.with(&changes(rest)?)?;
            return Ok(Asked { api: self.script.api, version: None, fields, damage: None });
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

fn split(text: &str) -> (&str, &str) {
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

/// Whether a version has all the fields of this path.
fn exists(shape: &'static [Field], path: &str, version: i16) -> bool {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let Some(field) = shape.iter().find(|field| field.name == name && field.is_in(version)) else {
        return false;
    };
    rest.is_none_or(|rest| field.ty.fields().is_some_and(|inner| exists(inner, rest, version)))
}

/// What every API is asked besides its own cases: its base in frames that are not right.
fn frames(script: &Script) -> Result<Vec<Case>> {
    let Some(base) = script.cases.first().and_then(|case| case.steps.last()) else {
        bail!("a file without cases");
    };
    let Act::Request(asked) = &base.act else { bail!("the first case ends without a request") };
    let case = |name: &str, versions: &[i16], damage: Damage| {
        let asked = Asked { damage: Some(damage), ..asked.clone() };
        let step = Step { act: Act::Request(asked), ..base.clone() };
        Case { name: name.to_owned(), versions: versions.to_vec(), steps: vec![step] }
    };
    let (lowest, highest) = script.versions.first().zip(script.versions.last()).context("no versions")?;
    let flexible: Vec<i16> =
        script.versions.iter().copied().filter(|version| script.api.is_flexible(*version)).collect();
    let mut cases = vec![
        case("frame_without_its_last_byte", &script.versions, Damage::Cut),
        case("frame_without_a_body", &script.versions, Damage::Empty),
        case("frame_with_more_after_the_body", &script.versions, Damage::Longer),
        case("version_above", &[*highest], Damage::Version(highest + 1)),
        case("version_below", &[*lowest], Damage::Version(lowest - 1)),
    ];
    if !flexible.is_empty() {
        cases.push(case("frame_with_an_unknown_tag", &flexible, Damage::Tag));
    }
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
# Heartbeats
api Heartbeat 0 2 4
topic orders 2 a=b
join = JoinGroup 9 GroupId=g
  SessionTimeoutMs=1
base GroupId=g GenerationId=1
plain
instance GroupInstanceId=i
some @0-2 GenerationId=2
in_steps:
  given join MemberId=m
      Reason=r -> member=MemberId
  on b send * MemberId=$member
  on b answer
  until UNKNOWN_MEMBER_ID *
in_steps_of_some @2,4:
  *
  * GenerationId=2
";

    #[test]
    fn a_file_is_read_as_it_says() {
        let script = parse(TEXT).expect("good");
        let known = |name: &str| script.cases.iter().find(|case| case.name == name).expect("a case");
        assert_eq!(script.given.len(), 1);
        assert_eq!(known("plain").versions, [0, 2, 4]);
        assert_eq!(known("instance").versions, [4], "only that version has the field");
        assert_eq!(known("some").versions, [0, 2]);
        assert_eq!(known("version_above").versions, [4]);
        let steps = &known("in_steps").steps;
        assert_eq!(steps.len(), 4);
        assert_eq!(steps[3].mode, Mode::Until(ErrorCode::UnknownMemberId));
        let Act::Request(joins) = &steps[0].act else { panic!("{steps:?}") };
        assert_eq!((joins.fields.0.len(), steps[0].captures.len()), (4, 1));
        assert!(matches!((&steps[1].act, steps[1].on.as_str()), (Act::Send(_), "b")));
        let some = known("in_steps_of_some");
        assert_eq!((some.versions.as_slice(), some.steps.len()), (&[2, 4][..], 2));
    }

    #[test]
    fn what_makes_no_sense_is_an_error_with_its_line() {
        for wrong in [
            "",
            "api Nobody 1",
            "api Heartbeat 4 0",
            "api Heartbeat 0\nx Groups=1\n",
            "api Heartbeat 0\nx:\n",
            "api Heartbeat 0\nx:\n  until NOBODY *\n",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        let wrong = parse("api Heartbeat 0 4\nok\ntwice\ntwice\n").expect_err("a case twice");
        assert!(format!("{wrong:#}").contains("line 4"), "{wrong:#}");
    }
}
