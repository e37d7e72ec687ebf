//! Copies of logs of which there is an earlier copy.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use pagewire_disk::{Call, Disk as _, Errno, FailingDisk, Fault, OpenMode, OsDisk, When};
use pagewire_record::header::CRC_START;

use super::append;
use super::backup::{bytes_in, copy_to, nothing, on, on_disk, options, ways};
use crate::ReadUpTo;
use crate::backup::{CopiedLog, CopyOptions, Earlier, SegmentOf, Way};

/// What an earlier copy had.
fn earlier_in<'a>(to: &'a Path, copy: &'a CopiedLog) -> impl Fn(SegmentOf) -> Option<Earlier> + 'a {
    |of| {
        let name = format!("{:020}.log", of.base_offset);
        let file = copy.files.iter().find(|file| file.name == name)?;
        let (path, bytes, crc32c) = (to.join(&name), file.bytes, file.crc32c);
        Some(Earlier { path, bytes, crc32c, source: file.source? })
    }
}

#[test]
fn what_did_not_change_is_a_link_to_the_earlier_copy() {
    let (place, dir, log) = on_disk();
    let (one, two) = (place.path().join("one"), place.path().join("two"));
    let apart = CopyOptions { links: false, ..options(&nothing) };
    let first = copy_to(&dir, &one, &apart).expect("copied").expect("there");
    append(&log, 3);
    let earlier = earlier_in(&one, &first);
    let second = CopyOptions { links: false, earlier: &earlier, ..options(&nothing) };
    let second = copy_to(&dir, &two, &second).expect("copied").expect("there");
    assert_eq!(ways(&second), [Way::Earlier, Way::Earlier, Way::Copied, Way::Copied]);
    let data = bytes_in(&OsDisk::new(), &place.path().join("data/t-0"));
    assert_eq!(bytes_in(&OsDisk::new(), &two), data);
}

#[test]
fn a_file_of_the_earlier_copy_that_is_damaged_or_another_is_copied_anew() {
    let (place, dir, _log) = on_disk();
    let (one, two) = (place.path().join("one"), place.path().join("two"));
    let apart = CopyOptions { links: false, ..options(&nothing) };
    let mut first = copy_to(&dir, &one, &apart).expect("copied").expect("there");
    let damaged = OsDisk::new().open(&one.join(&first.files[0].name), OpenMode::ReadWrite).expect("opened");
    damaged.write_at(90, b"x").expect("written");
    // The other segment was cleaned since, let us say: its file is not the one that was copied.
    first.files[1].source.as_mut().expect("closed").inode += 1;
    let earlier = earlier_in(&one, &first);
    let second = CopyOptions { links: false, earlier: &earlier, ..options(&nothing) };
    let second = copy_to(&dir, &two, &second).expect("copied").expect("there");
    assert_eq!(ways(&second), [Way::Copied; 3]);
    let data = bytes_in(&OsDisk::new(), &place.path().join("data/t-0"));
    assert_eq!(bytes_in(&OsDisk::new(), &two), data);
}

/// Copies twice, with something done in between to the file of the first segment, which is at this path. The ways of the second.
fn copied_twice(links: bool, between: impl Fn(&Path, &mut CopiedLog)) -> Vec<Way> {
    let (place, dir, _log) = on_disk();
    let (one, two) = (place.path().join("one"), place.path().join("two"));
    let mut first = copy_to(&dir, &one, &CopyOptions { links, ..options(&nothing) });
    let first = first.as_mut().expect("copied").as_mut().expect("there");
    between(&place.path().join("data/t-0").join(&first.files[0].name), first);
    let earlier = earlier_in(&one, first);
    let second = CopyOptions { links, verify: false, earlier: &earlier, ..options(&nothing) };
    let second = copy_to(&dir, &two, &second).expect("copied").expect("there");
    let data = bytes_in(&OsDisk::new(), &place.path().join("data/t-0"));
    assert_eq!(bytes_in(&OsDisk::new(), &two), data);
    ways(&second)
}

/// Changes a file and leaves its time as it was.
fn change(path: &Path, how: impl FnOnce(&mut [u8])) {
    let file = fs::File::options().write(true).open(path).expect("opened");
    let modified = file.metadata().and_then(|found| found.modified()).expect("a time");
    let mut bytes = fs::read(path).expect("read");
    how(&mut bytes);
    file.write_all_at(&bytes, 0).expect("written");
    file.set_modified(modified).expect("set back");
}

/// Its first batch becomes another one.
fn rewrite(path: &Path) {
    change(path, |bytes| {
        let len = 12 + i32::from_be_bytes(bytes[8..12].try_into().expect("four")) as usize;
        bytes[len - 2] ^= 1;
        let crc = crc32c::crc32c(&bytes[CRC_START..len]);
        bytes[CRC_START - 4..CRC_START].copy_from_slice(&crc.to_be_bytes());
    });
}

