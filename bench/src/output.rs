//! Where results go as soon as they are there: Markdown on standard output, and a JSON object a line in a file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pagewire_lab::record::{DriveCell, Machine};
use serde::{Deserialize, Serialize};

use crate::report;
use crate::table::Table;

/// What a run was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// When it began.
    pub(crate) began: String,
    /// What this bench was built from.
    pub(crate) commit: String,
    /// What our broker says of itself, and of the commit that it was built from. Older runs do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) broker: Option<String>,
    /// Where, and what else it did at the beginning.
    pub(crate) machine: Machine,
    /// Whether nobody but the run was in its network, in which nobody is paced.
    #[serde(default)]
    pub(crate) own_network: bool,
    /// Why brokers that do not choose a congestion control were paced, if they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) paced: Option<String>,
    /// That the machine did something else when it began, if so, though that was waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) busy: Option<String>,
    /// The command's words.
    #[serde(default)]
    pub(crate) arguments: Vec<String>,
    /// What ran beside ours, and the versions of it and of what it runs on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) versions: BTreeMap<String, String>,
    /// How the brokers were started that were, with the settings that they got beside.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) commands: BTreeMap<String, Vec<String>>,
    pub(crate) rounds: usize,
    pub(crate) warm_up: usize,
    pub(crate) seconds: u64,
    pub(crate) mib: u64,
}

impl Run {
    /// Where it was, and whether something else was done there.
    pub(crate) fn place(&self) -> String {
        let busy = self.busy.as_ref().map(|busy| format!(". {busy}")).unwrap_or_default();
        format!("{}{busy}", report::on(&self.machine))
    }
}

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Line {
    /// The first one.
    Run(Box<Run>),
    /// Of the whole run, before the table of the case that it was first seen in.
    Note(Note),
    /// Of a load on a broker, before its table: all figures, each round's, and the distribution of latencies.
    Cell(Box<DriveCell>),
    Table(Table),
}

/// What must be known to read a run: what paces a broker, whose CPU is unknown. It is told once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) text: String,
    /// The case that it was first seen in, if that had begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) case: Option<String>,
}

impl Display for Note {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.case {
            Some(case) => write!(out, "{} (first seen in {case})", self.text),
            None => out.write_str(&self.text),
        }
    }
}

/// Where they go.
pub(crate) struct Output {
    json: Option<(PathBuf, File)>,
    noted: BTreeSet<String>,
}

impl Output {
    /// Begins: the file is made anew.
    pub(crate) fn begin(run: Run, json: Option<&Path>) -> Result<Self> {
        println!("{}\n", run.place());
        let open = |path: &Path| {
            let file = File::create(path).with_context(|| path.display().to_string())?;
            Ok::<_, anyhow::Error>((path.to_path_buf(), file))
        };
        let mut output = Self { json: json.map(open).transpose()?, noted: BTreeSet::new() };
        output.line(&Line::Run(Box::new(run)))?;
        Ok(output)
    }

    /// Something of the whole run, unless it was told already.
    pub(crate) fn note(&mut self, text: String, case: Option<&str>) -> Result<()> {
        if !self.noted.insert(text.clone()) {
            return Ok(());
        }
        let note = Note { text, case: case.map(str::to_owned) };
        println!("{note}\n");
        self.line(&Line::Note(note))
    }

    /// What a load came to on a broker.
    pub(crate) fn cell(&mut self, cell: &DriveCell) -> Result<()> {
        self.line(&Line::Cell(Box::new(cell.clone())))
    }

    /// A case is over.
    pub(crate) fn table(&mut self, table: Table) -> Result<()> {
        println!("## {}: {}\n\n{table}", table.case, table.what);
        self.line(&Line::Table(table))
    }

    fn line(&mut self, line: &Line) -> Result<()> {
        let Some((path, file)) = &mut self.json else { return Ok(()) };
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        file.write_all(&text).with_context(|| path.display().to_string())
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    pub(crate) fn run() -> Run {
        Run {
            began: "2026-01-02T03:04:05Z".into(),
            commit: "abc".into(),
            broker: None,
            machine: pagewire_lab::machine::here(Path::new("/")),
            own_network: true,
            paced: None,
            busy: None,
            arguments: vec!["produce".into()],
            versions: [("java".to_owned(), "21".to_owned())].into(),
            commands: BTreeMap::new(),
            rounds: 3,
            warm_up: 2,
            seconds: 5,
            mib: 1024,
        }
    }
    /// A load of which nothing is known but how its latencies lay.
    pub(crate) fn cell(machine: &Machine) -> DriveCell {
        let cell = serde_json::json!({
            "broker": "ours", "case": "produce", "settings": {}, "figures": {}, "latency_us": {},
            "distribution": [[50.0, 200.0], [100.0, 900.0]], "timeline": [], "rounds": 3, "machine": machine,
        });
        serde_json::from_value(cell).unwrap()
    }
}
