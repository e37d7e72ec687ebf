//! The report's folder: each file is written under another name and then renamed, so that it is whole or as before. The
//! records beside the page are those that it shows, with the fields that this version knows.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use super::Records;

/// The page.
const PAGE: &str = "index.html";
/// The records, by what made them.
pub(super) const ROUTES: &str = "routes.jsonl";
pub(super) const PROOF: &str = "proof.jsonl";
pub(super) const DRIVE: &str = "drive.jsonl";

/// Writes the records, then the page that links to them.
pub(super) fn write(dir: &Path, records: &Records, page: &str) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
    if !records.routes.is_empty() {
        replace(&dir.join(ROUTES), |out| lines(out, &records.routes))?;
    }
    if !records.proof.is_empty() || !records.claims.is_empty() {
        replace(&dir.join(PROOF), |out| {
            lines(out, &records.proof)?;
            lines(out, &records.claims)
        })?;
    }
    if !records.drive.is_empty() {
        replace(&dir.join(DRIVE), |out| lines(out, &records.drive))?;
    }
    let path = dir.join(PAGE);
    replace(&path, |out| Ok(out.write_all(page.as_bytes())?))?;
    Ok(path)
}

fn lines<T: Serialize>(out: &mut impl Write, records: &[T]) -> anyhow::Result<()> {
    for record in records {
        serde_json::to_writer(&mut *out, record)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Writes beside `path` and renames. What cannot be finished is taken away again.
fn replace(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<fs::File>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let beside = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = fs::File::create(&beside).map_err(anyhow::Error::new).and_then(|file| {
        let mut out = BufWriter::new(file);
        fill(&mut out)?;
        out.into_inner()?.sync_all()?;
        Ok(fs::rename(&beside, path)?)
    });
    if written.is_err() {
        // It may not even exist.
        let _ = fs::remove_file(&beside);
    }
    written.with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn the_folder_holds_the_page_and_the_records_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let records = testing::records();
        let page = write(dir.path(), &records, "<p>").unwrap();
        assert_eq!(fs::read_to_string(page).unwrap(), "<p>");
        let mut names: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["drive.jsonl", "index.html", "proof.jsonl", "routes.jsonl"]);
        let written =
            [ROUTES, PROOF, DRIVE].map(|name| fs::read_to_string(dir.path().join(name)).unwrap()).concat();
        assert_eq!(written.lines().map(str::to_owned).collect::<Vec<_>>(), testing::lines(&records));
    }

    #[test]
    fn what_fails_half_way_leaves_the_file_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(PAGE);
        fs::write(&path, "before").unwrap();
        let failed = replace(&path, |out| {
            out.write_all(b"half")?;
            anyhow::bail!("no more")
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "before");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    }
}
