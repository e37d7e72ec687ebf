//! Where the lines of a dump go: text or JSON, and what is said only at the end.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::output::{Format, Out};

/// Lines of one file that are kept for the end; of more it is said how many there are.
const LATER_MAX: usize = 1000;

/// The page as it is being printed.
pub(super) struct Page<'o> {
    format: Format,
    out: &'o mut Out,
    file: PathBuf,
    damaged: u64,
    /// Kafka's headings for standard error, by file, with the lines below each.
    later: BTreeMap<(String, PathBuf), Later>,
}

#[derive(Debug, Default)]
struct Later {
    lines: Vec<String>,
    more: u64,
}

/// A line for programs.
#[derive(Serialize)]
struct Line<'a, T> {
    file: &'a Path,
    kind: &'static str,
    #[serde(flatten)]
    what: &'a T,
}

#[derive(Serialize)]
struct Damage<'a> {
    position: Option<u64>,
    what: &'a str,
}

impl<'o> Page<'o> {
    pub(super) fn new(format: Format, out: &'o mut Out) -> Self {
        Self { format, out, file: PathBuf::new(), damaged: 0, later: BTreeMap::new() }
    }

    /// From here on this file is printed.
    pub(super) fn file(&mut self, path: &Path) -> anyhow::Result<()> {
        self.file = path.to_path_buf();
        self.text(|| format!("Dumping {}", path.display()))
    }

    /// Whether lines are for programs.
    pub(super) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// A line for people alone.
    pub(super) fn text<T: Display>(&mut self, text: impl FnOnce() -> T) -> anyhow::Result<()> {
        if self.is_json() { Ok(()) } else { self.out.line(text()) }
    }

    /// A line: `text` for people, `what` for programs.
    pub(super) fn line<W: Serialize, T: Display>(
        &mut self,
        kind: &'static str,
        what: &W,
        text: impl FnOnce(&W) -> T,
    ) -> anyhow::Result<()> {
        match self.format {
            Format::Table => self.out.line(text(what)),
            Format::Json => self.out.json_line(&Line { file: &self.file, kind, what }),
        }
    }

    /// Bytes that are not what they should be.
    pub(super) fn damage(&mut self, position: Option<u64>, what: &str) -> anyhow::Result<()> {
        self.damaged += 1;
        self.line("damage", &Damage { position, what }, |damage| match damage.position {
            Some(position) => format!("! position {position}: {}", damage.what),
            None => format!("! {}", damage.what),
        })
    }

    /// The same, told at the end under a heading of Kafka's.
    pub(super) fn disagrees(&mut self, heading: &str, line: String) {
        self.damaged += 1;
        self.later(heading, line);
    }

    /// Something that is no damage, told at the end under a heading of Kafka's.
    pub(super) fn later(&mut self, heading: &str, line: String) {
        let path = std::path::absolute(&self.file).unwrap_or_else(|_| self.file.clone());
        let later = self.later.entry((heading.to_owned(), path)).or_default();
        if later.lines.len() < LATER_MAX {
            later.lines.push(line);
        } else {
            later.more += 1;
        }
    }

    /// How much was damaged, and what is to be said now.
    pub(super) fn end(self) -> anyhow::Result<(u64, Vec<String>)> {
        self.out.flush()?;
        let mut lines = Vec::new();
        for ((heading, path), later) in self.later {
            // Kafka's own signs before the name.
            lines.push(format!("{heading}{}", path.display()));
            lines.extend(later.lines);
            if later.more > 0 {
                lines.push(format!("  and {} more", later.more));
            }
        }
        Ok((self.damaged, lines))
    }
}
