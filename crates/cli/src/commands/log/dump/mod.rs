//! `pagewire log dump`: what Kafka's DumpLogSegments prints, line for line, or the same as JSON, a line each.

mod batches;
mod contents;
mod decode;
mod metadata;
mod noted;
mod offsets;
mod page;
mod small;
mod sparse;
mod text;
mod times;

use std::io::ErrorKind;
use std::path::Path;

use anyhow::bail;
use pagewire_disk::{Disk, DiskFile, OpenMode, OsDisk};
use pagewire_log::files::{FileKind, is_noted};

use super::special::special;
use crate::Usage;
use crate::args::log::DumpArgs;
use crate::commands::failures::Failures;
use crate::output::{ClosedPipe, Format, Out, complain};
use page::Page;

/// Suffix of the snapshots of the cluster metadata log.
const METADATA_SNAPSHOT: &str = ".checkpoint";

/// Suffix of what a start took from a log and kept.
const SET_ASIDE: &str = ".cut";
/// Before that, of a whole segment.
const SEGMENT: &str = ".log";
/// Of an offset in a name.
const OFFSET_DIGITS: usize = 20;

/// What can be printed.
const TAKEN: &str = "log dump prints logs (.log, .checkpoint, .cut), their .index, .timeindex, .txnindex and .snapshot, the text \
                     files of brokers (checkpoints, meta.properties, partition.metadata), metadata.redb and pagewire-* files of numbers";

/// What is said of a decoder that is not here.
const NO_TIERS: &str = "--remote-log-metadata-decoder reads __remote_log_metadata, a topic that tiered storage writes, which is not \
                        served here: use Kafka's own tool, or --value-decoder base64 for the bytes";

/// Prints all of the files. An error, and so exit code 1, if anything in them is damaged, or one of them cannot be printed: the
/// others are, all the same. What is none of them is wrong usage.
pub(super) fn run(args: &DumpArgs, format: Format) -> anyhow::Result<()> {
    if args.topic.remote_log_metadata_decoder {
        return Err(Usage(NO_TIERS.to_owned()).into());
    }
    let (disk, mut out) = (OsDisk::new(), Out::new());
    let mut page = Page::new(format, &mut out);
    let files: Vec<_> = args.files.iter().chain(&args.listed).collect();
    let (mut failures, mut strangers) = (Failures::of(files.len()), Vec::new());
    for path in files {
        let printed = readable(&disk, path).and_then(|()| {
            page.file(path)?;
            dump(&disk, path, args, &mut page)
        });
        match printed {
            Err(error) if error.is::<Usage>() => strangers.push(format!("{} is {error}", path.display())),
            Err(error) if !error.is::<ClosedPipe>() => {
                failures.note(error.context(format!("{} cannot be printed", path.display())), "");
            }
            printed => printed?,
        }
    }
    let (damaged, later) = page.end()?;
    later.iter().for_each(complain);
    failures.end()?;
    if damaged > 0 {
        bail!("{damaged} damaged");
    }
    if strangers.is_empty() {
        return Ok(());
    }
    Err(Usage(format!("{}. {TAKEN}", strangers.join("; "))).into())
}

