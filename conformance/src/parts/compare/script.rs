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

use std::ops::RangeInclusive;

use anyhow::{Context as _, Result, bail, ensure};
use pagewire_wire::ApiKey;
use pagewire_wire::testing::Kind;
use pagewire_wire::testing::shape::Field;

use super::notation::{Fields, changes};
use super::step::{Act, Asked, Damage, Mode, Step, Words, entry, split};

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
pub(super) type Block = Vec<(usize, String)>;

pub(super) fn blocks(text: &str) -> Vec<(usize, Block)> {
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
    words: Words,
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
        Ok(Self { script, words: Words { api: Some(api), ..Words::default() } })
    }

    fn block(&mut self, block: &Block) -> Result<()> {
        let (_, first) = block.first().context("no line")?;
        let (word, rest) = split(first);
        if let ("=", asked) = split(rest) {
            let asked = self.words.asked(asked)?;
            self.words.named.insert(word.to_owned(), asked);
        } else if matches!(word, "given" | "topic") {
            let step = self.words.step(first)?;
            self.script.given.push(step);
        } else if word == "unsent" {
            let (name, why) = split(rest);
            self.script.unsent.push((name.to_owned(), why.to_owned()));
        } else if word == "base" {
            self.words.base = Fields(changes(rest)?);
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
            let steps = vec![self.compared(self.words.base.with(&changes)?)];
            return Ok(Case { name: name.to_owned(), versions, steps });
        }
        ensure!(!below.is_empty(), "a case without steps");
        let rest = rest.trim_end_matches(':').trim();
        ensure!(rest.is_empty(), "what is this: {rest}");
        let steps: Vec<Step> = below.iter().map(|(_, line)| self.words.step(line)).collect::<Result<_>>()?;
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
    use pagewire_wire::ErrorCode;

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
