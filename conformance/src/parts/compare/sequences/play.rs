//! A sequence at both brokers.

use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, Result};
use serde_json::Value as Json;

use super::file::Sequence;
use super::plan::plan;
use crate::parts::compare::Both;
use crate::parts::compare::differ::differences;
use crate::parts::compare::side::{Heard, at, is_error};
use crate::parts::compare::step::{Act, Step};

/// A sequence is played so often at most on the way to a short one.
const SHORTER_MAX: u32 = 80;
/// So much of an answer is shown.
const SHOWN_MAX: usize = 1000;

/// What came of a seed.
pub(super) enum Verdict {
    /// So many answers were compared.
    Alike(usize),
    Differ(String),
}

/// Plays what a seed says; where the brokers differ, the fewest of its steps at which they still do.
pub(super) fn verdict(both: &mut Both, file: &Sequence, seed: u64) -> Result<Verdict> {
    let mut steps = plan(file, seed)?;
    let began_ms = UNIX_EPOCH.elapsed().unwrap_or_default().as_millis();
    let mut plays = Plays { both, file, seed, count: 0, began_ms };
    let mut differs = match plays.play(&steps)? {
        Played::Alike(answers) => return Ok(Verdict::Alike(answers)),
        Played::Differs(differs) => differs,
    };
    steps.truncate(differs.step + 1);
    let mut size = steps.len().div_ceil(2);
    while size > 0 && plays.count < SHORTER_MAX {
        let mut at = 0;
        while at < steps.len() && plays.count < SHORTER_MAX {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + size).min(steps.len()));
            match plays.play(&fewer) {
                Ok(Played::Differs(again)) if again.at == differs.at => {
                    fewer.truncate(again.step + 1);
                    (steps, differs) = (fewer, again);
                }
                _ => at += size,
            }
        }
        size /= 2;
    }
    let lines: Vec<String> = steps.concat().iter().map(|line| format!("    {line}")).collect();
    let Differs { at, told, .. } = differs;
    Ok(Verdict::Differ(format!("seed {seed}: {at}, after\n{}\n{told}", lines.join("\n"))))
}

enum Played {
    Alike(usize),
    Differs(Differs),
}

/// The first difference of a sequence.
struct Differs {
    step: usize,
    /// The API and the field.
    at: String,
    told: String,
}

struct Plays<'b> {
    both: &'b mut Both,
    file: &'b Sequence,
    seed: u64,
    count: u32,
    began_ms: u128,
}

impl Plays<'_> {
    fn play(&mut self, steps: &[Vec<String>]) -> Result<Played> {
        self.count += 1;
        // Kafka may be one that was asked the same before.
        let run = format!("{}{}p{}t{}", self.file.name, self.seed, self.count, self.began_ms);
        self.both.begin(&run);
        let mut kept = BTreeMap::new();
        for line in &self.file.given {
            self.line(line, &mut kept).with_context(|| line.clone())?;
        }
        let mut answers = 0;
        for (step, lines) in steps.iter().enumerate() {
            for line in lines {
                let seed = self.seed;
                let so_far = || {
                    format!(
                        "seed {seed}:\n    {}",
                        steps.get(..=step).unwrap_or_default().concat().join("\n    ")
                    )
                };
                let found = self.line(line, &mut kept).with_context(so_far)?;
                match found {
                    Line::Silent => {}
                    Line::Alike => answers += 1,
                    Line::Differs { at, told } => return Ok(Played::Differs(Differs { step, at, told })),
                }
            }
        }
        Ok(Played::Alike(answers))
    }

    fn line(&mut self, line: &str, kept: &mut BTreeMap<String, String>) -> Result<Line> {
        let step = self.file.words.step(&filled(line, kept))?;
        let (keeping, naming) =
            step.captures.iter().cloned().partition(|capture| capture.name.starts_with('@'));
        let step = Step { captures: naming, ..step };
        let keeping: Vec<_> = keeping;
        let Some((ours, theirs)) = self.both.step(&step, 0)? else { return Ok(Line::Silent) };
        let (api, version) = match &step.act {
            Act::Request(asked) | Act::Send(asked) => (asked.api.name(), asked.version.unwrap_or(0)),
            _ => ("", 0),
        };
        let new = differences(&self.file.name, version, &ours, &theirs);
        if let Some(first) = new.iter().find(|found| !self.file.knows(api, found)) {
            let at = format!("{api} {}", first.path);
            let [ours, theirs] = [&ours, &theirs].map(|heard| cut(&heard.to_string()));
            return Ok(Line::Differs { at, told: format!("    ours:    {ours}\n    Kafka's: {theirs}") });
        }
        if let Heard::Answer(answer) = &ours
            && !is_error(answer)
        {
            for capture in keeping {
                let part = at(answer, &capture.of).filter(|part| !part.is_null());
                kept.extend(part.map(|part| (capture.name, written(part))));
            }
        }
        Ok(Line::Alike)
    }
}

enum Line {
    /// Nothing of it is compared.
    Silent,
    Alike,
    Differs {
        at: String,
        told: String,
    },
}

fn cut(text: &str) -> String {
    text.chars().take(SHOWN_MAX).collect()
}

/// The line with what was kept of answers in the place of its names; what was not kept yet is nothing.
fn filled(line: &str, kept: &BTreeMap<String, String>) -> String {
    let (before, captures) = line.split_once(" => ").unwrap_or((line, ""));
    let mut parts = before.split('@');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|sign: char| !sign.is_ascii_alphanumeric()).unwrap_or(part.len());
        let (name, rest) = part.split_at(end);
        filled += kept.get(&format!("@{name}")).map_or("[]", String::as_str);
        filled += rest;
    }
    if captures.is_empty() { filled } else { format!("{filled} => {captures}") }
}

/// A part of an answer as it is written in a request.
fn written(value: &Json) -> String {
    match value {
        Json::Array(list) => format!("[{}]", list.iter().map(written).collect::<Vec<_>>().join(" ")),
        Json::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name}={}", written(value))).collect();
            format!("{{{}}}", fields.join(" "))
        }
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_kept_is_written_as_in_a_request() {
        let part = json!([{ "TopicId": "$orders", "Partitions": [0, 2] }]);
        let kept = BTreeMap::from([("@owned".to_owned(), written(&part))]);
        assert_eq!(
            filled("Beat 0 Topics=@owned Other=@other => @owned=Assignment.T", &kept),
            "Beat 0 Topics=[{Partitions=[0 2] TopicId=$orders}] Other=[] => @owned=Assignment.T"
        );
    }
}
