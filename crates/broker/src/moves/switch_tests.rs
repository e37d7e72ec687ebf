//! Facts about moves whose disks fail or do not answer, and of which the logs are opened anew meanwhile.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pagewire_disk::{Call, Disk, Errno, Fault, Held, When};
use pagewire_log::{Coming, LogDir};
use pagewire_wire::ErrorCode;
use tokio::sync::oneshot;
use tokio::task::block_in_place;
use tokio::time::timeout;

use super::tests::{RATE, World};
use crate::cluster::{Cluster, OwnConfigs, change};
use crate::testing::{ROOT, SECOND, THIRD, options};

pub(super) const PATIENCE: Duration = Duration::from_mins(1);

pub(super) async fn produced(world: &World) -> i16 {
    world.bench.produce("t", 0, -1).await.expect("answered").error_code
}

pub(super) fn dir(world: &World, path: &str) -> Arc<LogDir> {
    world.bench.broker.cluster().log_dirs().here().find(|dir| dir.path() == Path::new(path)).expect("here")
}

/// The partition moves to a directory that does not answer any more once the copy is all but complete.
async fn held_in_the_last_round(world: &World, to: &str) -> Held {
    assert_eq!(produced(world).await, 0);
    let held = world.disk.hold(&format!("{to}/t-0"), Call::SyncDir);
    assert_eq!(world.alter("t", 0, to).await, ErrorCode::None);
    assert!(block_in_place(|| held.is_reached()));
    held
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_does_not_answer_in_the_last_round_keeps_nobody_from_the_partition() {
    let world = World::new().await;
    let (first, second) = world.here_and_there();
    let held = held_in_the_last_round(&world, second).await;
    world.until("served where it is", async || produced(&world).await == 0).await;
    assert!(world.is_in(first));
    // Nor from its topic.
    let wish = |own: &OwnConfigs, _: &_| {
        let mut own = own.clone();
        own.insert("max.message.bytes".into(), "1000".into());
        Ok(own)
    };
    let broker = &world.bench.broker;
    let changed = change(broker, move |change| async move { change.topic_configs("t", wish, || {}).await });
    timeout(PATIENCE, changed).await.expect("in time").expect("changed");
    drop(held);
    world.until("moved", async || world.is_in(second)).await;
    world.until_nothing_moves().await;
    assert_eq!(produced(&world).await, 0);
    let end = world.partition().log.marks().log_end;
    let fetched = world.bench.ask(&crate::testing::fetch("t", 1, 0, 0), 12).await.expect("answered");
    assert_eq!(fetched.responses[0].partitions[0].high_watermark, end);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_whose_directory_keeps_its_name_stays_there_and_its_record_says_so() {
    let world = World::new().await;
    let (first, second) = world.here_and_there();
    assert_eq!(produced(&world).await, 0);
    world.disk.fail_on(&format!("{first}/t-0"), Call::Rename, When::Always, Fault::Error(Errno::ACCESS));
    assert_eq!(world.alter("t", 0, second).await, ErrorCode::None);
    world.until_nothing_moves().await;
    world.until("served", async || produced(&world).await == 0).await;
    assert!(world.is_in(first));
    let dirs = world.bench.broker.cluster().log_dirs();
    assert_eq!(Some(world.stored_directory().await), dirs.named_as(Path::new(first)), "the store knows");
    world.until("dropped", async || dir(&world, second).futures().expect("listed").is_empty()).await;
    world.disk.heal();
    assert_eq!(world.alter("t", 0, second).await, ErrorCode::None);
    world.until("moved", async || world.is_in(second)).await;
    assert_eq!(world.partition().log.marks().log_end, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_whose_copy_cannot_be_opened_is_not_made_anew_and_its_copy_is_kept() {
    let world = World::new().await;
    let (_, second) = world.here_and_there();
    assert_eq!(produced(&world).await, 0);
    world.disk.fail_on(&format!("{second}/t-0"), Call::Rename, When::Always, Fault::Error(Errno::ACCESS));
    assert_eq!(world.alter("t", 0, second).await, ErrorCode::None);
    world.until_nothing_moves().await;
    world.disk.heal();
    let broker = &world.bench.broker;
    let shown = change(broker, |change| async move { change.show_missing().await });
    assert_eq!(shown.await.expect("a turn"), 0, "nothing is made in its place");
    assert_eq!(dir(&world, second).futures().expect("listed").len(), 1);
    // The leader epoch, which is raised, is that of the cluster.
    broker.cluster().catalog().cluster(0).await.expect("a store");
    let tried = crate::cluster::take_in(broker, second.into(), false, |_| {}).await.expect("opened");
    assert_eq!(tried.partitions, [("t".to_owned(), 0)]);
    assert!(world.is_in(second));
    assert_eq!(produced(&world).await, 0);
    assert_eq!(world.partition().log.marks().log_end, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_a_directory_that_hangs_note_a_wish_is_told_to_come_again() {
    let world = World::new().await;
    let (_, second) = world.here_and_there();
    let held: Vec<Held> = (0..2).map(|_| world.disk.hold(second, Call::CreateDir)).collect();
    let answer = timeout(PATIENCE, world.alter("t", 0, second)).await.expect("in time");
    assert_eq!(answer, ErrorCode::RequestTimedOut);
    drop(held);
    world.until("moved", async || world.is_in(second)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_whose_log_is_opened_anew_keeps_no_other_from_its_turn_and_goes_on_after_that() {
    let world = World::on(&[ROOT, SECOND, THIRD]);
    for (topic, place) in [("t", SECOND), ("u", ROOT)] {
        assert_eq!(world.alter(topic, 0, place).await, ErrorCode::UnknownTopicOrPartition);
        world.bench.topic(topic, 1, &[]).await;
        assert_eq!(world.bench.produce(topic, 0, -1).await.expect("answered").error_code, 0);
    }
    world.bench.set(RATE, "0");
    assert_eq!(world.alter("t", 0, THIRD).await, ErrorCode::None);
    world.until("begun", async || dir(&world, THIRD).futures().expect("listed").len() == 1).await;
    let (log_dirs, second) = (world.bench.broker.cluster().log_dirs(), dir(&world, SECOND));
    second.take_offline(std::io::ErrorKind::Other, "sick");
    let config = world.bench.broker.config();
    let record = world.bench.broker.cluster().catalog().topic("t").await.expect("a store").expect("stored").0;
    let settings = |topic: &str, _| (topic == "t").then(|| Cluster::partition_settings(&record, &config));
    let (disk, back): (Arc<dyn Disk>, _) =
        (Arc::new(world.disk.clone()), Coming::Back(second.directory_id()));
    let taken =
        log_dirs.take_in(Path::new(SECOND), &disk, back, options(), &settings, &|_| {}).expect("well");
    world.bench.set(RATE, "9223372036854775807");
    assert_eq!(world.alter("u", 0, THIRD).await, ErrorCode::None);
    let is_moved = |topic: &str| {
        let log = log_dirs.get(topic, 0);
        log.is_some_and(|log| log.dir().starts_with(THIRD))
    };
    world.until("moved", async || is_moved("u")).await;
    assert!(!is_moved("t"));
    log_dirs.serve(taken).expect("served");
    world.until("moved", async || is_moved("t")).await;
    world.until_nothing_moves().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_the_turn_for_long_keeps_nobody_from_a_partition_whose_last_round_is_over() {
    let world = World::new().await;
    let (first, second) = world.here_and_there();
    let held = held_in_the_last_round(&world, second).await;
    let ((has_turn, turn), (done, until_done)) = (oneshot::channel(), oneshot::channel::<()>());
    let broker = Arc::clone(&world.bench.broker);
    let other = tokio::spawn(async move {
        let work = |held| async move {
            let _ = (has_turn.send(()), until_done.await);
            drop(held);
            Ok(())
        };
        change(&broker, work).await
    });
    turn.await.expect("a turn");
    drop(held);
    world.until("served where it is", async || produced(&world).await == 0).await;
    assert!(world.is_in(first));
    drop(done);
    other.await.expect("no panic").expect("done");
    world.until("moved", async || world.is_in(second)).await;
    assert_eq!(produced(&world).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_that_breaks_off_leaves_a_wish_for_when_the_log_is_served_again() {
    let world = World::new().await;
    let (first, second) = world.here_and_there();
    world.disk.fail_on(&format!("{first}/t-0"), Call::Rename, When::Nth(1), Fault::Panic);
    assert_eq!(world.alter("t", 0, second).await, ErrorCode::None);
    world.until_nothing_moves().await;
    assert!(world.hosted().is_none());
    let put_off = world.bench.broker.moves().take_put_off();
    assert_eq!(put_off.iter().map(|(to, _)| &**to).collect::<Vec<_>>(), [Path::new(second)]);
}
