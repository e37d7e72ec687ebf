//! What sequences of one kind are made of.
//!
//! ```text
//! # a comment
//! sequence 30                                   of so many steps
//! topic shared 2                                before all of them
//! init = InitProducerId 4 ...                   a name for a request
//! given init -> pid=ProducerId                  what every sequence begins with
//! step Heartbeat 4 GenerationId=<$generation|7> something that may be done; one of what stands in <> is taken
//! step 4 settled init => epoch=ProducerEpoch    four times as likely
//! step 2:                                       several that belong together
//!   EndTxn 3 ...
//!   settled EndTxn 3 ...
//! ```
//!
//! Steps are written as in cases. Besides, `=> @owned=Assignment.TopicPartitions` keeps a part of an answer, names in the
//! place of ids, as it is written in a request; `@owned` in a later step is that.

use anyhow::{Context as _, Result, bail, ensure};

use crate::parts::compare::differ::{Difference, Known};
use crate::parts::compare::script::blocks;
use crate::parts::compare::step::{Step, Words, split};

/// The longest that a file may ask for.
const LENGTH_MAX: usize = 1000;

/// A file.
#[derive(Debug)]
pub(super) struct Sequence {
    pub(super) name: String,
    pub(super) length: usize,
    pub(super) once: Vec<Step>,
    pub(super) given: Vec<String>,
    /// How likely, and the lines.
    pub(super) steps: Vec<(usize, Vec<String>)>,
    pub(super) words: Words,
    known: Vec<Known>,
}

impl Sequence {
    pub(super) fn parse(name: &str, text: &str, known: &[Known]) -> Result<Self> {
        let mut file = Self {
            name: name.to_owned(),
            length: 0,
            once: Vec::new(),
            given: Vec::new(),
            steps: Vec::new(),
            words: Words::default(),
            known: known.to_vec(),
        };
        for (at, block) in blocks(text) {
            let lines: Vec<String> = block.into_iter().map(|(_, line)| line).collect();
            file.block(&lines).with_context(|| format!("line {at}"))?;
        }
        ensure!((1..=LENGTH_MAX).contains(&file.length), "sequence 1 to {LENGTH_MAX} is missing");
        ensure!(!file.steps.is_empty(), "there are no steps");
        Ok(file)
    }

    fn block(&mut self, lines: &[String]) -> Result<()> {
        let (first, below) = lines.split_first().context("no line")?;
        let (word, rest) = split(first);
        match word.trim_end_matches(':') {
            "sequence" => self.length = rest.parse().with_context(|| format!("{rest} is no length"))?,
            "topic" => self.once.push(self.words.step(first)?),
            "given" => self.given.push(first.clone()),
            "step" => self.step(first, below)?,
            _ => {
                let ("=", asked) = split(rest) else { bail!("what is this: {first}") };
                let asked = self.words.asked(asked)?;
                self.words.named.insert(word.to_owned(), asked);
            }
        }
        Ok(())
    }

    fn step(&mut self, first: &str, below: &[String]) -> Result<()> {
        let has_lines = first.ends_with(':');
        ensure!(has_lines != below.is_empty(), "a step is one line, or has its lines below");
        let (_, rest) = split(first.trim_end_matches(':'));
        let (word, after) = split(rest);
        let (times, line) = word.parse().map_or((1, rest), |times| (times, after));
        ensure!(!has_lines || line.is_empty(), "what is this: {line}");
        let lines = if has_lines { below.to_vec() } else { vec![line.to_owned()] };
        self.steps.push((times, lines));
        Ok(())
    }

    /// Whether a difference is one that may be.
    pub(super) fn knows(&self, api: &str, found: &Difference) -> bool {
        self.known.iter().any(|row| row.matches(api, found))
    }
}
