//! What this program writes down of a log beside Kafka's files: numbers of a segment, or of transactions.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::Path;

use pagewire_disk::Disk;
use pagewire_log::files::{Noted, read_noted};
use serde::Serialize;
use serde_json::{Map, Value};

use super::page::Page;

#[derive(Serialize)]
struct Line {
    offset: i64,
    #[serde(flatten)]
    numbers: Map<String, Value>,
}

/// Prints the file, if it is one of these.
pub(super) fn dump(disk: &dyn Disk, path: &Path, page: &mut Page<'_>) -> anyhow::Result<bool> {
    match read_noted(disk, path) {
        Ok(None) => Ok(false),
        Ok(Some(noted)) => {
            noted.iter().try_for_each(|noted| page.line("noted", &line(noted), |_| text(noted)))?;
            Ok(true)
        }
        // A restore and an import leave it so.
        Err(error) if error.kind() == ErrorKind::InvalidData && disk.file_len(path)? == 0 => {
            page.line("text", &Empty { line: EMPTY }, |_| EMPTY)?;
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::InvalidData => page
            .damage(None, "its checksum does not hold: it says nothing, and the next start looks at the log")
            .map(|()| true),
        Err(error) => Err(error.into()),
    }
}

#[derive(Serialize)]
struct Empty {
    line: &'static str,
}

const EMPTY: &str = "empty: the next start looks at the whole log";

fn line(noted: &Noted) -> Line {
    let numbers = noted.numbers.iter().map(|(name, number)| ((*name).to_owned(), Value::from(*number)));
    Line { offset: noted.offset, numbers: numbers.collect() }
}

fn text(noted: &Noted) -> String {
    let mut text = format!("offset: {}", noted.offset);
    for (name, number) in &noted.numbers {
        // A string takes whatever is written.
        let _ = write!(text, " {name}: {number}");
    }
    text
}
