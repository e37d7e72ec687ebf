//! Facts about wishes that come late, and such as wait until their logs are served.

use std::collections::HashSet;
use std::path::Path;

use pagewire_disk::{Call, Disk, Errno, Fault, When};
use pagewire_log::FutureLog;
use pagewire_wire::ErrorCode;
use tokio::task::block_in_place;

use super::resume;
use super::switch_tests::dir;
use super::tests::{RATE, THREADS, World};
use crate::cluster::change;
use crate::testing::{ROOT, SECOND, THIRD, take_threads};

const AS_FAST_AS_IT_GOES: &str = "9223372036854775807";

/// Whether a note of a wish in that directory has lost its name.
fn is_dropped(world: &World, dir: &str) -> bool {
    let names = world.disk.read_dir(Path::new(dir)).expect("listed");
    names.iter().any(|entry| entry.name.starts_with("t-0.") && entry.name.ends_with("-delete"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wish_that_waited_for_a_disk_does_not_take_the_place_of_a_later_one() {
    let world = World::new().await;
    let (first, second) = world.here_and_there();
    let held = world.disk.hold(second, Call::CreateDir);
    assert_eq!(world.alter("t", 0, second).await, ErrorCode::RequestTimedOut);
    assert_eq!(world.alter("t", 0, first).await, ErrorCode::None);
    drop(held);
    world.until("dropped", async || is_dropped(&world, second)).await;
    world.until_nothing_moves().await;
    assert!(world.is_in(first) && dir(&world, second).futures().expect("listed").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wish_waits_while_the_log_that_is_to_move_is_to_be_opened_anew() {
    let world = World::new().await;
    let (first, second) = world.here_and_there();
    let (moves, topic_id) =
        (world.bench.broker.moves(), world.bench.broker.image().topic("t").expect("there").id);
    let future = FutureLog { topic: "t".to_owned(), topic_id, partition: 0 };
    dir(&world, second).note_future(&future).expect("noted");
    dir(&world, first).take_offline(std::io::ErrorKind::Other, "sick");
    block_in_place(|| resume(&world.bench.broker, vec![(second.into(), future.clone())]));
    world.until_nothing_moves().await;
    assert_eq!(dir(&world, second).futures().expect("listed").len(), 1);
    assert_eq!(moves.take_put_off(), [(Path::new(second).to_path_buf(), future)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wish_whose_log_is_shown_while_it_is_put_off_goes_on() {
    let world = World::new().await;
    let (_, second) = world.here_and_there();
    let (broker, topic_id) = (&world.bench.broker, world.bench.broker.image().topic("t").expect("there").id);
    let future = FutureLog { topic: "t".to_owned(), topic_id, partition: 0 };
    let topics: Vec<_> = broker.cluster().catalog().topics().await.expect("a store").0;
    let topics: Vec<_> = topics.into_iter().map(|(record, _)| record).collect();
    let hidden = HashSet::from([("t".to_owned(), 0)]);
    assert!(broker.cluster().load(&topics, (&[], &hidden), &broker.config()), "it is tried again");
    assert!(world.hosted().is_none(), "not before it is stored where it is");
    block_in_place(|| resume(broker, vec![(second.into(), future)]));
    let shown = change(broker, |change| async move { change.make_missing().await }).await;
    assert_eq!(shown.expect("a turn"), (1, false));
    world.until("moved", async || world.is_in(second)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wish_that_waited_for_a_thread_does_not_call_off_the_move_of_a_later_one() {
    let world = World::on(&[ROOT, SECOND, THIRD]).with_a_topic_in(ROOT).await;
    world.bench.produce("t", 0, -1).await.expect("answered");
    world.bench.set(RATE, "0");
    let lanes = world.bench.broker.cluster().lanes();
    let taken = take_threads(lanes.of(Path::new(SECOND)), THREADS).await;
    assert_eq!(world.alter("t", 0, SECOND).await, ErrorCode::RequestTimedOut);
    assert_eq!(world.alter("t", 0, THIRD).await, ErrorCode::None);
    drop(taken);
    // Behind the late one in the line of that directory's threads, once for each of these.
    for _ in 0..THREADS {
        drop(take_threads(lanes.of(Path::new(SECOND)), 1).await);
    }
    world.bench.set(RATE, AS_FAST_AS_IT_GOES);
    world.until("moved", async || world.is_in(THIRD)).await;
    world.until_nothing_moves().await;
    assert!(world.is_in(THIRD));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wish_that_waited_for_a_disk_leaves_the_note_of_a_later_one_for_the_same() {
    let world = World::on(&[ROOT, SECOND]).with_a_topic_in(ROOT).await;
    world.bench.produce("t", 0, -1).await.expect("answered");
    world.bench.set(RATE, "0");
    let held = world.disk.hold(SECOND, Call::CreateDir);
    assert_eq!(world.alter("t", 0, SECOND).await, ErrorCode::RequestTimedOut);
    let later = world.alter("t", 0, SECOND).await;
    assert_eq!(later, ErrorCode::RequestTimedOut, "one after the other");
    drop(held);
    let noted = async || dir(&world, SECOND).futures().expect("listed").len() == 1;
    world.until("on its way", async || !world.bench.broker.moves().wanted.lock().is_empty()).await;
    let lanes = world.bench.broker.cluster().lanes();
    drop(take_threads(lanes.of(Path::new(SECOND)), THREADS).await);
    assert!(noted().await, "it is on its way");
    world.bench.set(RATE, AS_FAST_AS_IT_GOES);
    world.until("moved", async || world.is_in(SECOND)).await;
}

#[tokio::test]
async fn a_wish_is_not_put_off_whose_log_is_served_by_then() {
    let world = World::new().await;
    let (first, second) = world.here_and_there();
    let (moves, future) = (
        world.bench.broker.moves(),
        FutureLog { topic: "t".to_owned(), topic_id: uuid::Uuid::nil(), partition: 0 },
    );
    assert!(!moves.put_off_while(Path::new(first), &future, || false));
    assert!(moves.put_off_while(Path::new(second), &future, || true));
    assert_eq!(moves.take_put_off(), [(Path::new(second).to_path_buf(), future)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_note_that_is_being_dropped_is_not_taken_for_that_of_a_later_wish() {
    let world = World::new().await;
    let (first, second) = world.here_and_there();
    world.bench.produce("t", 0, -1).await.expect("answered");
    world.bench.set(RATE, "0");
    let noting = world.disk.hold(second, Call::CreateDir);
    assert_eq!(world.alter("t", 0, second).await, ErrorCode::RequestTimedOut);
    assert_eq!(world.alter("t", 0, first).await, ErrorCode::None);
    let dropping = world.disk.hold(&format!("{second}/t-0."), Call::Rename);
    drop(noting);
    assert!(block_in_place(|| dropping.is_reached()), "it is not wanted any more");
    // That it is noted is not said before it is.
    let answer = world.alter("t", 0, second).await;
    assert!(matches!(answer, ErrorCode::None | ErrorCode::RequestTimedOut), "{answer:?}");
    drop(dropping);
    world.until("dropped", async || is_dropped(&world, second)).await;
    let noted = async || dir(&world, second).futures().expect("listed").len() == 1;
    world.until("noted", noted).await;
    world.bench.set(RATE, AS_FAST_AS_IT_GOES);
    world.until("moved", async || world.is_in(second)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_comes_back_with_the_note_of_an_earlier_wish_does_not_get_the_partition() {
    for stays in [true, false] {
        let world = World::on(&[ROOT, SECOND, THIRD]).with_a_topic_in(ROOT).await;
        world.bench.produce("t", 0, -1).await.expect("answered");
        world.bench.set(RATE, "0");
        assert_eq!(world.alter("t", 0, SECOND).await, ErrorCode::None);
        world.disk.fail_on(
            &format!("{SECOND}/t-0."),
            Call::Rename,
            When::Always,
            Fault::Error(Errno::ACCESS),
        );
        let last = if stays { ROOT } else { THIRD };
        assert_eq!(world.alter("t", 0, last).await, ErrorCode::None);
        world.bench.set(RATE, AS_FAST_AS_IT_GOES);
        world.until_nothing_moves().await;
        world.until("where it was wished last", async || world.hosted().is_some() && world.is_in(last)).await;
        let noted = dir(&world, SECOND).futures().expect("listed");
        assert_eq!(noted.len(), 1, "it could not be dropped");
        world.disk.heal();
        let noted = noted.into_iter().map(|future| (SECOND.into(), future)).collect();
        block_in_place(|| resume(&world.bench.broker, noted));
        world.until_nothing_moves().await;
        assert!(world.is_in(last) && dir(&world, SECOND).futures().expect("listed").is_empty(), "{last}");
    }
}