/// Refuses what is no file of a kind that is printed, before anything is said of it.
fn readable(disk: &dyn Disk, path: &Path) -> anyhow::Result<()> {
    match special(path) {
        Ok(Some(what)) => return Err(Usage(what.to_owned()).into()),
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(Usage("not there".to_owned()).into()),
        _ => {}
    }
    match disk.open(path, OpenMode::Read) {
        Ok(_) if is_printed(name_of(path)) => Ok(()),
        Ok(_) => Err(Usage("no file that is printed here".to_owned()).into()),
        Err(error) if error.kind() == ErrorKind::IsADirectory => {
            Err(Usage(format!("a directory: name files in it, such as {}/*.log", path.display())).into())
        }
        Err(error) => Err(error.into()),
    }
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// Whether a file of this name is of a kind that is printed.
fn is_printed(name: &str) -> bool {
    FileKind::parse(name).is_some()
        || name.ends_with(METADATA_SNAPSHOT)
        || set_aside_from(name).is_some()
        || name == pagewire_metadata::FILE_NAME
        || is_noted(name)
        || small::is_text(name)
}

fn dump(disk: &dyn Disk, path: &Path, args: &DumpArgs, page: &mut Page<'_>) -> anyhow::Result<()> {
    let name = name_of(path);
    match FileKind::parse(name) {
        Some((FileKind::Log, base)) => {
            page.text(|| format!("Log starting offset: {base}"))?;
            batches::dump(disk, path, args, page)
        }
        Some((FileKind::OffsetIndex, base)) => offsets::dump(disk, path, base, args, page),
        Some((FileKind::TimeIndex, base)) => times::dump(disk, path, base, args, page),
        Some((FileKind::Snapshot, _)) => small::producers(disk, path, page),
        Some((FileKind::TxnIndex, _)) => small::aborted(disk, path, page),
        None if name.ends_with(METADATA_SNAPSHOT) => {
            page.text(|| snapshot_title(name))?;
            batches::dump(disk, path, args, page)
        }
        None => match set_aside_from(name) {
            Some(offset) => {
                page.text(|| format!("Set aside of a log, from offset: {offset}"))?;
                batches::dump(disk, path, args, page)
            }
            None if name == pagewire_metadata::FILE_NAME => metadata::dump(path, page),
            None if noted::dump(disk, path, page)? => Ok(()),
            None => small::text(disk, path, name, page),
        },
    }
}

/// The first offset of what a start set aside, by its name: `<offset>.cut`, or `<offset>.<n>.cut` where that was taken. Of a whole
/// segment `<offset>.log.cut`, or `<offset>.log.<n>.cut`.
fn set_aside_from(name: &str) -> Option<i64> {
    let stem = name.strip_suffix(SET_ASIDE)?;
    let (offset, rest) = stem.split_at_checked(OFFSET_DIGITS)?;
    let rest = rest.strip_prefix(SEGMENT).unwrap_or(rest);
    let number = if rest.is_empty() { "0" } else { rest.strip_prefix('.')? };
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (are_digits(offset) && are_digits(number)).then(|| offset.parse().ok())?
}

/// What a snapshot of the cluster metadata covers, by its name: `<end offset>-<epoch>.checkpoint`.
fn snapshot_title(name: &str) -> String {
    let numbers = name.strip_suffix(METADATA_SNAPSHOT).and_then(|rest| rest.split_once('-'));
    let parsed =
        numbers.and_then(|(end, epoch)| Some((end.parse::<i64>().ok()?, epoch.parse::<i32>().ok()?)));
    match parsed {
        Some((end, epoch)) => format!("Snapshot end offset: {end}, epoch: {epoch}"),
        None => "KRaft bootstrap snapshot".to_owned(),
    }
}

/// The file and its length as it is now.
fn open(disk: &dyn Disk, path: &Path) -> anyhow::Result<(std::sync::Arc<dyn DiskFile>, u64)> {
    let file = disk.open(path, OpenMode::Read)?;
    let len = file.len()?;
    Ok((file, len))
}

/// The log that the index at `path` belongs to.
fn log_beside(disk: &dyn Disk, path: &Path) -> anyhow::Result<(std::sync::Arc<dyn DiskFile>, u64)> {
    let log = path.with_extension("log");
    match disk.open(&log, OpenMode::Read) {
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "its entries are compared with the batches of {}, which is not there (--index-sanity-check looks at the index alone)",
            log.display()
        ),
        Err(error) => Err(anyhow::Error::new(error).context(log.display().to_string())),
        Ok(_) => open(disk, &log),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_aside_bears_its_first_offset_in_its_name() {
        let of = |rest: &str| set_aside_from(&format!("00000000000000004800{rest}"));
        assert_eq!((of(".cut"), of(".1.cut"), of(".12.cut")), (Some(4800), Some(4800), Some(4800)));
        assert_eq!((of(".log.cut"), of(".log.3.cut"), of(".log.x.cut")), (Some(4800), Some(4800), None));
        assert_eq!(
            (of(".x.cut"), of(".cut.1"), of("..cut"), set_aside_from("4800.cut")),
            (None, None, None, None)
        );
    }
}
