//! `[which u8][text]`: the small text files beside the logs, which people edit.

use std::fmt::Debug;
use std::path::Path;

use pagewire_disk::{
    DamageCheckpoint, Disk, EpochCheckpoint, MemoryDisk, MetaProperties, OffsetCheckpoint, OpenMode,
    PartitionMetadata, checkpoint::DAMAGE_FILE,
};

use crate::input::Input;

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let which = input.u8() % 5;
    let Ok(text) = std::str::from_utf8(input.rest()) else { return };
    match which {
        0 => same(text, OffsetCheckpoint::parse, OffsetCheckpoint::render),
        1 => same(text, EpochCheckpoint::parse, EpochCheckpoint::render),
        2 => same(text, MetaProperties::parse, MetaProperties::render),
        3 => same(text, PartitionMetadata::parse, PartitionMetadata::render),
        _ => places(text),
    }
}

/// Where logs were found damaged. It is a hint as well: each place lies within a file.
fn places(text: &str) {
    let (disk, dir) = (MemoryDisk::new(), Path::new("/data"));
    disk.create_dir_all(dir).expect("memory has room");
    let file = disk.open(&dir.join(DAMAGE_FILE), OpenMode::Create).expect("memory has room");
    file.write_at(0, text.as_bytes()).expect("memory has room");
    let Ok(first) = DamageCheckpoint::read(&disk, dir) else { return };
    assert!(first.entries.iter().all(|place| place.from < place.to && place.to <= place.size), "{first:?}");
    first.write(&disk, dir).expect("memory has room");
    assert_eq!(DamageCheckpoint::read(&disk, dir).expect("what was written"), first);
}

fn same<T: Debug + PartialEq, E: Debug>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, E>,
    render: impl Fn(&T) -> String,
) {
    let Ok(first) = parse(text) else { return };
    let rendered = render(&first);
    match parse(&rendered) {
        Ok(again) => assert_eq!(first, again, "not the same the second time"),
        Err(error) => panic!("{first:?} renders as {rendered:?}, which does not read: {error:?}"),
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    [
        "\u{0}0\n2\norders 0 42\norders 1 9223372036854775807\n",
        "\u{1}0\n2\n0 0\n7 1234\n",
        "\u{2}#\n#Mon Jan 01 00:00:00 UTC 2026\ncluster.id=AAECAwQFBgcICQoLDA0ODw\nnode.id=1\nversion=1\ndirectory.id=_____________________w\n",
        "\u{3}version: 0\ntopic_id: AAECAwQFBgcICQoLDA0ODw",
        "\u{4}0\n2\norders 0 1000 52428 4096 8192 1017\norders 1 0 100 0 100 0\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
