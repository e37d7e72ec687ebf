//! Reading a manifest: all of it is believed, or nothing.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Component, Path};

use super::{FORMAT, Line, MANIFEST_FILE, Manifest, sealed, wrong};
use crate::backup::BackupFailed;

/// What that means.
const WITHOUT: &str = ". Nothing can be restored without it: take another one, or, if there is none, serve a copy of this directory \
                       without backup.json, as after a kill (docs/backup.md says what that lacks)";
/// A log of a million segments has a line shorter than this.
const LINE_MAX: u64 = 1 << 30;

impl Manifest {
    /// Reads it, and believes it only if it is whole and names nothing outside of its directory.
    pub(in crate::backup) fn read(dir: &Path) -> Result<Self, BackupFailed> {
        let path = dir.join(MANIFEST_FILE);
        let file = File::open(&path).map_err(BackupFailed::at(&path))?;
        let manifest = parse(BufReader::new(file)).map_err(|reason| wrong(&path, reason))?;
        manifest.check_names().map_err(|reason| wrong(&path, reason))?;
        Ok(manifest)
    }

    pub(super) fn check_names(&self) -> Result<(), String> {
        let mut dirs = HashSet::new();
        for log in &self.logs {
            if !dirs.insert(log.dir()) {
                return Err(format!("{} is there twice", log.dir()));
            }
        }
        let names = self.logs.iter().flat_map(|log| &log.files).chain(&self.files).map(|file| &file.name);
        for name in names.chain(&dirs) {
            let mut parts = Path::new(name).components();
            if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
                return Err(format!("'{name}' is no file's name"));
            }
        }
        Ok(())
    }
}

pub(super) fn parse(mut lines: impl BufRead) -> Result<Manifest, String> {
    let (mut line_number, mut head, mut files, mut logs) = (0_u64, None, Vec::new(), Vec::new());
    let (mut missing, mut rows, mut crc) = (Vec::new(), Vec::new(), 0);
    loop {
        let mut text = Vec::new();
        lines.by_ref().take(LINE_MAX).read_until(b'\n', &mut text).map_err(|error| error.to_string())?;
        if text.last() != Some(&b'\n') {
            return Err(format!(
                "it is not whole: the backup was never finished, or the file is damaged{WITHOUT}"
            ));
        }
        line_number += 1;
        let line: Line = serde_json::from_slice(&text).map_err(|error| {
            format!("it is damaged, line {line_number} is none of a backup ({error}){WITHOUT}")
        })?;
        match line {
            Line::Backup(found) if head.is_none() => {
                if found.format != FORMAT {
                    return Err(format!("its format is {}, this program knows {FORMAT}", found.format));
                }
                head = Some(found);
            }
            Line::File(file) => files.push(file),
            Line::Log(log) => logs.push(log),
            Line::Missing(log) => missing.push(log),
            Line::Row(row) => rows.push(row),
            Line::End(end) => {
                let head = head.ok_or_else(|| format!("it has no beginning{WITHOUT}"))?;
                let manifest = Manifest { head, files, logs, missing, rows, finished_ms: end.finished_ms };
                if end.crc32c != sealed(crc, end.finished_ms)
                    || end.logs != manifest.logs.len()
                    || end.bytes != manifest.bytes()
                {
                    return Err(format!("it was changed or damaged, its checksum does not match{WITHOUT}"));
                }
                return Ok(manifest);
            }
            Line::Backup(_) => return Err(format!("it begins twice{WITHOUT}")),
        }
        crc = pagewire_record::crc::append(crc, &text);
    }
}
