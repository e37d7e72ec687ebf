//! Subscriptions by regular expression: which topics an expression stands for is found out now and then, aside (`lookup`),
//! and kept in the log (`resolve`). Until it is, the expression stands for none.
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
use crate::records::ConsumerRecord;
use crate::topics::Topics;

/// Expressions of a group are looked up no more often than this, whether or not what was found could be kept.
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
                    self.check_count(old)?;
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
        let (group, look) = (self.group, &self.group.look);
        let resolved = group.all_resolved();
        let last_ms = resolved.clone().next().map(|(_, resolved)| resolved.resolved_ms);
        let looked_ms = look.at_steady_ms.filter(|_| last_ms.is_some() || look.failed || look.left_out > 0);
        let ago_ms = self.now.since(last_ms.unwrap_or(0), looked_ms);
        if self.resolving || ago_ms.is_some_and(|ago_ms| ago_ms <= REFRESH_MIN_MS) {
            return false;
        }
        let mut expressions: Counts = group.expressions.clone();
        if let Some(old) = old {
            expressions.take(old);
        }
        if let Some(new) = new {
            expressions.add(new);
        }
        let interval_ms = i64::from(self.settings.consumer.regex_refresh_interval_ms);
        let due = new_one
            || expressions.len() != resolved.len() + look.left_out
            || look.topics_version.is_none_or(|seen| seen < self.topics.last_created())
            || ago_ms.is_none_or(|ago_ms| ago_ms > interval_ms);
        due && !expressions.is_empty()
    }

    /// Whether the group may have one expression more, `old` gone.
    fn check_count(&self, old: Option<&Arc<str>>) -> Result<(), Refusal> {
        let max = self.settings.limits.expressions;
        let gone = old.is_some_and(|old| self.group.expressions.of(old) == 1);
        if self.group.expressions.len() - usize::from(gone) < max {
            return Ok(());
        }
        let message = format!("The consumer group has reached its maximum of {max} regular expressions.");
        refuse(Error::GroupMaxSizeReached, message)
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
pub(crate) fn matches_of(expression: &str, names: &[Arc<str>]) -> Vec<Arc<str>> {
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
