//! Subscriptions by regular expression: which topics an expression stands for is found out now and then, on a turn of its
//! own, and kept in the log. Until it is, the expression stands for none.
//!
//! Expressions are those of RE2/J, which Kafka uses: no expression takes longer than the text is long.

mod re2;

use std::sync::Arc;

use regex::RegexBuilder;

use super::counts::Counts;
use super::member::Member;
use super::metadata_hash;
use super::plan::{Plan, Refusal, Timed, refuse};
use crate::error::Error;
use crate::records::{ConsumerRecord, RegularExpression};
use crate::topics::Topics;

/// Expressions of a group are resolved no more often than this.
const REFRESH_MIN_MS: i64 = 10_000;
/// The most memory that one expression may take once it is understood.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// What a member's new expression means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is the old one.
    None,
    /// It is another one, which is not resolved yet.
    Unresolved,
    /// It is another one, and its topics are known.
    Resolved,
}

impl Plan<'_> {
    /// Takes note of the expression of a member, and asks for a look at all of them if that is due.
    pub(crate) fn update_expression(&mut self, before: &Member, after: &Member) -> Result<Change, Refusal> {
        let (old, new) = (before.expression(), after.expression());
        let (mut change, mut due) = (Change::None, false);
        if before.regex != after.regex {
            change = Change::Unresolved;
            if let Some(old) = old
                && self.group.expressions.of(old) == 1
            {
                self.write(ConsumerRecord::Regex { expression: old.clone(), value: None });
            }
            match new {
                Some(new) if self.group.expressions.of(new) == 0 => {
                    check(new)?;
                    due = true;
                }
                Some(new) if self.group.resolved(new).is_some() => change = Change::Resolved,
                None if old.is_some() => change = Change::Resolved,
                _ => {}
            }
        }
        if (due || !self.group.expressions.is_empty()) && self.is_due(due, old, new) {
            self.timed.push(Timed::Resolve);
        }
        Ok(change)
    }

    fn is_due(&self, new_one: bool, old: Option<&Arc<str>>, new: Option<&Arc<str>>) -> bool {
        let wall_ms = self.now.wall_ms;
        let last = self.group.all_resolved().next().map(|(_, resolved)| resolved.resolved_ms);
        if self.resolving || last.is_some_and(|last_ms| wall_ms <= last_ms.saturating_add(REFRESH_MIN_MS)) {
            return false;
        }
        let mut expressions: Counts = self.group.expressions.clone();
        if let Some(old) = old {
            expressions.take(old);
        }
        if let Some(new) = new {
            expressions.add(new);
        }
        let interval_ms = i64::from(self.settings.consumer.regex_refresh_interval_ms);
        let due = new_one
            || expressions.len() != self.group.all_resolved().len()
            || self.group.topics_resolved.is_none_or(|seen| seen < self.topics.last_created())
            || last.is_none_or(|last_ms| wall_ms > last_ms.saturating_add(interval_ms));
        due && !expressions.is_empty()
    }

    /// Finds out what all expressions of the group stand for.
    pub(crate) fn resolve(&mut self) {
        let (mut changed, mut matched) = (false, self.group.matched.clone());
        let names = self.topics.names();
        let expressions: Vec<Arc<str>> =
            self.group.expressions.iter().map(|(name, _)| name.clone()).collect();
        if expressions.is_empty() {
            return;
        }
        for expression in expressions {
            let topics = matches_of(&expression, &names);
            let before = self.group.resolved(&expression).map_or(&[][..], |resolved| &resolved.topics);
            if before != topics {
                changed = true;
                for topic in before {
                    matched.take(topic);
                }
                for topic in &topics {
                    matched.add(topic);
                }
            }
            let value = RegularExpression {
                topics,
                version: self.topics.version() as i64,
                resolved_ms: self.now.wall_ms,
            };
            self.write(ConsumerRecord::Regex { expression, value: Some(value) });
        }
        let hash = hash_of(&self.group.named, &matched, self.topics);
        if changed || hash != self.group.metadata_hash {
            self.raise_epoch(hash);
        }
    }
}

/// The hash of topics that are named or matched.
pub(crate) fn hash_of(named: &Counts, matched: &Counts, topics: &dyn Topics) -> i64 {
    let mut names: Vec<&Arc<str>> = named.iter().chain(matched.iter()).map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    metadata_hash::of(names, topics)
}

/// The topics whose whole name the expression matches, in order.
fn matches_of(expression: &str, names: &[Arc<str>]) -> Vec<Arc<str>> {
    // One that is not understood was let in by another program.
    let Ok(regex) = compile(expression) else { return Vec::new() };
    let mut topics: Vec<Arc<str>> = names.iter().filter(|name| regex.is_match(name)).cloned().collect();
    topics.sort();
    topics
}

/// The expression, to be held against whole names; or why it is none.
fn compile(expression: &str) -> Result<regex::Regex, String> {
    let translated = re2::translate(expression)?;
    // On its own first: brackets that close what was never opened must not close what is put around it.
    let build = |text: &str| RegexBuilder::new(text).size_limit(COMPILED_BYTES_MAX).build();
    build(&translated).map_err(|error| in_short(&error))?;
    build(&format!("^(?:{translated})$")).map_err(|error| in_short(&error))
}

/// The last line says what is wrong, those before it where.
fn in_short(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or("").trim().trim_start_matches("error: ").to_owned()
}

fn check(expression: &str) -> Result<(), Refusal> {
    let Err(reason) = compile(expression) else { return Ok(()) };
    let message = format!("SubscribedTopicRegex `{expression}` is not a valid regular expression: {reason}.");
    refuse(Error::InvalidRegularExpression, message)
}