/// Its first batch is none any more.
fn rot(path: &Path) {
    change(path, |bytes| bytes[90] ^= 1);
}

#[test]
fn a_file_that_was_rewritten_in_place_and_its_time_set_back_is_copied_anew() {
    let ways = copied_twice(false, |path, _| rewrite(path));
    assert_eq!(ways, [Way::Copied, Way::Earlier, Way::Copied]);
    let unknown = copied_twice(false, |path, first| {
        rewrite(path);
        for file in &mut first.files {
            if let Some(source) = &mut file.source {
                source.changed_ns = None;
            }
        }
    });
    assert_eq!(unknown, [Way::Copied, Way::Earlier, Way::Copied], "as of a backup that did not note it");
}

#[test]
fn a_file_that_only_got_another_name_is_a_link_to_the_earlier_copy() {
    let renamed = |path: &Path, _: &mut CopiedLog| {
        fs::hard_link(path, path.with_extension("another")).expect("linked");
        fs::remove_file(path.with_extension("another")).expect("removed");
    };
    assert_eq!(copied_twice(false, renamed)[..2], [Way::Earlier; 2]);
    assert_eq!(copied_twice(true, renamed)[..2], [Way::Earlier; 2], "the copy may be the log's own file");
}

/// Bad or unreadable since, and by another name for a while, so that only its bytes tell whether it is the file that was copied.
#[test]
fn a_file_that_became_bad_is_a_link_to_the_earlier_copy_which_is_good() {
    for (verify, noted, unreadable) in
        [(true, true, false), (true, false, true), (false, true, true), (false, false, false)]
    {
        let disk = FailingDisk::new(Arc::new(OsDisk::new()));
        let (place, dir, _log) = on(Arc::new(disk.clone()));
        let (one, two) = (place.path().join("one"), place.path().join("two"));
        let apart = CopyOptions { links: false, ..options(&nothing) };
        let mut first = copy_to(&dir, &one, &apart).expect("copied").expect("there");
        let name = first.files[0].name.clone();
        let (path, good) = (place.path().join("data/t-0").join(&name), bytes_in(&OsDisk::new(), &one));
        if unreadable {
            let is_read = format!("data/t-0/{name}");
            disk.fail_on(&is_read, Call::Read, When::Always, Fault::Error(Errno::IO));
            change(&path, |_| {});
        } else {
            rot(&path);
        }
        let sources = first.files.iter_mut().filter_map(|file| file.source.as_mut());
        sources.filter(|_| !noted).for_each(|source| source.changed_ns = None);
        let earlier = earlier_in(&one, &first);
        let second = CopyOptions { links: false, verify, earlier: &earlier, ..options(&nothing) };
        let second = copy_to(&dir, &two, &second).expect("copied").expect("there");
        assert_eq!(ways(&second), [Way::Earlier, Way::Earlier, Way::Copied]);
        assert_eq!(bytes_in(&OsDisk::new(), &two), good);
        assert!(second.files.iter().all(|file| file.damage.is_empty()), "{second:?}");
    }
}

/// Known to readers or not: what is damaged in the log is whole in the copy, and said to be.
#[test]
fn an_earlier_copy_is_whole_where_the_log_is_known_to_be_damaged() {
    let (place, dir, log) = on_disk();
    let (one, two) = (place.path().join("one"), place.path().join("two"));
    let apart = CopyOptions { links: false, ..options(&nothing) };
    let first = copy_to(&dir, &one, &apart).expect("copied").expect("there");
    rot(&place.path().join("data/t-0").join(&first.files[0].name));
    let seen = copy_to(&dir, &place.path().join("bad"), &apart).expect("copied").expect("there");
    assert!(!seen.files[0].damage.is_empty() && log.read(0, 1 << 20, ReadUpTo::LogEnd, true).is_err());
    let earlier = earlier_in(&one, &first);
    let second = CopyOptions { links: false, earlier: &earlier, ..options(&nothing) };
    let second = copy_to(&dir, &two, &second).expect("copied").expect("there");
    assert_eq!((second.files[0].way, &second.files[0].damage[..]), (Way::Earlier, &[][..]));
}

#[test]
fn a_file_that_became_bad_as_its_earlier_copy_did_is_copied_as_it_is() {
    let (place, dir, _log) = on_disk();
    let (one, two) = (place.path().join("one"), place.path().join("two"));
    let apart = CopyOptions { links: false, ..options(&nothing) };
    let first = copy_to(&dir, &one, &apart).expect("copied").expect("there");
    let name = &first.files[0].name;
    rot(&one.join(name));
    rot(&place.path().join("data/t-0").join(name));
    let earlier = earlier_in(&one, &first);
    let second = CopyOptions { links: false, earlier: &earlier, ..options(&nothing) };
    let second = copy_to(&dir, &two, &second).expect("copied").expect("there");
    assert_eq!(ways(&second), [Way::Copied, Way::Earlier, Way::Copied]);
    assert_eq!(second.files[0].damage.len(), 1);
}
