//! What was read is written and read again, for the fuzz target.

use std::path::Path;

use pagewire_disk::{Disk, MemoryDisk, read_small};

use super::reading::parse;
use super::{End, Line, MANIFEST_FILE, Manifest, Writing, sealed};

/// Whether these lines are a manifest; with `is_sealed` a last line is added that fits them. A panic where it is not
/// the same once it was written.
pub(crate) fn reads_again(lines: &[u8], is_sealed: bool) -> bool {
    let lines = if is_sealed { with_end(lines) } else { lines.to_vec() };
    let Ok(manifest) = parse(&lines[..]) else { return false };
    if manifest.check_names().is_err() {
        return false;
    }
    for log in &manifest.logs {
        assert_eq!(log.bounded().count(), log.files.len());
    }
    let again = parse(&written(&manifest)[..]);
    assert_eq!(again.as_ref(), Ok(&manifest));
    true
}

fn with_end(lines: &[u8]) -> Vec<u8> {
    let mut text = lines.to_vec();
    if text.last() != Some(&b'\n') {
        text.push(b'\n');
    }
    let (mut logs, mut bytes) = (0, 0u64);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let files = match serde_json::from_slice(line) {
            Ok(Line::File(file)) => vec![file],
            Ok(Line::Log(log)) => {
                logs += 1;
                log.files
            }
            _ => continue,
        };
        bytes = files.iter().fold(bytes, |sum, file| file.bytes.saturating_add(sum));
    }
    let crc32c = sealed(pagewire_record::crc::crc32c(&text), 7);
    let end = Line::End(End { finished_ms: 7, logs, bytes, crc32c });
    text.extend(serde_json::to_vec(&end).unwrap_or_default());
    text.push(b'\n');
    text
}

fn written(manifest: &Manifest) -> Vec<u8> {
    let (disk, dir) = (MemoryDisk::new(), Path::new("/backup"));
    let write = || {
        let mut writing = Writing::begin(&disk, dir, manifest.head.clone())?;
        manifest.logs.iter().try_for_each(|log| writing.log(log.clone()))?;
        manifest.missing.iter().try_for_each(|log| writing.missing(log.clone()))?;
        manifest.files.iter().try_for_each(|file| writing.file(file.clone()))?;
        manifest.rows.iter().try_for_each(|row| writing.row(row.clone()))?;
        writing.finish(manifest.finished_ms)
    };
    let made = disk.create_dir_all(dir).is_ok() && write().is_ok();
    assert!(made, "memory has room");
    read_small(&disk, &dir.join(MANIFEST_FILE), u64::MAX).ok().flatten().unwrap_or_default()
}
