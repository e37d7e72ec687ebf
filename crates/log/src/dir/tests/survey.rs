//! What an onlooker sees.

use super::*;
use crate::{Survey, survey};

#[test]
fn an_onlooker_counts_partitions_and_bytes_and_tells_what_is_nobodys() {
    let world = World::new().knows("orders", A);
    let (dir, _) = world.open();
    for partition in 0..2 {
        append(&world.create(&dir, "orders", partition), 9);
    }
    let marked = |suffix: &str| format!("a-0.{}{suffix}", Uuid::from_u128(7).simple());
    for name in [marked("-delete"), marked("-stray"), "photos".to_owned(), "lost+found".to_owned()] {
        world.put(Path::new(&name).join("file"), b"x");
    }
    let before = world.dirs();
    let seen = survey(&*world.disk, root()).expect("looked");
    let bytes = dir.logs().iter().map(|log| log.size_bytes()).sum();
    let segments = dir.logs().iter().map(|log| log.segments().len()).sum();
    let expected =
        Survey { partitions: 2, measured: 2, segments, bytes, doomed: 1, set_aside: 1, unknown: 1 };
    assert_eq!((seen, world.dirs()), (expected, before));
    assert!(seen.bytes > 0 && segments > 2);
}

#[test]
fn a_directory_that_cannot_be_read_is_an_error() {
    assert!(survey(&*World::new().disk, Path::new("/nowhere")).is_err());
}
