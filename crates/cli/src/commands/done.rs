//! What became of several things that were to be changed: a line each for people, one array for programs.

use std::fmt::Display;

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::failures::Failures;
use crate::output::{Format, Out};

/// One of them, as JSON: `{"topic": "orders", "deleted": true, "dry_run": false, "error": null}`.
#[derive(Debug)]
struct Row {
    thing: &'static str,
    name: String,
    verb: &'static str,
    is_done: bool,
    dry_run: bool,
    error: Option<String>,
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry(self.thing, &self.name)?;
        map.serialize_entry(self.verb, &self.is_done)?;
        map.serialize_entry("dry_run", &self.dry_run)?;
        map.serialize_entry("error", &self.error)?;
        map.end()
    }
}

/// All of them so far.
#[derive(Debug)]
pub(super) struct Done {
    thing: &'static str,
    verb: &'static str,
    dry_run: bool,
    format: Format,
    rows: Vec<Row>,
    failures: Failures,
}

impl Done {
    /// Nothing yet of so many. `thing` and `verb` are keys of the JSON: `topic`, `deleted`.
    pub(super) fn of(count: usize, (thing, verb): (&'static str, &'static str), format: Format) -> Self {
        Self { thing, verb, dry_run: false, format, rows: Vec::new(), failures: Failures::of(count) }
    }

    /// Nothing is done, it is only checked whether it could be.
    pub(super) fn only_checked(self, dry_run: bool) -> Self {
        Self { dry_run, ..self }
    }

    /// One was done, or could be.
    pub(super) fn note(&mut self, name: &str, words: impl Display, out: &mut Out) -> anyhow::Result<()> {
        self.push(name, !self.dry_run, None);
        self.line(name, words, out)
    }

    /// There was nothing to do for one, and that is no error.
    pub(super) fn pass(&mut self, name: &str, words: impl Display, out: &mut Out) -> anyhow::Result<()> {
        self.push(name, false, None);
        self.line(name, words, out)
    }

    /// One failed.
    pub(super) fn fail(&mut self, name: &str, error: impl Into<anyhow::Error>, hint: impl Display) {
        let error = error.into();
        self.push(name, false, Some(format!("{error:#}{hint}")));
        self.failures.note(error, hint);
    }

    /// Prints what programs read, and says how it went on the whole.
    pub(super) fn end(self, out: &mut Out) -> anyhow::Result<()> {
        if self.format == Format::Json {
            out.json(&self.rows)?;
        }
        out.flush()?;
        self.failures.end()
    }

    fn push(&mut self, name: &str, is_done: bool, error: Option<String>) {
        let (thing, verb, dry_run) = (self.thing, self.verb, self.dry_run);
        self.rows.push(Row { thing, name: name.to_owned(), verb, is_done, dry_run, error });
    }

    fn line(&self, name: &str, words: impl Display, out: &mut Out) -> anyhow::Result<()> {
        match self.format {
            Format::Table => out.line(format_args!("{name}: {words}")),
            Format::Json => Ok(()),
        }
    }
}
